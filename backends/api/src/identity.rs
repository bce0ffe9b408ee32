//! The identity of a tree.

use std::fmt;
use std::hash::{Hash, Hasher};

/// Which tree this is: equal if and only if it is the same root of the same storage.
///
/// An unmounted share shows an empty folder of another file system: its identity differs, so that nothing is concluded
/// from the folder being empty.
///
/// ```
/// use towpath_backend::Identity;
///
/// let now = Identity::new("xfs inode 128").formerly("58465342 700 inode 128");
/// assert!(now.is_recorded_as("58465342 700 inode 128"));
/// assert_eq!(now, Identity::new("xfs inode 128"));
/// ```
#[derive(Clone, Debug)]
pub struct Identity {
    text: String,
    former: Option<String>,
}

impl Identity {
    /// An identity from a text that stays the same across restarts and mounts.
    ///
    /// `STORAGE inode N…` and `STORAGE path /P` are directories of a storage that has a name, such as a share; any
    /// other text is shown to users as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), former: None }
    }

    /// The same identity, which an earlier version of the backend recorded as `text`.
    #[must_use]
    pub fn formerly(mut self, text: impl Into<String>) -> Self {
        self.former = Some(text.into());
        self
    }

    /// The text, to be stored and compared later.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text that an earlier version recorded, if it differs.
    pub fn former(&self) -> Option<&str> {
        self.former.as_deref()
    }

    /// Whether a stored text, possibly of an earlier version, identifies this tree.
    pub fn is_recorded_as(&self, text: &str) -> bool {
        text == self.text || self.former.as_deref() == Some(text)
    }

    /// How this tree differs from the one with the identity `then`. The texts contain no numbers of devices and inodes:
    /// `it was nfs4 server:/a / and is on a local disk`.
    pub fn difference_from(&self, then: &str) -> TreeDifference {
        // What an earlier version recorded is compared with what it would record now.
        let now = self.former.as_deref().filter(|former| storage(former) == storage(then)).unwrap_or(&self.text);
        let (then, now) = (storage(then), storage(now));
        let (name_then, name_now) = (name(then), name(now));
        if then == now {
            TreeDifference::OtherDirectory { storage: name_now }
        } else if name_then == name_now {
            TreeDifference::OtherFileSystem
        } else {
            TreeDifference::OtherStorage { then: name_then, now: name_now }
        }
    }
}

/// How a tree differs from one that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TreeDifference {
    /// It is another directory of the same storage.
    OtherDirectory {
        /// The name of the storage, such as a share's; `None` for a local file system.
        storage: Option<String>,
    },
    /// It is on another storage.
    OtherStorage {
        /// The name of the storage that was recorded; `None` for a local disk.
        then: Option<String>,
        /// The name of the storage that it is on; `None` for a local disk.
        now: Option<String>,
    },
    /// It is on another file system without a name, or with the same name.
    OtherFileSystem,
}

impl fmt::Display for TreeDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |storage: &Option<String>, local: &str| storage.as_deref().unwrap_or(local).to_owned();
        match self {
            Self::OtherDirectory { storage } => write!(
                f,
                "it is another directory of {}: the one that was scanned was removed, moved or replaced",
                name(storage, "the same file system")
            ),
            Self::OtherStorage { then, now } => {
                write!(f, "it was {} and is {}", name(then, "on a local disk"), name(now, "on a local disk"))
            }
            Self::OtherFileSystem => f.write_str("it is on another file system"),
        }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The storage in an identity: the part before the directory.
fn storage(text: &str) -> &str {
    [" inode ", " path /"].iter().find_map(|word| text.split_once(word)).map_or(text, |(storage, _)| storage)
}

/// The name of a storage, without the numbers of file systems; `None` if it has only these.
fn name(storage: &str) -> Option<String> {
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_numbers_alone = storage.split(' ').all(|word| is_number(&word));
    // The number of a file system is its UUID, in 16 digits.
    let words: Vec<_> = storage.split(' ').filter(|word| word.len() < 16 || !is_number(word)).collect();
    (!has_numbers_alone).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_described_in_words() {
        let described = |then: &str, now: &str| Identity::new(now).difference_from(then).to_string();
        let (share, other) = ("nfs4 server:/a / inode 12", "cifs //server/b / path /sub");
        let (disk, other_disk) = ("ef53 1a2b inode 12 born 17.000000003", "1021994 ff inode 1");
        assert_eq!(described(share, other), "it was nfs4 server:/a / and is cifs //server/b /");
        assert_eq!(described(share, disk), "it was nfs4 server:/a / and is on a local disk");
        assert_eq!(described(disk, share), "it was on a local disk and is nfs4 server:/a /");
        assert_eq!(described(disk, other_disk), "it is on another file system");
        let again = described(disk, "ef53 1a2b inode 12 born 18.000000003");
        assert!(again.starts_with("it is another directory of the same file system"), "{again}");
        assert!(
            described(share, "nfs4 server:/a / inode 13").starts_with("it is another directory of nfs4 server:/a /")
        );
        assert_eq!(described("s3://b at x", "s3://b at y"), "it was s3://b at x and is s3://b at y");
        for text in [described(disk, other_disk), again] {
            assert!(!text.contains(|c: char| c.is_ascii_digit()), "{text}");
        }
    }

    #[test]
    fn a_difference_shows_no_numbers_of_file_systems() {
        let described = |then: &str, now: &str| Identity::new(now).difference_from(then).to_string();
        let ext = "ext 0000000000000abc inode 2 created 17.000000003";
        assert_eq!(described(ext, "xfs inode 128 created 1.000000002"), "it was ext and is xfs");
        assert_eq!(described(ext, "ext 0000000000000abd inode 2"), "it is on another file system");
        let now = Identity::new(ext).formerly("ef53 abc inode 2 born 17.000000003");
        assert!(
            now.difference_from("ef53 abc inode 3")
                .to_string()
                .starts_with("it is another directory of the same file system")
        );
    }
}
