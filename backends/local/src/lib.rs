//! Towpath's backend for mounted paths: NFS, SMB and local disks, on Linux.
//!
//! Everything below a root is reached through the root's handle, with
//! `openat2` and without following links, so that no link, present or swapped
//! in while a migration runs, leads outside. Names are bytes, and paths may be
//! longer than `PATH_MAX`.
//!
//! Written data start on their way to the storage at once, within a bounded
//! window, and leave the page cache behind the copy (module `writeback`).
//!
//! Holes stay holes: where a file takes less room than it is long, the kernel
//! reports where its data are, and only those are written (module `holes`).
//!
//! Files and directories that are created grant no more than the permissions that
//! come with them. An existing destination file is written in place and keeps its
//! owner, and its mode as far as it grants no more than these; it loses setuid and
//! setgid. Where this process owns a file or directory that is not writable for its owner, the
//! permissions are lifted for the time of one operation (module `write_access`); what belongs to
//! another user and may not be written is an error. A file with
//! several names (hard links) is made again under the name that is written, with
//! no more permissions than it had, so that the others keep their content.
//!
//! What a destination keeps is found out with a few hidden files that go away
//! again (module `probe`): times, links, renames, holes, and what it does with
//! names. A destination that is only inspected is known by its type.
//!
//! The times that can be set on POSIX are mtime and atime. ctime cannot; nor
//! can the creation time on the file systems this backend knows (a kernel
//! client for SMB that let it be set would carry it here, in `LocalWriter::finish`).

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
mod views;
mod write_access;
mod writeback;
mod writer;

#[cfg(test)]
mod races;
#[cfg(test)]
mod without_openat2;

pub use backend::Local;
pub use overlap::{Overlap, overlap};
pub use root::OpenError;
pub use sink::{LocalSink, Writing};
pub use source::{LocalSource, Reading};
pub use tree::LocalTree;
