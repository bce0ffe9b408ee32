//! Directories at the root of a file system whose names the file system or its server reserves.

/// Whether a directory of this name at a root belongs to the file system or the server: recovered blocks, snapshots, a
/// recycle bin. These are not files of users, and a copy of all snapshots is many times the size of the tree.
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
    fn only_exact_names_are_reserved() {
        for name in ["lost+found", ".snapshot", "~snapshot", ".zfs", "$RECYCLE.BIN", "$Recycle.Bin"] {
            assert!(is_reserved(name.as_bytes()), "{name}");
        }
        assert!(is_reserved(b"System Volume Information"));
        for name in ["Lost+Found", "lost", ".snapshots", ".zfs2", "RECYCLE.BIN", ""] {
            assert!(!is_reserved(name.as_bytes()), "{name}");
        }
    }
}
