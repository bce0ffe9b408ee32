//! What was read, and how reading failed.

use opendal::Buffer;
use towpath_backend::{Error, ErrorKind, RelPath};

use crate::error;
use crate::etag::is_strong;
use crate::file_stat::Stat;
use crate::handle::OpendalTree;

/// The error of reading `path`.
pub(super) fn failed(path: &RelPath, problem: &opendal::Error) -> Error {
    use opendal::ErrorKind as Theirs;
    match problem.kind() {
        // What is asked for by its size was there when the file was opened.
        Theirs::ConditionNotMatch | Theirs::RangeNotSatisfied => changed(path),
        _ => error::of("read", path, problem),
    }
}

/// The file became another one while it was read: it is read again.
pub(super) fn changed(path: &RelPath) -> Error {
    Error::new(ErrorKind::Other, "read", path, "changed while it was read").with_temporary(true)
}

/// Appends the first `most_bytes` of `data`, and removes them from it.
pub(super) fn take(data: &mut Buffer, most_bytes: usize, buffer: &mut Vec<u8>) {
    let taken = data.len().min(most_bytes);
    buffer.reserve(taken);
    for chunk in data.slice(..taken) {
        buffer.extend_from_slice(&chunk);
    }
    *data = data.slice(taken..);
}

/// Whether the response to a GET says all of a file that a stat says: then a small file takes one request.
pub(super) fn gets_are_complete(tree: &OpendalTree) -> bool {
    if tree.outgoing().is_none() {
        // What the client does not see is not known.
        return false;
    }
    match tree.operator.info().scheme() {
        // By their specification.
        "s3" | "azblob" => true,
        // Servers in use do, if mtimes are not separate properties.
        "webdav" if !tree.keeps_mtime() => tree.answers().were_complete(),
        _ => false,
    }
}

/// Whether the content of one response is certainly of the version that the response names.
///
/// Object stores replace an object as a whole, and answer a request from one version of it: S3 documents that updates of a
/// key are atomic, Azure commits a blob's blocks at once, and Google's generations never change. Servers of folders send
/// what the file has at that moment, and somebody may be writing it. Those that name no version, or a weak one, may show
/// the file of before and after alike: only a stat after the last byte tells.
pub(super) fn is_of_one_version(tree: &OpendalTree, by_get: &Stat) -> bool {
    !tree.has_directories() || by_get.theirs.etag().is_some_and(is_strong)
}
