//! SFTP, spoken directly over the program `ssh`.
//!
//! OpenDAL's own client cannot be used for it: it uses `stat`, which follows symbolic links, and resolves a path
//! before it opens or writes it. A link inside the tree would then lead out of it.
//!
//! Here every operation first checks each component of its path with `lstat` (module `check`). Version 3 of the
//! protocol, the one that servers speak, cannot open a file "beneath this directory" as `openat2` can: between the check
//! and the operation, which follows it at once on the same connection, someone who may write to the tree on the
//! server could still put a link in place of a directory.

mod check;
mod connection;
mod failure;
mod file_handle;
mod handle;
mod in_flight;
mod listing;
mod lost;
mod pending;
mod pool;
mod sink;
mod source;
mod ssh;
mod transport;
mod tree;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

pub use handle::SftpTree;
pub(crate) use handle::{KEPT, Keeps};
pub(crate) use lost::is_permanent;
pub(crate) use ssh::{KnownHosts, Target, TargetError};
