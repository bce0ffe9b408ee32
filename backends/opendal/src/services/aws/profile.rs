//! What a profile in `~/.aws/config` asks for that the signer does not do.

use std::path::PathBuf;

use towpath_backend::registry::{OpenError, Url};

/// Keys of a profile that the signer ignores: it would take other credentials, or none.
const UNSUPPORTED: [(&str, &str); 3] = [
    ("role_arn", "assumes a role"),
    ("login_session", "needs `aws login`"),
    ("mfa_serial", "asks for a second factor"),
];

/// Checks that the profile asks for nothing unsupported.
///
/// # Errors
/// With the command that does it instead.
pub(in crate::services) fn check_profile(url: &Url) -> Result<(), OpenError> {
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    let home = || std::env::home_dir().map(|home| home.join(".aws/config"));
    let Some(file) = variable("AWS_CONFIG_FILE").map(PathBuf::from).or_else(home) else { return Ok(()) };
    // Without the file there is nothing to check; the signer reports what it misses.
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(()) };
    match unsupported(&text, &profile) {
        None => Ok(()),
        Some((key, what)) => Err(OpenError::Usage(format!(
            "{url}: the profile {profile} of ~/.aws/config {what} ({key}), which is not supported: let another profile \
             run `credential_process = aws configure export-credentials --profile {profile}`, and name it in AWS_PROFILE"
        ))),
    }
}

/// The unsupported key of a profile, if it has one.
fn unsupported(text: &str, profile: &str) -> Option<(&'static str, &'static str)> {
    let mut is_in_profile = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let name = section.trim();
            let name = name.strip_prefix("profile ").map_or(name, str::trim);
            is_in_profile = name == profile;
        } else if let Some((key, _)) = line.split_once('=').filter(|_| is_in_profile)
            && let Some(found) = UNSUPPORTED.iter().find(|(name, _)| *name == key.trim())
        {
            return Some(*found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_profile_in_use_counts() {
        let text = "[default]\nregion = x\n[profile role]\nrole_arn = arn\nsource_profile = default\n";
        assert_eq!(unsupported(text, "default"), None);
        assert_eq!(unsupported(text, "missing"), None);
        assert_eq!(unsupported(text, "role").map(|(key, _)| key), Some("role_arn"));
    }
}
