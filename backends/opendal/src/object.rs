//! What object stores keep of an object beside content and mtime: headers and user metadata.
//!
//! They are carried from one object store to another. A file that has none, such as a local one, gets the `Content-Type`
//! of its name.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use opendal::options::WriteOptions;
use towpath_backend::{ObjectMetadata, Timestamp};

use crate::handle::OpendalTree;
use crate::{mtime, stubs};

impl OpendalTree {
    /// What an object's own metadata say beside size and time.
    pub(crate) fn object_of(&self, theirs: &opendal::Metadata) -> Option<Arc<ObjectMetadata>> {
        if !self.carries_object_metadata() {
            return None;
        }
        let text = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
        let mut object = ObjectMetadata::default();
        object.content_type = text(theirs.content_type());
        object.content_encoding = text(theirs.content_encoding());
        object.content_disposition = text(theirs.content_disposition());
        object.cache_control = text(theirs.cache_control());
        let user = theirs.user_metadata().into_iter().flatten();
        let user = user.filter(|(key, _)| !mtime::is_key(key) && !stubs::is_key(key));
        object.user = user.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Some(Arc::new(object))
    }

    /// What a file is written with.
    pub(crate) fn write_options(
        &self,
        key: &str,
        modified: Timestamp,
        object: Option<&ObjectMetadata>,
    ) -> WriteOptions {
        let mut user_metadata = if self.keeps_mtime() { mtime::metadata(modified) } else { Default::default() };
        let mut options = WriteOptions::default();
        if self.carries_object_metadata() {
            let can = self.can();
            let guessed = || mime_guess::from_path(key).first_raw().map(str::to_owned);
            let content_type = object.map_or_else(guessed, |object| header(object.content_type.as_ref()));
            options.content_type = content_type.filter(|_| can.write_with_content_type);
            let kept = |value: fn(&ObjectMetadata) -> &Option<String>, is_kept: bool| {
                object.filter(|_| is_kept).and_then(|object| header(value(object).as_ref()))
            };
            options.content_encoding = kept(|object| &object.content_encoding, can.write_with_content_encoding);
            options.content_disposition =
                kept(|object| &object.content_disposition, can.write_with_content_disposition);
            options.cache_control = kept(|object| &object.cache_control, can.write_with_cache_control);
            let user = object.filter(|_| can.write_with_user_metadata).into_iter().flat_map(|object| &object.user);
            let user = user.filter(|(key, value)| self.takes_user_metadata(key, value));
            user_metadata.extend(user.map(|(key, value)| (key.clone(), value.clone())));
        }
        options.user_metadata = Some(user_metadata).filter(|metadata| !metadata.is_empty());
        options
    }

    /// Whether the store can hold this pair: it travels as a header, and Azure's keys are identifiers.
    fn takes_user_metadata(&self, key: &str, value: &str) -> bool {
        let is_identifier = || {
            key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !key.starts_with(|first: char| first.is_ascii_digit())
        };
        HeaderName::from_bytes(key.as_bytes()).is_ok()
            && is_header(value)
            && !mtime::is_key(key)
            && (self.operator.info().scheme() != "azblob" || is_identifier())
    }
}

/// A value that can be sent.
fn header(value: Option<&String>) -> Option<String> {
    value.filter(|value| is_header(value)).cloned()
}

fn is_header(value: &str) -> bool {
    value.is_ascii() && !value.is_empty() && HeaderValue::from_str(value).is_ok()
}
