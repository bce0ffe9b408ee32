//! Which names OpenDAL carries unchanged, and the keys that paths become.

use towpath_backend::{ByteSet, Error, ErrorKind, NameRules, RelPath, Result};

/// Control characters: a listing in XML cannot show them.
const CONTROLS: ByteSet = ByteSet::of(&{
    let mut bytes = [0x7f; 32];
    let mut at = 0;
    while at < 31 {
        bytes[at] = at as u8 + 1;
        at += 1;
    }
    bytes
});

/// Keys are UTF-8.
pub(crate) const RULES: NameRules =
    NameRules { utf8_only: true, refuses_outer_space: true, refused: CONTROLS, ..NameRules::BYTES };

/// The key of a file.
///
/// # Errors
/// If OpenDAL would take it for another one: it trims white space at both ends of a key.
pub(crate) fn file(operation: &'static str, path: &RelPath) -> Result<String> {
    let refuse = |cause: &str| Err(Error::new(ErrorKind::InvalidName, operation, path, cause));
    match std::str::from_utf8(path.as_bytes()) {
        Err(_) => refuse("names must be UTF-8 in this storage"),
        Ok(key) if key.trim() != key => refuse("white space at either end of a key would be lost"),
        Ok(key) => Ok(key.to_owned()),
    }
}

/// The key of a directory: with a slash at its end, which the root is alone.
///
/// # Errors
/// As [`file`].
pub(crate) fn directory(operation: &'static str, path: &RelPath) -> Result<String> {
    file(operation, path).map(|key| key + "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_paths_that_stay_what_they_are() {
        let path = |bytes: &[u8]| RelPath::new(bytes).unwrap();
        assert_eq!(file("open", &path(b"a b/c d")).unwrap(), "a b/c d");
        assert_eq!(directory("list", &path(b"a ")).err().map(|error| error.kind()), Some(ErrorKind::InvalidName));
        assert_eq!(directory("list", &RelPath::root()).unwrap(), "/");
        for odd in [&b" a"[..], b"a ", b"a/b\n", b"\xff", "\u{3000}a".as_bytes()] {
            assert_eq!(file("open", &path(odd)).unwrap_err().kind(), ErrorKind::InvalidName, "{odd:?}");
        }
        assert!(RULES.problem(b"a\x01b").is_some() && RULES.problem(b"a\x7f").is_some());
        assert!(RULES.problem("a b\u{e9}".as_bytes()).is_none());
    }
}
