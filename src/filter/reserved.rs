//! Directories at the root of a file system that it, or its server, reserves.

/// Whether a directory of this name at a root holds what a file system or a server keeps there:
/// recovered blocks, snapshots, a recycle bin. None of it is anybody's file, and a copy of all
/// snapshots is many times the tree.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    let exact: [&[u8]; 4] = [b"lost+found", b".snapshot", b"~snapshot", b".zfs"];
    // Windows ignores case.
    let any_case: [&[u8]; 2] = [b"$RECYCLE.BIN", b"System Volume Information"];
    exact.contains(&name) || any_case.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_file_systems_keep_is_reserved_and_nothing_that_looks_like_it() {
        for name in ["lost+found", ".snapshot", "~snapshot", ".zfs", "$RECYCLE.BIN", "$Recycle.Bin"] {
            assert!(is_reserved(name.as_bytes()), "{name}");
        }
        assert!(is_reserved(b"System Volume Information"));
        for name in ["Lost+Found", "lost", ".snapshots", ".zfs2", "RECYCLE.BIN", ""] {
            assert!(!is_reserved(name.as_bytes()), "{name}");
        }
    }
}
