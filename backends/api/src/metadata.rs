//! What is known of a file, and the directory entries that carry it.

use std::fmt;

/// Nanoseconds since 1970-01-01 00:00 UTC; negative before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From seconds and the nanoseconds that follow them, as `stat` has them.
    /// Out of range (before 1677 or after 2262) it is the nearest that fits.
    pub fn from_parts(seconds: i64, nanoseconds: u32) -> Self {
        let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        Self(i64::try_from(total).unwrap_or(if seconds < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Whole seconds, rounded towards the past.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Nanoseconds after [`Self::seconds`], 0 to 999,999,999.
    pub fn subsec_nanoseconds(self) -> u32 {
        // rem_euclid of 10^9 always fits.
        u32::try_from(self.0.rem_euclid(1_000_000_000)).unwrap_or(0)
    }

    /// The distance between two times, in nanoseconds.
    pub fn distance_ns(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }
}

/// What kind of thing a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, never followed.
    Symlink,
    /// A FIFO, socket or device: never opened. Without [`Metadata::permissions`], or with a size, it is
    /// of an unknown type, and may have content.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::File => "file",
            Kind::Dir => "directory",
            Kind::Symlink => "symbolic link",
            Kind::Other => "special file (FIFO, socket or device)",
        })
    }
}

/// Which file it is, whatever its names: two names of one file (hard links)
/// have the same. Says nothing about files of another storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The file system, as its machine numbers it now; another number after a remount is no surprise.
    pub device: u64,
    /// The file in it.
    pub inode: u64,
}

/// Who owns a file, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
}

/// What a backend knows of one file, directory or link.
///
/// Made by [`Metadata::new`] and struct update, so that a backend names only what it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// File, directory, …
    pub kind: Kind,
    /// Length of the content.
    pub size_bytes: u64,
    /// mtime: last change of the content.
    pub modified: Timestamp,
    /// atime: last access.
    pub accessed: Option<Timestamp>,
    /// ctime: last change of content or attributes.
    pub changed: Option<Timestamp>,
    /// When the file came into being, where the storage tells.
    pub created: Option<Timestamp>,
    /// Permission bits (`0o7777`), recorded, and applied only on request.
    pub permissions: Option<u32>,
    /// Who owns it, where the storage tells.
    pub owner: Option<Owner>,
    /// Which file it is, where the storage tells.
    pub id: Option<FileId>,
    /// How many names the file has: more than 1 is a hard link.
    pub names: u64,
    /// Which mount it lies on, as its machine numbers mounts now, where there is such a thing: a
    /// directory may be mounted inside its own file system (a bind mount), where the device tells nothing.
    pub mount: Option<u64>,
}

impl Metadata {
    /// What every storage knows; nothing else is known.
    pub const fn new(kind: Kind, size_bytes: u64, modified: Timestamp) -> Self {
        Self {
            kind,
            size_bytes,
            modified,
            accessed: None,
            changed: None,
            created: None,
            permissions: None,
            owner: None,
            id: None,
            names: 1,
            mount: None,
        }
    }

    /// Whether it lies on another file system or mount than `root`, as far as the storage tells.
    ///
    /// ```
    /// use towpath_backend::{FileId, Kind, Metadata, Timestamp};
    ///
    /// let on = |device| Metadata {
    ///     id: Some(FileId { device, inode: 2 }),
    ///     ..Metadata::new(Kind::Dir, 0, Timestamp(0))
    /// };
    /// assert!(on(8).is_mounted_elsewhere_than(&on(7)));
    /// assert!(!on(7).is_mounted_elsewhere_than(&on(7)));
    /// ```
    pub fn is_mounted_elsewhere_than(&self, root: &Metadata) -> bool {
        let differ = |one: Option<u64>, other: Option<u64>| one.zip(other).is_some_and(|(one, other)| one != other);
        let on_other_mount = differ(self.mount, root.mount);
        // A union of file systems shows files on devices of their own, but directories on one.
        let is_counted = self.kind == Kind::Dir || self.mount.is_none();
        on_other_mount || (is_counted && differ(self.id.map(|id| id.device), root.id.map(|id| id.device)))
    }

    /// The times a sink can set.
    pub fn times(&self) -> Times {
        Times { modified: self.modified, accessed: self.accessed }
    }
}

/// The times a sink sets on what it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// mtime.
    pub modified: Timestamp,
    /// atime; left alone where unknown.
    pub accessed: Option<Timestamp>,
}

/// What a file carries beside content and times, and a sink applies on request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits (`0o7777`).
    pub permissions: Option<u32>,
    /// Who owns the file that the permissions come from, where its storage tells; see
    /// [`Self::permissions_for`]. `None`: as `owner`.
    pub permissions_of: Option<Owner>,
    /// User and group.
    pub owner: Option<Owner>,
    /// Extended attributes, ACLs among them.
    pub xattrs: Vec<Xattr>,
    /// Whether users' attributes and ACLs that are not among these go: what the
    /// source's file does not grant, a file that is written over must not either.
    pub removes_others: bool,
}

impl Attributes {
    /// Whether there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.permissions.is_none() && self.owner.is_none() && self.xattrs.is_empty() && !self.removes_others
    }

    /// The permissions for a file that belongs to `owner` at the sink. setuid and setgid run a
    /// program as its user or group: they are missing where that is not the source's, so that
    /// nobody's program becomes another user's, such as root's.
    pub fn permissions_for(&self, owner: Option<Owner>) -> Option<u32> {
        const SETUID: u32 = 0o4000;
        const SETGID: u32 = 0o2000;
        let source = self.permissions_of.or(self.owner);
        let differs = |id: fn(Owner) -> u32| source.map(id) != owner.map(id);
        let setuid = if differs(|owner| owner.user) { SETUID } else { 0 };
        let setgid = if differs(|owner| owner.group) { SETGID } else { 0 };
        self.permissions.map(|permissions| permissions & !(setuid | setgid))
    }
}

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xattr {
    /// Its name with its namespace, such as `user.origin`.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name: one path component, any bytes but `/` and NUL.
    pub name: Vec<u8>,
    /// What it is.
    pub metadata: Metadata,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn timestamps_split_and_join(ns in any::<i64>()) {
            let time = Timestamp(ns);
            prop_assert_eq!(Timestamp::from_parts(time.seconds(), time.subsec_nanoseconds()), time);
        }
    }

    #[test]
    fn setuid_and_setgid_stay_with_their_user_and_group() {
        let source = Owner { user: 1, group: 2 };
        let attributes =
            Attributes { permissions: Some(0o6755), permissions_of: Some(source), ..Attributes::default() };
        for (sink, permissions) in [
            (Some(source), 0o6755),
            (Some(Owner { user: 0, ..source }), 0o2755),
            (Some(Owner { group: 0, ..source }), 0o4755),
            (Some(Owner { user: 0, group: 0 }), 0o755),
            (None, 0o755),
        ] {
            assert_eq!(attributes.permissions_for(sink), Some(permissions), "{sink:?}");
        }
        let unknown = Attributes { permissions_of: None, ..attributes.clone() };
        assert_eq!(unknown.permissions_for(Some(source)), Some(0o755));
        let given = Attributes { owner: Some(source), ..unknown };
        assert_eq!(given.permissions_for(Some(source)), Some(0o6755));
        assert_eq!(Attributes::default().permissions_for(Some(source)), None);
    }

    #[test]
    fn times_out_of_range_are_the_nearest_that_fit() {
        assert_eq!(Timestamp::from_parts(i64::MAX, 0), Timestamp(i64::MAX));
        assert_eq!(Timestamp::from_parts(i64::MIN, 0), Timestamp(i64::MIN));
    }
}
