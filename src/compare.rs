//! Whether a file is still the one that was seen before.

use towpath_backend::Metadata;

/// Whether two looks at one path show the same content: kind, size and mtime are equal.
pub(crate) fn is_unchanged(before: &Metadata, now: &Metadata) -> bool {
    before.kind == now.kind && before.size_bytes == now.size_bytes && before.modified == now.modified
}
