//! The traits that a storage backend of Towpath implements.
//!
//! A migration reads from a [`Source`] and writes into a [`Sink`]. Both are a [`Tree`]: a root with files and
//! directories below it that can be listed. A backend's crate depends on this crate alone, and the engine knows
//! backends only through these traits.
//!
//! Paths are bytes relative to the root ([`RelPath`]), never strings: a name
//! that is not valid UTF-8 is a name like any other.
//!
//! The extension traits ([`ext`]) work with any backend: they walk a tree, read and write small files, and create
//! directories together with their parents.
//!
//! The [`registry`] opens the trees that users name by paths and URLs.
//!
//! Boxes, shared pointers and references to a tree are trees themselves.
//!
//! Features:
//! - `layers`: `layer`, wrappers for any tree: retries, counters, a rate limit, fault injection and more;
//! - `mock`: `mock`, mockall mocks of the traits, for tests of code that uses them;
//! - `conformance`: `conformance`, the suite that every backend must pass.

mod entry;
mod error;
pub mod ext;
mod forward;
mod freshness;
mod identity;
mod metadata;
mod names;
mod object;
mod pacing;
mod path;
pub mod probe;
pub mod registry;
mod sink;
mod source;
mod tree;
mod waiting;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "layers")]
pub mod layer;
#[cfg(feature = "mock")]
pub mod mock;

pub use entry::Entry;
pub use error::{Error, ErrorKind, Result};
pub use freshness::{CacheReason, Freshness};
pub use identity::{Identity, TreeDifference};
pub use metadata::{Attributes, FileId, Kind, Metadata, Owner, Times, Timestamp, Xattr};
pub use names::{ByteSet, NameRules};
pub use object::ObjectMetadata;
pub use pacing::{Pacing, ReadOptions, WriteOptions};
pub use path::{InvalidPath, RelPath};
pub use sink::{FileWriter, Sink};
pub use source::{FileReader, Source, WholeFile};
pub use tree::{Capabilities, EntryStream, Hints, Tree};
pub use waiting::{WaitObserver, WaitReason};

// Re-exported so that a backend's crate writes `#[towpath_backend::async_trait]`
// and takes its blocks' type from here, with the versions that fit.
pub use async_trait::async_trait;
pub use bytes::Bytes;
