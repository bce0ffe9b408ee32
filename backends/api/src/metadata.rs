//! The metadata of files, and directory entries.

use std::fmt;

/// A point in time: seconds since 1970-01-01 00:00 UTC, negative before, and the nanoseconds that follow.
///
/// File systems hold times that 64-bit nanoseconds cannot represent (before 1677 or after 2262), so both parts are
/// kept.
///
/// ```
/// use towpath_backend::Timestamp;
///
/// let half_a_second_before_1970 = Timestamp::from_parts(-1, 500_000_000);
/// assert_eq!(half_a_second_before_1970, Timestamp::from_ns(-500_000_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

const NS_PER_S: u32 = 1_000_000_000;

impl Timestamp {
    /// From seconds and the nanoseconds that follow them, as `stat` returns them. Nanoseconds of a second or more are
    /// carried over, saturating at the last second.
    pub const fn from_parts(seconds: i64, nanoseconds: u32) -> Self {
        Self { seconds: seconds.saturating_add((nanoseconds / NS_PER_S) as i64), nanoseconds: nanoseconds % NS_PER_S }
    }

    /// From nanoseconds since 1970.
    pub const fn from_ns(ns: i64) -> Self {
        let per_s = NS_PER_S as i64;
        // The remainder is below 10^9.
        Self { seconds: ns.div_euclid(per_s), nanoseconds: ns.rem_euclid(per_s) as u32 }
    }

    /// From nanoseconds since 1970; `None` if the seconds exceed 64 bits.
    pub fn from_total_ns(ns: i128) -> Option<Self> {
        let per_s = i128::from(NS_PER_S);
        let seconds = i64::try_from(ns.div_euclid(per_s)).ok()?;
        let nanoseconds = u32::try_from(ns.rem_euclid(per_s)).ok()?;
        Some(Self { seconds, nanoseconds })
    }

    /// Nanoseconds since 1970.
    pub fn total_ns(self) -> i128 {
        i128::from(self.seconds) * i128::from(NS_PER_S) + i128::from(self.nanoseconds)
    }

    /// Whole seconds, rounded towards the past.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after [`Self::seconds`], 0 to 999,999,999.
    pub const fn subsec_nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// The distance between two times, in nanoseconds; `u64::MAX` from 584 years on.
    pub fn distance_ns(self, other: Self) -> u64 {
        u64::try_from(self.total_ns().abs_diff(other.total_ns())).unwrap_or(u64::MAX)
    }
}

/// The type of an entry.
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

/// Identifies a file regardless of its name: two names of one file (hard links) have the same id. Ids of different
/// storages cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The device number of the file system, which may change with a remount.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
}

/// The owner of a file, as numeric ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
}

/// What a backend knows about a file, directory or link.
///
/// Built from [`Metadata::new`] with struct update syntax, so that a backend sets only what it knows.
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
    /// btime: when the file was created, if the storage reports it.
    pub created: Option<Timestamp>,
    /// Permission bits (`0o7777`), recorded, and applied only on request.
    pub permissions: Option<u32>,
    /// The owner, if the storage reports it.
    pub owner: Option<Owner>,
    /// The file's identity, if the storage reports it.
    pub id: Option<FileId>,
    /// How many names the file has: more than 1 is a hard link.
    pub names: u64,
    /// The mount it lies on, by the machine's current number for it, where mounts exist: a directory may be mounted
    /// inside its own file system (a bind mount), with the same device number.
    pub mount: Option<u64>,
    /// The bytes that its content takes on the storage, if the storage reports it: less than the size if the file has
    /// holes or is compressed.
    pub allocated_bytes: Option<u64>,
}

impl Metadata {
    /// With what every storage reports, and nothing else.
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
            allocated_bytes: None,
        }
    }

    /// Whether it lies on another file system or mount than `root`, as far as the storage reports it.
    ///
    /// ```
    /// use towpath_backend::{FileId, Kind, Metadata, Timestamp};
    ///
    /// let on = |device| Metadata {
    ///     id: Some(FileId { device, inode: 2 }),
    ///     ..Metadata::new(Kind::Dir, 0, Timestamp::from_ns(0))
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
    /// atime; left unchanged if unknown.
    pub accessed: Option<Timestamp>,
}

/// What a file has besides content and times; a sink applies it on request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits (`0o7777`).
    pub permissions: Option<u32>,
    /// The owner of the file that the permissions come from, if its storage reports it; see [`Self::permissions_for`].
    /// `None`: the same as `owner`.
    pub permissions_of: Option<Owner>,
    /// User and group.
    pub owner: Option<Owner>,
    /// Extended attributes, ACLs among them.
    pub xattrs: Vec<Xattr>,
    /// Whether users' attributes and ACLs that are not among these are removed: an overwritten file must not grant what
    /// the source's file does not.
    pub removes_others: bool,
}

impl Attributes {
    /// Whether there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.permissions.is_none() && self.owner.is_none() && self.xattrs.is_empty() && !self.removes_others
    }

    /// The permissions for a file that belongs to `owner` at the sink. setuid and setgid run a program as its user or
    /// group: they are dropped if that differs from the source's, so that a program never comes to run as another user,
    /// such as root.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn timestamps_split_and_join(ns in any::<i64>()) {
            let time = Timestamp::from_ns(ns);
            prop_assert_eq!(time.total_ns(), i128::from(ns));
            prop_assert_eq!(Timestamp::from_parts(time.seconds(), time.subsec_nanoseconds()), time);
        }

        #[test]
        fn timestamps_are_ordered_and_apart_as_their_nanoseconds(
            a in any::<(i64, u32)>(),
            b in any::<(i64, u32)>(),
        ) {
            let of = |(seconds, ns)| Timestamp::from_parts(seconds, ns % NS_PER_S);
            let (a, b) = (of(a), of(b));
            prop_assert_eq!(Timestamp::from_total_ns(a.total_ns()), Some(a));
            prop_assert_eq!(a.cmp(&b), a.total_ns().cmp(&b.total_ns()));
            prop_assert_eq!(a.distance_ns(b), b.distance_ns(a));
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
    fn times_beyond_64_bits_of_nanoseconds_are_exact() {
        for seconds in [-11_644_473_600, 10_413_792_000, i64::MIN, i64::MAX] {
            assert_eq!(Timestamp::from_parts(seconds, 5).seconds(), seconds);
        }
        assert_eq!(Timestamp::from_total_ns(i128::MAX), None);
        assert_eq!(Timestamp::from_parts(1, 2_000_000_003), Timestamp::from_parts(3, 3));
    }
}
