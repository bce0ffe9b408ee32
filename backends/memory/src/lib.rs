//! A backend of Towpath that keeps its tree in memory, for tests and examples.
//!
//! [`MemoryTree`] is a source and a sink at once. Clones show the same tree:
//! what is written through one is read through the other.
//!
//! ```
//! # async fn example() -> towpath_backend::Result<()> {
//! use towpath_backend::{Bytes, Kind, Metadata, ReadOptions, RelPath, Sink as _, Source as _, Timestamp, WriteOptions};
//! use towpath_memory::MemoryTree;
//!
//! let tree = MemoryTree::new("example");
//! let path = RelPath::root().join("file").expect("one name");
//! let metadata = Metadata::new(Kind::File, 5, Timestamp::from_ns(0));
//! tree.write_whole(&path, Bytes::from_static(b"hello"), &metadata, &WriteOptions::default()).await?;
//! assert_eq!(tree.clone().read_whole(&path, 100, Vec::new(), &ReadOptions::default()).await?.data, b"hello");
//! # Ok(()) }
//! ```
//!
//! It behaves like a local disk: hard links, renames, symbolic links, holes, attributes, times to the nanosecond, and
//! an open file stays readable after its last name was removed. [`MemoryTree::with_capabilities`] creates a tree that
//! supports less. The content is gone when the last clone is dropped.

mod backend;
mod content;
mod entries;
mod handle;
mod keeps;
mod listing;
mod reader;
mod shared;
mod sink;
mod source;
mod store;
mod tree;
mod writer;

pub use backend::Memory;
pub use keeps::Keeps;
pub use tree::MemoryTree;
