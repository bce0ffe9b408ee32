//! What object stores keep of an object beside its content and times.

use std::collections::BTreeMap;

/// The headers that an object store keeps with an object and returns with it, as HTTP names them.
///
/// A source that has them passes them on with a file that is read ([`crate::FileReader::object`],
/// [`crate::WholeFile::object`]); a sink that can keep them gets them in [`crate::WriteOptions::object`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectMetadata {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// User metadata, without the mtime.
    pub user: BTreeMap<String, String>,
}
