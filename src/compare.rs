//! Whether a file is unchanged.

use towpath_backend::Metadata;

/// Whether a path has the same content as before: kind, size and mtime are equal.
pub(crate) fn is_unchanged(before: &Metadata, now: &Metadata) -> bool {
    before.kind == now.kind && before.size_bytes == now.size_bytes && before.modified == now.modified
}
