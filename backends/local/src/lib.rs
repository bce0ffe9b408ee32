//! Towpath's backend for mounted paths: NFS, SMB and local disks, on Linux.
//!
//! Everything below a root is opened through the root's handle, with `openat2` and without following links, so that no
//! link, whether present or swapped in while a migration runs, leads outside. Names are bytes, and paths may be longer
//! than `PATH_MAX`.
//!
//! Write-back of written data starts at once, within a bounded window, and copied data leave the page cache (module
//! `writeback`).
//!
//! Holes stay holes: if a file takes less space than its size, the kernel is asked where its data are, and only those
//! are written (module `holes`).
//!
//! With `ReadOptions::bypass_cache`, files are read from the storage, not from the page cache (module `uncached`).
//!
//! New files and directories grant no more than the permissions given. An existing destination file is written in place
//! and keeps its owner, and its mode as far as it grants no more than these; it loses setuid and setgid. If this
//! process owns a file or directory that is not writable for its owner, the permissions are lifted for one operation
//! (module `write_access`); a file of another user that may not be written is an error. A file with several names (hard
//! links) is recreated under the name that is written, with no more permissions than it had, so that the other names
//! keep their content.
//!
//! What a destination keeps is tested with a few hidden files, which are removed again (module `probe`): times, links,
//! renames, holes, and rules for names. For a destination that is only inspected, it is derived from the type of the
//! file system.
//!
//! POSIX can set mtime and atime, but not ctime, nor the creation time on the file systems that this backend knows. (If
//! a kernel client for SMB could set it, `LocalWriter::finish` would be the place.)

mod attributes;
mod backend;
mod blocking;
mod calls;
mod create_root;
mod filesystem;
mod holes;
mod identity;
mod in_flight;
mod lifted;
mod links;
mod listing;
mod missing;
mod mounts;
mod named;
mod overlap;
mod probe;
mod proc_fd;
mod reader;
mod resolve;
mod root;
mod sink;
mod source;
mod stat;
mod static_capabilities;
mod trash;
mod tree;
mod uncached;
mod views;
mod write_access;
mod writeback;
mod writer;

#[cfg(test)]
mod races;
#[cfg(test)]
mod without_openat2;

pub use backend::Local;
pub use mounts::Mount;
pub use overlap::{Overlap, overlap};
pub use root::OpenError;
pub use sink::{LocalSink, Writing};
pub use source::{LocalSource, Reading};
pub use tree::LocalTree;
