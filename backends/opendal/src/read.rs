//! Reading files: one request for a small one, one stream for a large one, and under a bandwidth limit parts that are
//! requested as they may pass. All content of a file is of one version of it.

mod content;
mod ranges;
mod reader;
mod stream;
mod whole;

pub(crate) use reader::Reader;
pub(crate) use whole::read_whole;
