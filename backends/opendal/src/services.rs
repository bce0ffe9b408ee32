//! The services that have a feature, as backends for the [registry](towpath_backend::registry).
//!
//! | feature | URL | what it names |
//! | --- | --- | --- |
//! | `s3` | `s3://bucket/prefix` | a bucket of Amazon S3, or of a server that speaks as it does (`endpoint`) |
//! | `azblob` | `azblob://container/prefix` | a container of Azure Blob Storage |
//! | `gcs` | `gcs://bucket/prefix` | a bucket of Google Cloud Storage |
//! | `webdav` | `webdav://host:port/path`, `webdavs://…` | a folder of a WebDAV server, over HTTP or HTTPS |
//! | `sftp` | `sftp://user@host:port/path` | a folder of an SSH server, through the program `ssh` |
//! | `hdfs` | `hdfs://host:port/path` | a folder of a Hadoop file system |

#[cfg(feature = "s3")]
mod aws;
#[cfg(feature = "azblob")]
mod azblob;
#[allow(dead_code, reason = "each feature uses some of it")]
mod check;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "hdfs")]
mod hdfs;
#[allow(dead_code, reason = "each feature uses some of it")]
mod operator;
#[cfg(any(feature = "s3", feature = "azblob", feature = "gcs"))]
#[cfg_attr(
    not(all(feature = "s3", feature = "azblob")),
    allow(dead_code, reason = "Google's are in a file of their own")
)]
mod option_keys;
#[allow(dead_code, reason = "each feature uses some of it")]
mod options;
#[cfg(any(feature = "s3", feature = "azblob", feature = "gcs"))]
mod renewed;
#[cfg(feature = "s3")]
mod s3;
mod service;
#[cfg(feature = "sftp")]
mod sftp;
#[cfg(feature = "webdav")]
mod webdav;

#[cfg(feature = "azblob")]
pub use azblob::AZBLOB;
#[cfg(feature = "gcs")]
pub use gcs::GCS;
#[cfg(feature = "hdfs")]
pub use hdfs::HDFS;
#[cfg(feature = "s3")]
pub use s3::S3;
#[cfg(feature = "sftp")]
pub use sftp::{SFTP, Sftp};
#[cfg(feature = "webdav")]
pub use webdav::WEBDAV;

use towpath_backend::registry::{OpenError, Registry};

pub use service::Service;

/// Registers all services of this build.
///
/// # Errors
/// If another backend has one of their schemes already.
#[allow(unused_variables, reason = "without a feature there is nothing to register")]
pub fn register(registry: &mut Registry) -> Result<(), OpenError> {
    #[cfg(feature = "s3")]
    registry.register(S3)?;
    #[cfg(feature = "azblob")]
    registry.register(AZBLOB)?;
    #[cfg(feature = "gcs")]
    registry.register(GCS)?;
    #[cfg(feature = "webdav")]
    registry.register(WEBDAV)?;
    #[cfg(feature = "sftp")]
    registry.register(SFTP)?;
    #[cfg(feature = "hdfs")]
    registry.register(HDFS)?;
    Ok(())
}

#[cfg(all(test, feature = "all-backends"))]
mod tests;
