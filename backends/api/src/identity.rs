//! Which tree is which.

use std::fmt;

/// Which tree this is: equal if and only if it is the same root of the same storage.
///
/// An unmounted share shows an empty folder of another filesystem: its identity
/// differs, and nothing is concluded from its emptiness.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(String);

impl Identity {
    /// An identity from a text that stays the same across restarts and mounts.
    ///
    /// `STORAGE inode N…` is a directory of a storage that has a name, such as a share's; all else
    /// is shown to people as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, to be kept and compared later.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How this tree differs from the one with the identity `then`, in words and without numbers
    /// of devices and inodes: `it was nfs4 server:/a / and is on a local disk`.
    pub fn difference_from(&self, then: &str) -> String {
        let (then, now) = (storage(then), storage(&self.0));
        let gone = "the one that was scanned was removed, moved or replaced";
        match (then == now, name(then), name(now)) {
            (true, Some(name), _) => format!("it is another directory of {name}: {gone}"),
            (true, None, _) => format!("it is another directory of the same file system: {gone}"),
            (false, Some(then), Some(now)) => format!("it was {then} and is {now}"),
            (false, Some(then), None) => format!("it was {then} and is on a local disk"),
            (false, None, Some(now)) => format!("it was on a local disk and is {now}"),
            (false, None, None) => "it is on another file system".to_owned(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an identity says before the numbers of a directory.
fn storage(text: &str) -> &str {
    text.split_once(" inode ").map_or(text, |(storage, _)| storage)
}

/// The name of a storage; `None` if it has only numbers.
fn name(storage: &str) -> Option<&str> {
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!storage.split(' ').all(is_number)).then_some(storage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_in_words() {
        let told = |then: &str, now: &str| Identity::new(now).difference_from(then);
        let (share, other) = ("nfs4 server:/a / inode 12", "cifs //server/b / inode 2");
        let (disk, other_disk) = ("ef53 1a2b inode 12 born 17.000000003", "1021994 ff inode 1");
        assert_eq!(told(share, other), "it was nfs4 server:/a / and is cifs //server/b /");
        assert_eq!(told(share, disk), "it was nfs4 server:/a / and is on a local disk");
        assert_eq!(told(disk, share), "it was on a local disk and is nfs4 server:/a /");
        assert_eq!(told(disk, other_disk), "it is on another file system");
        let again = told(disk, "ef53 1a2b inode 12 born 18.000000003");
        assert!(again.starts_with("it is another directory of the same file system"), "{again}");
        assert!(told(share, "nfs4 server:/a / inode 13").starts_with("it is another directory of nfs4 server:/a /"));
        assert_eq!(told("s3://b at x", "s3://b at y"), "it was s3://b at x and is s3://b at y");
        for text in [told(disk, other_disk), again] {
            assert!(!text.contains(|c: char| c.is_ascii_digit()), "{text}");
        }
    }
}
