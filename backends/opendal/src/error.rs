//! Errors of OpenDAL as those of a backend.

mod cause;
mod status;

use std::io;

use opendal::ErrorKind as Theirs;
use towpath_backend::{Error, ErrorKind, RelPath};

use crate::http::{Answer, Class};
use cause::root;
pub(crate) use cause::{Cause, cause};
pub(crate) use status::http_status;

/// Errors of servers for a missing bucket: they do not mean that a file is absent.
const NO_BUCKET: [&str; 4] = ["NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "bucket does not exist"];

/// The error of `operation` on `path`.
pub(crate) fn of(operation: &'static str, path: &RelPath, error: &opendal::Error) -> Error {
    // Unavailable would be temporary by itself.
    Error::new(kind_of(error), operation, path, cause(error)).with_temporary(is_temporary(error))
}

/// Whether a later attempt may succeed.
pub(crate) fn is_temporary(error: &opendal::Error) -> bool {
    // WebDAV's client waits for locks and permissions, for ten seconds each.
    const PERMANENT: [u16; 5] = [401, 403, 404, 409, 423];
    match Answer::of_error(error) {
        Some(answer) => matches!(answer.class, Class::Throttled | Class::Expired | Class::UnknownKey),
        None => {
            has_no_credentials(error)
                || is_lost_connection(error)
                || error.is_temporary() && http_status(error).is_none_or(|status| !PERMANENT.contains(&status))
        }
    }
}

/// Whether it says that something is not there; a missing bucket is another error.
pub(crate) fn is_missing(error: &opendal::Error) -> bool {
    kind_of(error) == ErrorKind::NotFound
}

/// Whether there is nothing to sign requests with.
pub(crate) fn has_no_credentials(error: &opendal::Error) -> bool {
    Answer::of_error(error).is_none() && matches!(cause(error), Cause::NoCredentials)
}

fn kind_of(error: &opendal::Error) -> ErrorKind {
    if let Some(answer) = Answer::of_error(error) {
        return match answer.class {
            Class::Throttled => ErrorKind::Unavailable,
            Class::Expired | Class::UnknownKey => ErrorKind::Credentials,
            Class::Full => ErrorKind::NoSpace,
            Class::Unexplained if answer.status == 403 => ErrorKind::PermissionDenied,
            Class::OtherRegion | Class::Unexplained => ErrorKind::Other,
        };
    }
    if has_no_credentials(error) {
        return ErrorKind::Credentials;
    }
    if is_lost_connection(error) || names_no_bucket(error) {
        return ErrorKind::Unavailable;
    }
    match error.kind() {
        Theirs::NotFound => ErrorKind::NotFound,
        Theirs::PermissionDenied => ErrorKind::PermissionDenied,
        Theirs::IsADirectory => ErrorKind::IsADirectory,
        Theirs::NotADirectory => ErrorKind::NotADirectory,
        Theirs::AlreadyExists => ErrorKind::AlreadyExists,
        Theirs::Unsupported => ErrorKind::Unsupported,
        // A server that cannot be reached, or answers that it cannot answer.
        Theirs::Unexpected | Theirs::RateLimited if error.is_temporary() => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

/// Temporary failures that OpenDAL reports as permanent: SSH servers reject connections while many are being opened; a name node
/// has no data node, or not all of them yet.
const TEMPORARY: [&str; 5] = [
    "ssh error",
    "Connection closed",
    "data transfer error",
    "SafeModeException",
    "could only be replicated to 0 nodes",
];

/// Whether a later attempt may succeed, although OpenDAL does not report that.
fn is_lost_connection(error: &opendal::Error) -> bool {
    let Some(cause) = std::error::Error::source(error).map(root) else { return false };
    let is_lost = cause.downcast_ref::<io::Error>().is_some_and(|error| {
        use io::ErrorKind as Kind;
        matches!(
            error.kind(),
            Kind::ConnectionRefused
                | Kind::ConnectionReset
                | Kind::ConnectionAborted
                | Kind::BrokenPipe
                | Kind::HostUnreachable
                | Kind::NetworkUnreachable
                | Kind::NotConnected
                | Kind::TimedOut
                | Kind::UnexpectedEof
        )
    });
    let message = cause.to_string();
    error.kind() == Theirs::Unexpected && (is_lost || TEMPORARY.iter().any(|words| message.contains(words)))
}

fn names_no_bucket(error: &opendal::Error) -> bool {
    error.kind() == Theirs::NotFound && NO_BUCKET.iter().any(|words| error.message().contains(words))
}

/// Whether a server has rejected a request for good: not only for the moment (too many requests, a gateway without its
/// server), and not for lack of permission.
pub(crate) fn is_rejection(error: &opendal::Error) -> bool {
    const OTHER: [u16; 8] = [401, 403, 404, 408, 429, 502, 503, 504];
    if let Some(answer) = Answer::of_error(error) {
        return answer.class == Class::Unexplained && answer.status != 403;
    }
    error.kind() == Theirs::Unsupported
        || http_status(error).is_some_and(|status| (400..600).contains(&status) && !OTHER.contains(&status))
}

#[cfg(test)]
mod tests;
