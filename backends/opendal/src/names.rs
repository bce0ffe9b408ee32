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

/// What every service of them can hold.
const RULES: NameRules =
    NameRules { utf8_only: true, rejects_outer_space: true, rejected: CONTROLS, ..NameRules::BYTES };

/// The longest name of a file in a folder, on about every server.
const FOLDER_NAME_BYTES: usize = 255;

/// What a service does with names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    /// Other bytes that it rejects.
    pub(crate) rejected: ByteSet,
    /// Whether names are those of files in folders, and so long at most.
    pub(crate) in_folders: bool,
}

impl Keys {
    pub(crate) fn rules(self) -> NameRules {
        NameRules { rejected: RULES.rejected.union(self.rejected), ..RULES }
    }

    /// The key of a file.
    ///
    /// # Errors
    /// If it cannot be held, or OpenDAL would take it for another one: it trims white space
    /// at both ends of a key.
    pub(crate) fn file(self, operation: &'static str, path: &RelPath) -> Result<String> {
        let reject = |cause: String| Err(Error::new(ErrorKind::InvalidName, operation, path, cause));
        let rules = self.rules();
        for name in path.components() {
            if let Some(problem) = rules.problem(name) {
                return reject(problem);
            }
            if self.in_folders && name.len() > FOLDER_NAME_BYTES {
                return reject(format!("a name has {FOLDER_NAME_BYTES} bytes at most on such a server"));
            }
        }
        match std::str::from_utf8(path.as_bytes()) {
            Ok(key) => Ok(key.to_owned()),
            Err(_) => reject("names must be UTF-8 in this storage".to_owned()),
        }
    }

    /// The key of a directory: with a slash at its end, which the root is alone.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub(crate) fn directory(self, operation: &'static str, path: &RelPath) -> Result<String> {
        self.file(operation, path).map(|key| key + "/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: Keys = Keys { rejected: ByteSet::of(b"\\"), in_folders: false };

    #[test]
    fn keys_are_paths_that_stay_what_they_are() {
        let path = |bytes: &[u8]| RelPath::new(bytes).unwrap();
        assert_eq!(STORE.file("open", &path(b"a b/c d")).unwrap(), "a b/c d");
        assert_eq!(STORE.directory("list", &path(b"a")).unwrap(), "a/");
        assert_eq!(STORE.directory("list", &RelPath::root()).unwrap(), "/");
        for name in [&b" a"[..], b"a ", b"a /b", b"a/b\n", b"a\tb", b"\xff", b"a\\b", "\u{3000}a".as_bytes()] {
            assert_eq!(STORE.file("open", &path(name)).unwrap_err().kind(), ErrorKind::InvalidName, "{name:?}");
        }
        let long = path("n".repeat(256).as_bytes());
        assert!(STORE.file("open", &long).is_ok());
        assert!(Keys { in_folders: true, ..STORE }.file("open", &long).is_err());
        assert!(STORE.rules().problem(b"a\x01b").is_some() && STORE.rules().problem(b"a\\b").is_some());
        assert!(STORE.rules().problem("a b\u{e9}".as_bytes()).is_none());
    }
}
