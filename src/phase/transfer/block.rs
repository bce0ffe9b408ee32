//! A block: a piece of a file on its way from a reader to its writer.

use bytes::Bytes;
use towpath_backend::{RelPath, Timestamp};

use crate::checksum::FileHash;

/// A piece of a file, with what the writer must know of the file.
///
/// Blocks of a file come in order and without gaps. An empty file is one empty
/// last block at offset 0.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The bytes. They occupy a slot of the pool until the last clone is dropped.
    pub(crate) data: Bytes,
    /// The offset in the file.
    pub(crate) offset: u64,
    /// Where it is written: the file, or its partial file.
    pub(crate) destination_path: RelPath,
    /// The source's times, set after the last block. ctime cannot be set on
    /// POSIX: it is carried for sinks of other kinds.
    pub(crate) atime: Option<Timestamp>,
    pub(crate) mtime: Timestamp,
    #[expect(dead_code, reason = "part of a block; no sink that exists can set it")]
    pub(crate) ctime: Option<Timestamp>,
    /// The source's permission bits: recorded, not applied.
    #[expect(dead_code, reason = "part of a block; never applied")]
    pub(crate) permissions: Option<u32>,
    /// Whether the file ends with this block.
    pub(crate) is_last_block: bool,
    /// The checksum of the whole file, on its last block.
    pub(crate) file_hash: Option<FileHash>,
}
