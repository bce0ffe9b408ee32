//! ETags.

/// Whether an ETag is one that `If-Match` compares.
pub(crate) fn is_strong(etag: &str) -> bool {
    etag.starts_with('"')
}

/// An ETag without its mark of a weak one: Apache's are weak for a second after a file was written.
pub(crate) fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}
