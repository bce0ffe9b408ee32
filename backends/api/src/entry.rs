//! What a listing shows of one name.

use std::sync::Arc;

use crate::error::Error;
use crate::metadata::{Kind, Metadata, Timestamp};

/// One name in a directory.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The name: one path component, any bytes but `/` and NUL.
    pub name: Vec<u8>,
    /// What it is.
    pub metadata: Metadata,
    /// The target of a symbolic link, where listing it costs nothing more; otherwise [`crate::Tree::read_link`] reads it.
    pub target: Option<Vec<u8>>,
    /// Why the entry cannot be described or reached, if that is so: see [`Entry::unreadable`].
    pub error: Option<Arc<Error>>,
}

impl Entry {
    /// An entry with its metadata.
    pub fn new(name: impl Into<Vec<u8>>, metadata: Metadata) -> Self {
        Self { name: name.into(), metadata, target: None, error: None }
    }

    /// Sets the target of a symbolic link.
    #[must_use]
    pub fn with_target(self, target: impl Into<Vec<u8>>) -> Self {
        Self { target: Some(target.into()), ..self }
    }

    /// An entry that exists and cannot be described or reached: one object whose metadata the server denies, or a key
    /// that no path can express, such as `a//b`. The listing goes on after it. The entry is reported, and nothing at or
    /// below the path of `error` is deleted from the other side.
    ///
    /// If the path of `error` is that of `name` in the listed directory, the name exists. Otherwise `name` may be
    /// anything, and the path is the one that another program may have chosen for the entry (`a/b` for `a//b`).
    ///
    /// ```
    /// use towpath_backend::{Entry, Error, ErrorKind, RelPath};
    ///
    /// let path = RelPath::new("a/b")?;
    /// let entry = Entry::unreadable("/b", Error::new(ErrorKind::InvalidName, "list", &path, "the key is a//b"));
    /// assert_eq!(entry.error.map(|error| error.kind()), Some(ErrorKind::InvalidName));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unreadable(name: impl Into<Vec<u8>>, error: impl Into<Arc<Error>>) -> Self {
        let metadata = Metadata::new(Kind::Other, 0, Timestamp::from_ns(0));
        Self { name: name.into(), metadata, target: None, error: Some(error.into()) }
    }
}

/// Errors are equal if their texts are.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        let text = |entry: &Self| entry.error.as_ref().map(ToString::to_string);
        (&self.name, self.metadata, &self.target, text(self))
            == (&other.name, other.metadata, &other.target, text(other))
    }
}
