//! `host:/path`, the notation of rsync and scp for a tree on another machine.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use towpath_backend::registry::Location;

/// Whether this build opens `sftp://`.
const HAS_SFTP: bool = cfg!(feature = "sftp");

/// Explains a location that names another machine in rsync's notation, unless a local path has that name. Otherwise a
/// destination would be created: a local directory named `host:`.
pub(crate) fn explain(location: &Location) -> Option<String> {
    let Location::Path(path) = location else { return None };
    let text = std::str::from_utf8(path.as_os_str().as_bytes()).ok()?;
    let (host, there) = text.split_once(':')?;
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c));
    if !is_host || fs::symlink_metadata(path).is_ok() {
        return None;
    }
    let local = format!("(a local directory of this name is written ./{text})");
    // `C:\` or `host::module`.
    if host.len() == 1 && there.starts_with('\\') {
        return Some(format!(
            "{text} is a Windows path: mount the share, and give the path where it is mounted {local}"
        ));
    }
    if there.starts_with(':') {
        return Some(format!(
            "{text} names a module of an rsync server, which is not supported: mount what it serves, and give the path \
             where it is mounted {local}"
        ));
    }
    let sftp = match (HAS_SFTP, there.strip_prefix('/')) {
        (false, _) => String::new(),
        (true, Some(below)) => format!(", or use sftp://{host}/{below}"),
        (true, None) => format!(", or use sftp://{host}/ and the full path on that machine"),
    };
    Some(format!(
        "{text} names another machine, as in rsync and scp: mount its tree and give the path where it is mounted{sftp} {local}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str) -> Option<String> {
        explain(&Location::parse(text.as_ref()).unwrap())
    }

    #[test]
    fn another_machine_is_explained() {
        for text in [
            "host:/path",
            "me@host.example.org:/path",
            "host:path",
            "host:",
            "host::module/x",
            "C:\\data",
            "10.0.0.1:/x",
        ] {
            let explanation = explained(text).unwrap_or_else(|| panic!("{text}"));
            assert!(explanation.contains("mount") && explanation.contains(&format!("./{text})")), "{explanation}");
        }
        assert_eq!(HAS_SFTP, explained("me@host:/a/b").is_some_and(|text| text.contains("sftp://me@host/a/b")));
        for text in ["/a:b", "./host:/path", "a/b:c", ":x", "ünï:x", "plain", "sftp://host/path"] {
            assert_eq!(explained(text), None, "{text}");
        }
    }

    #[test]
    fn a_local_path_of_that_name_is_a_path() {
        let name = format!("towpath-remote-{}:x", std::process::id());
        // Tests run in the folder of the package.
        fs::write(&name, "").unwrap();
        let explanation = explained(&name);
        fs::remove_file(&name).unwrap();
        assert_eq!(explanation, None);
        assert!(explained(&name).is_some());
    }
}
