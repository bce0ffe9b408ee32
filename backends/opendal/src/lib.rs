//! Object stores and servers as backends of Towpath, through [Apache OpenDAL](opendal).
//!
//! [`OpendalTree`] makes any OpenDAL operator a tree. The [`services`] open the trees of
//! URLs; there is a feature for each.
//!
//! # What is kept
//!
//! - **mtimes** where objects have user metadata (S3, Azure Blob, Google Cloud Storage), under
//!   the key `mtime`, as rclone keeps them. A listing does not show them, so that each object
//!   that is listed costs a request; [`OpendalTree::without_mtimes`] saves it, and then only
//!   sizes decide what is in sync. WebDAV keeps them as properties of files, where a server has such
//!   and it is asked for. SFTP keeps whole seconds, HDFS none.
//! - **Directories** of object stores are those that something is in. An empty one is an object
//!   whose key ends with a slash (a marker); where the server keeps no such objects, or with
//!   [`OpendalTree::without_empty_directories`], there are none. They have no mtimes.
//! - **Names** are UTF-8, without control characters, and without white space at either end of
//!   a key: OpenDAL would take it for another one. Others are rejected, never changed.
//! - **Headers and user metadata** of objects (`Content-Type`, `Content-Encoding`, …) between object stores;
//!   [`OpendalTree::without_object_metadata`] leaves them out. A file from elsewhere gets the `Content-Type` of its name.
//! - Nothing else: neither links nor permissions.
//!
//! SFTP is spoken without OpenDAL, whose client follows symbolic links: `SftpTree` takes names of any bytes, sets times of
//! directories, and copies links if an option says so.
//!
//! # How it is written
//!
//! A file smaller than a multipart part (8 MiB) is one request, and exists as a whole or not at all. A
//! larger one is sent in parts, of a size with which it has fewer than 10,000; it appears when
//! the last one is there. At most four parts of a file are in memory, and six more of all files together, so that a single
//! file fills a long way, too. WebDAV has no parts: there a
//! larger file is one request that is sent while the file is read. Should that fail, the file
//! is read again. On SFTP and HDFS a file is there from its first part on, and grows.
//!
//! Before a file counts as written, what the server has is compared with what was sent: by the MD5 that its answer
//! names, else by the size that a stat finds. What is stored otherwise is removed, and is an error.
//!
//! Under a bandwidth limit a part leaves as slowly as it came, in pieces; a whole one is waiting
//! while the next is gathered. This is so for the trees of [`services`], and for those of one's
//! own operators that are [paced](OpendalTree::paced).

mod answers;
mod checksum;
mod error;
mod etag;
mod file_stat;
mod handle;
mod http;
#[cfg(feature = "s3")]
mod integrity;
mod listing;
#[cfg_attr(not(feature = "webdav"), allow(dead_code, reason = "only its transport marks entries"))]
mod mark;
mod markers;
mod mtime;
mod multipart;
mod names;
mod object;
mod patience;
mod raw_keys;
mod read;
#[cfg_attr(not(feature = "all-backends"), allow(dead_code, unused_imports, reason = "each service uses some of it"))]
pub mod services;
#[cfg(feature = "sftp")]
mod sftp;
mod sink;
mod source;
mod spacing;
mod stat;
mod streams;
mod stubs;
mod tree;
mod verify;
#[cfg(feature = "webdav")]
mod webdav;
mod writer;

pub use handle::OpendalTree;
#[cfg(feature = "sftp")]
pub use sftp::SftpTree;
