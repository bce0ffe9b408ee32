//! Applies times, permissions, owner and extended attributes, creates links, and reads back what the sink kept of them.
//!
//! A file system may accept a time or permission and keep another one: a time out of its range, a mode where it
//! has none. That is reported once and recorded ([`Kept`]). The content is not sent again because of it.

use std::sync::Arc;

use towpath_backend::{Attributes, Error, ErrorKind, Kind, Metadata, Owner, RelPath, Result, Times, Timestamp, Xattr};

use crate::journal::{Kept, Sent};
use crate::session::Session;
use crate::xattrs::XattrDigest;

/// What was applied, what the sink kept, and an error for each attribute that it did not accept or keep.
#[derive(Debug, Default)]
pub(crate) struct ReadBack {
    pub(crate) sent: Sent,
    pub(crate) kept: Kept,
    pub(crate) not_accepted: Vec<Arc<Error>>,
}

impl ReadBack {
    /// What the sink kept, with nothing else.
    fn kept(kept: Kept) -> Self {
        Self { kept, ..Self::default() }
    }

    /// Adds what was read back of other attributes.
    pub(crate) fn add(&mut self, other: Self) {
        self.sent = std::mem::take(&mut self.sent).or(other.sent);
        self.kept = std::mem::take(&mut self.kept).or(other.kept);
        self.not_accepted.extend(other.not_accepted);
    }
}

/// Checks the mtime that the sink has `found` at `path`, whose times were set before.
///
/// # Errors
/// A temporary error if the mtime differs each time: somebody else writes to the file.
pub(crate) async fn check_mtime(
    session: &Session,
    path: &RelPath,
    times: &Times,
    found: Timestamp,
) -> Result<ReadBack> {
    if session.is_same_mtime(found, times.modified) {
        return Ok(ReadBack::kept(rounded(found, times.modified)));
    }
    // Retry once: somebody may have written between setting it and reading it.
    session.sink.set_times(path, times).await?;
    let again = session.sink.metadata(path).await?.modified;
    if session.is_same_mtime(again, times.modified) {
        return Ok(ReadBack::kept(rounded(again, times.modified)));
    }
    let cause = format!("the destination keeps {} instead of {}", readable(again), readable(times.modified));
    if again != found {
        let error = Error::new(ErrorKind::Other, "set mtime", path, format!("{cause}, and kept another one before"));
        return Err(error.with_temporary(true));
    }
    let error = Error::new(ErrorKind::Unsupported, "set mtime", path, cause);
    let kept = Kept { modified: Some(again), ..Kept::default() };
    Ok(ReadBack { not_accepted: vec![Arc::new(error)], ..ReadBack::kept(kept) })
}

/// What is recorded of a time that the sink rounded. The database compares times beyond 64 bits of nanoseconds with the
/// precision of floating point, which is coarser than most roundings.
fn rounded(found: Timestamp, given: Timestamp) -> Kept {
    let is_far = i64::try_from(given.total_ns()).is_err();
    Kept { modified: Some(found).filter(|found| is_far && *found != given), ..Kept::default() }
}

/// Sets the times of a link or directory and reads them back. On a storage where links or directories have no times,
/// nothing is kept, and that is no error.
pub(crate) async fn set_times(session: &Session, path: &RelPath, times: &Times) -> Result<ReadBack> {
    match session.sink.set_times(path, times).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(ReadBack::default()),
        Err(error) => Err(error),
        Ok(()) => {
            let found = session.sink.metadata(path).await?.modified;
            check_mtime(session, path, times, found).await
        }
    }
}

/// Applies attributes and reads back permissions, owner and extended attributes.
pub(crate) async fn apply(session: &Session, path: &RelPath, attributes: &Attributes) -> Result<ReadBack> {
    if attributes.is_empty() {
        return Ok(ReadBack::default());
    }
    let rejected = session.sink.set_attributes(path, attributes).await?;
    let mut not_accepted: Vec<_> = rejected.into_iter().map(Arc::new).collect();
    let reports = not_accepted.is_empty();
    let mut read_back = ReadBack::default();
    if attributes.permissions.is_some() || attributes.owner.is_some() {
        let found = session.sink.metadata(path).await?;
        read_back.kept = difference(attributes, &found);
        if reports {
            let kept = &read_back.kept;
            not_accepted.extend(
                kept.permissions.map(|kept| permissions_not_kept(path, attributes, kept, &found)).map(Arc::new),
            );
            not_accepted.extend(
                kept.owner.zip(attributes.owner).map(|(kept, given)| owner_not_kept(path, kept, given)).map(Arc::new),
            );
        }
    }
    // Only with the others removed are they all that the file is to have.
    if attributes.removes_others {
        let wanted = XattrDigest::of(&attributes.xattrs);
        read_back.sent.xattrs = Some(wanted);
        match session.sink.xattrs(path).await {
            Ok(found) => {
                read_back.kept.xattrs = Some(XattrDigest::of(&found)).filter(|found| *found != wanted);
                if reports {
                    not_accepted.extend(xattrs_not_kept(path, &attributes.xattrs, &found).map(Arc::new));
                }
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            // They were set. Each scan finds that it cannot read them.
            Err(error) => not_accepted.push(Arc::new(error)),
        }
    }
    Ok(ReadBack { not_accepted, ..read_back })
}

/// Reads back the target of the link at `path`; returns what the sink has, if that is not `target`.
pub(crate) async fn other_target(session: &Session, path: &RelPath, target: &[u8]) -> Result<Option<Vec<u8>>> {
    match session.sink.read_link(path).await {
        Ok(found) => Ok(Some(found).filter(|found| found != target)),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is recorded of a link with this target, where the sink has `kept` instead.
pub(crate) fn link_read_back(path: &RelPath, target: &[u8], kept: Option<Vec<u8>>) -> ReadBack {
    let sent = Sent { target: Some(target.to_vec()), ..Sent::default() };
    let not_accepted = kept.as_deref().map(|kept| {
        let cause = format!(
            "the destination keeps the target {:?} instead of {:?}",
            String::from_utf8_lossy(kept),
            String::from_utf8_lossy(target)
        );
        Arc::new(Error::new(ErrorKind::Unsupported, "create link", path, cause))
    });
    let kept = Kept { target: kept, ..Kept::default() };
    ReadBack { sent, kept, not_accepted: not_accepted.into_iter().collect() }
}

/// How the attributes found differ from those given. Attributes that the storage does not show count as equal.
fn difference(attributes: &Attributes, found: &Metadata) -> Kept {
    let wanted = attributes.permissions_for(found.owner).filter(|_| found.kind != Kind::Symlink);
    Kept {
        permissions: found.permissions.filter(|kept| wanted.is_some_and(|wanted| wanted != *kept)),
        owner: found.owner.filter(|kept| attributes.owner.is_some_and(|wanted| wanted != *kept)),
        ..Kept::default()
    }
}

fn permissions_not_kept(path: &RelPath, attributes: &Attributes, kept: u32, found: &Metadata) -> Error {
    let wanted = attributes.permissions_for(found.owner).unwrap_or_default();
    let cause = format!("the destination keeps {kept:04o} instead of {wanted:04o}");
    Error::new(ErrorKind::Unsupported, "set permissions", path, cause)
}

fn owner_not_kept(path: &RelPath, kept: Owner, given: Owner) -> Error {
    let cause = format!(
        "the destination keeps user {} and group {} instead of {} and {}",
        kept.user, kept.group, given.user, given.group
    );
    Error::new(ErrorKind::Unsupported, "set owner", path, cause)
}

/// An error for each attribute that was set and is not there. Others that the sink has beside them are its own.
fn xattrs_not_kept(path: &RelPath, given: &[Xattr], found: &[Xattr]) -> impl Iterator<Item = Error> {
    given.iter().filter(|xattr| !found.contains(xattr)).map(|xattr| {
        let cause = match found.iter().any(|found| found.name == xattr.name) {
            true => "the destination keeps another value",
            false => "the destination does not keep it",
        };
        let named = format!("{}: {cause}", String::from_utf8_lossy(&xattr.name));
        Error::new(ErrorKind::Unsupported, "set attribute", path, named)
    })
}

/// A time as RFC 3339 writes it; beyond the year 9999 in seconds since 1970.
fn readable(time: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(time.total_ns())
        .map_or_else(|_| format!("{} s since 1970", time.seconds()), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_what_was_given_is_kept_instead() {
        let owner = |user, group| Owner { user, group };
        let given = Attributes { permissions: Some(0o640), owner: Some(owner(1, 2)), ..Attributes::default() };
        let found =
            |permissions, owner| Metadata { permissions, owner, ..Metadata::new(Kind::File, 0, Timestamp::default()) };
        assert!(difference(&given, &found(Some(0o640), Some(owner(1, 2)))).is_empty());
        assert!(difference(&given, &found(None, None)).is_empty(), "a storage that shows neither");
        let other = difference(&given, &found(Some(0o777), Some(owner(0, 2))));
        assert_eq!((other.permissions, other.owner), (Some(0o777), Some(owner(0, 2))));
        let setuid =
            Attributes { permissions: Some(0o4755), permissions_of: Some(owner(1, 2)), ..Attributes::default() };
        assert!(difference(&setuid, &found(Some(0o755), Some(owner(0, 2)))).is_empty(), "setuid is dropped on purpose");
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(readable(Timestamp::from_parts(-11_644_473_600, 0)), "1601-01-01T00:00:00Z");
        assert_eq!(readable(Timestamp::from_parts(i64::MAX, 0)), "9223372036854775807 s since 1970");
    }
}
