//! Signatures of minisign.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minisign::{SecretKey, SecretKeyBox};

/// The environment variable with the password of the secret key.
const PASSWORD: &str = "MINISIGN_PASSWORD";

/// A secret key.
pub(super) struct Key(SecretKey);

impl Key {
    /// Reads a secret key as `minisign -G` writes it. Asks for its password on the terminal, unless it has none.
    ///
    /// # Errors
    /// One line.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read the key {shown}: {error}"))?;
        let failed = |error: String| format!("cannot use {shown} as a secret key of minisign: {error}");
        // After a line of comment. minisign writes keys without a password also without the checksum that
        // `into_unencrypted_secret_key` checks.
        let bytes = BASE64_STANDARD.decode(text.lines().nth(1).unwrap_or_default());
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        let key = SecretKey::from_bytes(&bytes).map_err(|error| failed(error.to_string()))?;
        if !key.is_encrypted() {
            return Ok(Self(key));
        }
        let password = std::env::var(PASSWORD).ok();
        if password.is_none() && !io::stdin().is_terminal() {
            return Err(format!("the key {shown} has a password: set {PASSWORD}, or run this on a terminal"));
        }
        let stored = SecretKeyBox::from_string(&text);
        stored.and_then(|key| key.into_secret_key(password)).map(Self).map_err(|error| failed(error.to_string()))
    }

    /// The signature of what `content` has now, for the file that it becomes; and where it belongs.
    ///
    /// # Errors
    /// One line.
    pub(super) fn sign(&self, content: &Path, becomes: &Path) -> Result<(PathBuf, String), String> {
        let failed = |error: String| format!("cannot sign {}: {error}", becomes.display());
        let file = File::open(content).map_err(|error| failed(error.to_string()))?;
        let name = becomes.file_name().unwrap_or_default().to_string_lossy();
        // minisign shows the comment on one line.
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let comment = format!("timestamp:{}\tfile:{name}\thashed", jiff::Timestamp::now().as_second());
        let signature =
            minisign::sign(None, &self.0, file, Some(&comment), None).map_err(|error| failed(error.to_string()))?;
        let mut path = becomes.as_os_str().to_owned();
        path.push(".minisig");
        Ok((path.into(), signature.into_string()))
    }
}
