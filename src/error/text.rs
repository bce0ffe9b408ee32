//! Paths in the texts of errors.

/// A path as text.
pub(super) fn text(path: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(path)
}
