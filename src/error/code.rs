//! The stable codes of failures: why an entry is not in sync. They are stored in the database and used by scripts, so a
//! code never changes its meaning. docs/errors.md has a table of this list.

use std::error::Error as _;
use std::io;

use rustix::io::Errno;
use towpath_backend::{Error as BackendError, ErrorKind};

use super::file::{FileError, UnreadableError};

/// What helps against a failure, once its cause is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// `towpath retry`.
    Retry,
    /// `towpath sync`, which scans.
    Scan,
    /// `towpath accept`, if the entry is to stay as it is.
    Accept,
}

/// Declares the codes: variant, name, meaning, advice, and what helps then.
macro_rules! codes {
    ($($variant:ident $name:literal $remedy:ident $meaning:literal $advice:literal)+) => {
        /// Why an entry is not in sync: a stable code. Errors of the operating system have the name of their number;
        /// all others have a word.
        ///
        /// ```
        /// use towpath::FailureCode;
        ///
        /// let code: FailureCode = "ENOSPC".parse()?;
        /// assert_eq!((code, code.name()), (FailureCode::Enospc, "ENOSPC"));
        /// # Ok::<(), towpath::UnknownCode>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum FailureCode {
            $(#[doc = $meaning] $variant,)+
        }

        impl FailureCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name, such as `EACCES` or `changed`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, as a phrase.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// What to do about it.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)+ }
            }

            /// Which command helps then.
            pub fn remedy(self) -> Remedy {
                match self { $(Self::$variant => Remedy::$remedy,)+ }
            }
        }
    };
}

codes! {
    Eacces "EACCES" Retry "access denied" "give the user that runs towpath the right to read it, or run as root"
    Eperm "EPERM" Retry "operation not permitted" "run as root; look for immutable files (lsattr) and limits of the share"
    Enoent "ENOENT" Scan "not found" "it was renamed or deleted meanwhile: scan again"
    Eio "EIO" Retry "input/output error" "check the disk, the server and the kernel's log (dmesg)"
    Enodata "ENODATA" Retry "the disk cannot read a sector" "check the disk (smartctl); restore the file from a backup"
    Ebadmsg "EBADMSG" Retry "damaged data of the file system" "check the file system (fsck, xfs_repair, scrub)"
    Euclean "EUCLEAN" Retry "damaged structures of the file system" "check the file system (fsck, xfs_repair)"
    Estale "ESTALE" Retry "stale file handle" "the server lost or replaced the export: check it, mount it again"
    Eremoteio "EREMOTEIO" Retry "input/output error at the server" "check the server"
    Enotconn "ENOTCONN" Retry "not connected" "the mount lost its server or process: mount it again"
    Etimedout "ETIMEDOUT" Retry "timed out" "check the server and the network"
    Econnrefused "ECONNREFUSED" Retry "connection refused" "check that the server runs"
    Econnreset "ECONNRESET" Retry "connection reset" "check the server and the network"
    Econnaborted "ECONNABORTED" Retry "connection aborted" "check the server and the network"
    Epipe "EPIPE" Retry "connection closed" "check the server and the network"
    Ehostdown "EHOSTDOWN" Retry "the host is down" "check the server"
    Ehostunreach "EHOSTUNREACH" Retry "the host cannot be reached" "check the network"
    Enetunreach "ENETUNREACH" Retry "the network cannot be reached" "check the network"
    Enetdown "ENETDOWN" Retry "the network is down" "check the network"
    Enxio "ENXIO" Retry "no such device or address" "check the disk and the mount"
    Enodev "ENODEV" Retry "no such device" "check the disk and the mount"
    Enospc "ENOSPC" Retry "no space left" "free some space at the destination, or enlarge it"
    Edquot "EDQUOT" Retry "disk quota exceeded" "raise the quota at the destination, or free some space"
    Erofs "EROFS" Retry "read-only file system" "remount the destination for writing; after an error, check it first"
    Efbig "EFBIG" Accept "too large for the destination's file system" "use another file system, or accept the exception"
    Enametoolong "ENAMETOOLONG" Scan "name or path too long for the destination" "shorten it at the source, or accept the exception"
    Eilseq "EILSEQ" Scan "the destination cannot hold the bytes of the name" "rename it at the source, or mount with another character set"
    Einval "EINVAL" Scan "invalid argument, often a name that the destination does not take" "rename it at the source, or accept the exception"
    Eopnotsupp "EOPNOTSUPP" Accept "not supported by the file system" "leave out the option that needs it, or accept the exception"
    Eexist "EEXIST" Retry "something has its name" "remove what is in its place at the destination"
    Enotdir "ENOTDIR" Scan "a component of the path is no directory" "it was replaced meanwhile: scan again"
    Eisdir "EISDIR" Retry "a directory has its name" "remove the directory at the destination, or use --delete-extras"
    Enotempty "ENOTEMPTY" Retry "a directory with content has its name" "remove the directory at the destination, or use --delete-extras"
    Eloop "ELOOP" Scan "the path leads through a symbolic link" "somebody replaced a directory by a link: check why, scan again"
    Exdev "EXDEV" Scan "the path leads to another file system" "check what is mounted there, scan again"
    Emlink "EMLINK" Accept "too many hard links" "the destination takes fewer links for one file: use --hard-links copy, or accept the exception"
    Ebusy "EBUSY" Retry "busy" "another program uses it: try again later"
    Etxtbsy "ETXTBSY" Retry "a running program" "end the program that runs from the destination"
    Eagain "EAGAIN" Retry "locked, or temporarily not available" "another program holds it: try again later"
    Enomem "ENOMEM" Retry "out of memory" "free some memory, or use fewer lanes"
    Emfile "EMFILE" Retry "too many open files" "raise the limit (ulimit -n)"
    Enfile "ENFILE" Retry "too many open files in the system" "raise fs.file-max"
    Enokey "ENOKEY" Retry "the key is missing" "unlock the encrypted directory, or renew the Kerberos ticket"
    Ekeyexpired "EKEYEXPIRED" Retry "the key has expired" "renew the Kerberos ticket"
    Ekeyrejected "EKEYREJECTED" Retry "the key was rejected" "renew the Kerberos ticket"
    NotFound "not-found" Scan "not found in the storage" "it was renamed or deleted meanwhile: scan again"
    PermissionDenied "permission-denied" Retry "the storage denied access" "give the account the right to it"
    AlreadyExists "already-exists" Retry "something has its name" "remove what is in its place at the destination"
    NotADirectory "not-a-directory" Scan "a component of the path is no directory" "it was replaced meanwhile: scan again"
    IsADirectory "is-a-directory" Retry "a directory has its name" "remove the directory at the destination, or use --delete-extras"
    NotEmpty "not-empty" Retry "a directory with content has its name" "remove the directory at the destination, or use --delete-extras"
    NoSpace "no-space" Retry "the storage or the quota is full" "free some space at the destination, or raise the quota"
    ReadOnly "read-only" Retry "the storage is read-only" "allow writing at the destination"
    InvalidName "invalid-name" Scan "the destination cannot hold the name" "rename it at the source, or accept the exception"
    NameCollision "name-collision" Scan "the destination does not distinguish its name from another one" "rename one of the two at the source, or accept the exception"
    TooLarge "too-large" Accept "larger than the storage allows" "use another storage, or accept the exception"
    LeadsOutside "leads-outside" Scan "the path leads through a symbolic link or out of the tree" "check who replaced it, scan again"
    Unsupported "unsupported" Accept "the storage cannot do this" "leave out the option that needs it, or accept the exception"
    Unavailable "unavailable" Retry "the storage was away" "check the server and the network"
    Credentials "credentials" Retry "the storage does not take the credentials" "renew them"
    Changed "changed" Retry "it changed while it was sent, in each attempt" "try again when nobody writes to it, or take a snapshot as the source"
    OtherFile "other-file" Scan "its other name became another file" "scan again"
    FoundAgain "found-again" Retry "it was briefly not found" "somebody replaces it: try again later"
    AbsenceUncertain "absence-uncertain" Scan "it was not found, and its directory could not be checked" "check the source, scan again"
    DirectoryInPlace "directory-in-place" Scan "a directory at the destination has its name" "remove the directory at the destination, or use --delete-extras"
    LinkedFileNotSent "linked-file-not-sent" Retry "the file that it is another name of failed" "find the file's own error in this list"
    LostWhileReplaced "lost-while-replaced" Scan "the source lost it while it was replaced" "restore it at the source, or delete it at the destination"
    UnreadableDirectory "unreadable-directory" Scan "a directory that could not be read: its content is unknown" "remove the cause that its text names, scan again"
    UnreadableEntry "unreadable-entry" Scan "a name that was listed and could not be read" "remove the cause that its text names, scan again"
    LostMount "lost-mount" Scan "the file system that was mounted here is not mounted" "mount it again; only if it is gone for good, run once with --accept-new-tree"
    Differs "differs" Scan "the copy is not what was recorded" "find out who changed it; delete it at the destination"
    MissingCopy "missing-copy" Scan "the copy is missing at the destination" "find out who deleted it"
    UnreadableCopy "unreadable-copy" Scan "the copy could not be read back" "check the destination; delete it there if it is damaged"
    Other "other" Retry "another error" "its text says what happened"
    Unknown "unknown" Retry "recorded by a version without codes" "its text says what happened"
}

/// The names of the system's errors, by number.
const ERRNOS: &[(Errno, FailureCode)] = &[
    (Errno::ACCESS, FailureCode::Eacces),
    (Errno::PERM, FailureCode::Eperm),
    (Errno::NOENT, FailureCode::Enoent),
    (Errno::IO, FailureCode::Eio),
    (Errno::NODATA, FailureCode::Enodata),
    (Errno::BADMSG, FailureCode::Ebadmsg),
    (Errno::UCLEAN, FailureCode::Euclean),
    (Errno::STALE, FailureCode::Estale),
    (Errno::REMOTEIO, FailureCode::Eremoteio),
    (Errno::NOTCONN, FailureCode::Enotconn),
    (Errno::TIMEDOUT, FailureCode::Etimedout),
    (Errno::CONNREFUSED, FailureCode::Econnrefused),
    (Errno::CONNRESET, FailureCode::Econnreset),
    (Errno::CONNABORTED, FailureCode::Econnaborted),
    (Errno::PIPE, FailureCode::Epipe),
    (Errno::HOSTDOWN, FailureCode::Ehostdown),
    (Errno::HOSTUNREACH, FailureCode::Ehostunreach),
    (Errno::NETUNREACH, FailureCode::Enetunreach),
    (Errno::NETDOWN, FailureCode::Enetdown),
    (Errno::NXIO, FailureCode::Enxio),
    (Errno::NODEV, FailureCode::Enodev),
    (Errno::NOSPC, FailureCode::Enospc),
    (Errno::DQUOT, FailureCode::Edquot),
    (Errno::ROFS, FailureCode::Erofs),
    (Errno::FBIG, FailureCode::Efbig),
    (Errno::NAMETOOLONG, FailureCode::Enametoolong),
    (Errno::ILSEQ, FailureCode::Eilseq),
    (Errno::INVAL, FailureCode::Einval),
    (Errno::OPNOTSUPP, FailureCode::Eopnotsupp),
    (Errno::EXIST, FailureCode::Eexist),
    (Errno::NOTDIR, FailureCode::Enotdir),
    (Errno::ISDIR, FailureCode::Eisdir),
    (Errno::NOTEMPTY, FailureCode::Enotempty),
    (Errno::LOOP, FailureCode::Eloop),
    (Errno::XDEV, FailureCode::Exdev),
    (Errno::MLINK, FailureCode::Emlink),
    (Errno::BUSY, FailureCode::Ebusy),
    (Errno::TXTBSY, FailureCode::Etxtbsy),
    (Errno::AGAIN, FailureCode::Eagain),
    (Errno::NOMEM, FailureCode::Enomem),
    (Errno::MFILE, FailureCode::Emfile),
    (Errno::NFILE, FailureCode::Enfile),
    (Errno::NOKEY, FailureCode::Enokey),
    (Errno::KEYEXPIRED, FailureCode::Ekeyexpired),
    (Errno::KEYREJECTED, FailureCode::Ekeyrejected),
];

/// A text that is the name of no [`FailureCode`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no code {0:?}: docs/errors.md lists them, such as EACCES, ENOSPC, changed or name-collision")]
pub struct UnknownCode(String);

impl std::str::FromStr for FailureCode {
    type Err = UnknownCode;

    /// The code with this name, in upper or lower case.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let found = Self::ALL.iter().copied().find(|code| code.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

impl FailureCode {
    /// The code of a backend's error: that of the system's error behind it, if there is one, else by its kind.
    pub fn of(error: &BackendError) -> Self {
        let errno = errno_behind(error).and_then(|errno| ERRNOS.iter().find(|(known, _)| *known == errno));
        errno.map_or_else(|| Self::of_kind(error.kind()), |(_, code)| *code)
    }

    fn of_kind(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::PermissionDenied => Self::PermissionDenied,
            ErrorKind::AlreadyExists => Self::AlreadyExists,
            ErrorKind::NotADirectory => Self::NotADirectory,
            ErrorKind::IsADirectory => Self::IsADirectory,
            ErrorKind::NotEmpty => Self::NotEmpty,
            ErrorKind::NoSpace => Self::NoSpace,
            ErrorKind::ReadOnly => Self::ReadOnly,
            ErrorKind::InvalidName => Self::InvalidName,
            ErrorKind::TooLarge => Self::TooLarge,
            ErrorKind::Escapes => Self::LeadsOutside,
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Credentials => Self::Credentials,
            _ => Self::Other,
        }
    }
}

/// The number of the system's error in the chain of causes.
fn errno_behind(error: &BackendError) -> Option<Errno> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(errno) = error.downcast_ref::<io::Error>().and_then(Errno::from_io_error) {
            return Some(errno);
        }
        cause = error.source();
    }
    None
}

impl FailureCode {
    /// The codes of what `towpath verify` finds of files that are in sync.
    pub const OF_COPIES: [Self; 3] = [Self::Differs, Self::MissingCopy, Self::UnreadableCopy];
}

impl FileError {
    /// Its stable code.
    pub fn code(&self) -> FailureCode {
        match self {
            Self::Tree { error, .. } | Self::NoHardLink(error) => FailureCode::of(error),
            Self::Changed => FailureCode::Changed,
            Self::OtherFile => FailureCode::OtherFile,
            Self::FoundAgain => FailureCode::FoundAgain,
            Self::AbsenceUncertain(_) => FailureCode::AbsenceUncertain,
            Self::DirInPlace => FailureCode::DirectoryInPlace,
            Self::LinkedFileNotSent => FailureCode::LinkedFileNotSent,
            // The row has a code of its own, by what the scan found.
            Self::Impossible { .. } => FailureCode::InvalidName,
            Self::GaveUp { cause, .. } | Self::CopyIncomplete { cause, .. } => cause.code(),
            Self::LostWhileReplaced => FailureCode::LostWhileReplaced,
        }
    }
}

impl UnreadableError {
    /// The code of its cause.
    pub fn code(&self) -> FailureCode {
        match self {
            Self::Tree(error) => FailureCode::of(error),
            Self::LostMount => FailureCode::LostMount,
            Self::InEarlierScan => FailureCode::UnreadableDirectory,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use towpath_backend::RelPath;

    use super::*;
    use crate::side::Side;

    fn of(errno: Errno) -> FailureCode {
        FailureCode::of(&BackendError::from_io("open", &RelPath::root(), errno.into()))
    }

    #[test]
    fn each_name_is_used_once_and_parses() {
        let names: HashSet<_> = FailureCode::ALL.iter().map(|code| code.name().to_lowercase()).collect();
        assert_eq!(names.len(), FailureCode::ALL.len());
        for code in FailureCode::ALL {
            assert_eq!(code.name().to_lowercase().parse(), Ok(*code));
        }
        assert!("EWHAT".parse::<FailureCode>().is_err());
    }

    #[test]
    fn errors_of_the_system_have_the_name_of_their_number() {
        for (errno, name) in [(Errno::ACCESS, "EACCES"), (Errno::NOSPC, "ENOSPC"), (Errno::STALE, "ESTALE")] {
            assert_eq!(of(errno).name(), name);
        }
        for (errno, code) in ERRNOS {
            assert_eq!(of(*errno), *code);
        }
        assert_eq!(of(Errno::DOM), FailureCode::Other);
    }

    #[test]
    fn an_error_of_the_system_is_found_behind_others() {
        let system = io::Error::from(Errno::DQUOT);
        let wrapped = io::Error::other(BackendError::from_io("write", &RelPath::root(), system));
        let error = BackendError::new(ErrorKind::NoSpace, "write", &RelPath::root(), wrapped);
        assert_eq!(FailureCode::of(&error), FailureCode::Edquot);
        let without = BackendError::new(ErrorKind::NoSpace, "write", &RelPath::root(), "507 Insufficient Storage");
        assert_eq!(FailureCode::of(&without), FailureCode::NoSpace);
    }

    #[test]
    fn the_code_is_that_of_the_cause() {
        let system = BackendError::from_io("open", &RelPath::root(), Errno::ACCESS.into());
        let tree = FileError::Tree { side: Side::Source, error: Arc::new(system) };
        let gave_up = FileError::GaveUp { cause: Box::new(tree), attempts: 3 };
        assert_eq!(gave_up.code(), FailureCode::Eacces);
        assert_eq!(FileError::Changed.code().name(), FileError::Changed.kind_name());
    }
}
