//! Reading files: one request for a small one, one stream for a large one, and under a bandwidth limit parts that are
//! requested as they may pass. All content of a file is of one version of it.

mod answers;
pub(crate) mod pieces;
mod ranges;
mod reader;
mod stream;
pub(crate) mod version;
mod whole;

pub(crate) use answers::Answers;
pub(crate) use reader::Reader;
pub(crate) use whole::read_whole;

use opendal::Buffer;
use towpath_backend::{Error, ErrorKind, RelPath};

use crate::error;

/// The error of reading `path`.
fn failed(path: &RelPath, problem: &opendal::Error) -> Error {
    use opendal::ErrorKind as Theirs;
    match problem.kind() {
        // What is asked for by its size was there when the file was opened.
        Theirs::ConditionNotMatch | Theirs::RangeNotSatisfied => changed(path),
        _ => error::of("read", path, problem),
    }
}

/// The file became another one while it was read: it is read again.
fn changed(path: &RelPath) -> Error {
    Error::new(ErrorKind::Other, "read", path, "changed while it was read").with_temporary(true)
}

/// Appends the first `most_bytes` of `data`, and removes them from it.
fn take(data: &mut Buffer, most_bytes: usize, buffer: &mut Vec<u8>) {
    let taken = data.len().min(most_bytes);
    buffer.reserve(taken);
    for chunk in data.slice(..taken) {
        buffer.extend_from_slice(&chunk);
    }
    *data = data.slice(taken..);
}
