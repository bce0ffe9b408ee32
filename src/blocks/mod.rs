//! Blocks of files: their sizes, the slots that bound their memory, and their checksum.

mod block_size;
mod hash_stage;
mod pool;

pub(crate) use block_size::{BlockSize, SMALL_BYTES};
pub(crate) use hash_stage::HashStage;
pub(crate) use pool::{Pool, Slot};
