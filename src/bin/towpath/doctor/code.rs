//! The stable names of findings.

/// Declares the codes with their names.
macro_rules! codes {
    ($($code:ident => $name:literal,)*) => {
        /// The code of a finding. `docs/doctor.md` has each with its meaning and its remedy.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $($code,)*
        }

        impl Code {
            /// All of them, in the order of the document.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$code,)*];

            /// The name that is printed; it never changes.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }
        }
    };
}

codes! {
    // The trees.
    NoAnswer => "no-answer",
    CannotOpen => "cannot-open",
    DestMissing => "dest-missing",
    DestReadOnly => "dest-read-only",
    TreesOverlap => "trees-overlap",
    SourceReadable => "source-readable",
    SourceEmpty => "source-empty",
    RoundTrip => "round-trip",
    // Mounts.
    Mount => "mount",
    NotMounted => "not-mounted",
    RootFileSystem => "root-file-system",
    SourceReadOnly => "source-read-only",
    AccessTimes => "access-times",
    Memory => "in-memory",
    Overlay => "overlay",
    Fuse => "fuse",
    NfsVersion => "nfs-version",
    NfsSoft => "nfs-soft",
    NfsProtocol => "nfs-protocol",
    NfsAttributeCache => "nfs-attribute-cache",
    NfsSync => "nfs-sync",
    NfsTransferSize => "nfs-transfer-size",
    NfsConnections => "nfs-connections",
    SmbVersion => "smb-version",
    SmbCache => "smb-cache",
    SmbAttributeCache => "smb-attribute-cache",
    SmbInodes => "smb-inodes",
    SmbOwners => "smb-owners",
    SmbCharacters => "smb-characters",
    // What the destination keeps.
    TimePrecision => "time-precision",
    TimeRange => "time-range",
    CaseFolding => "case-folding",
    UnicodeFolding => "unicode-folding",
    NameCharacters => "name-characters",
    NameLength => "name-length",
    Symlinks => "symlinks",
    HardLinks => "hard-links",
    Holes => "holes",
    Renames => "renames",
    Permissions => "permissions",
    Owner => "owner",
    Xattrs => "xattrs",
    // The probe.
    WriteProbe => "write-probe",
    ProbeLeft => "probe-left",
    ClockSkew => "clock-skew",
    // Room.
    Room => "room",
    Inodes => "inodes",
    Quota => "quota",
    // State.
    OtherMigration => "other-migration",
    Database => "database",
    DatabasePlace => "database-place",
    DatabaseRoom => "database-room",
    // The process.
    OpenFiles => "open-files",
    ProcessMemory => "process-memory",
    Kernel => "kernel",
    Session => "session",
    TimeZone => "time-zone",
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes in the first column of the tables, in their order.
    #[test]
    fn the_document_has_each_code_in_this_order() {
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/doctor.md"));
        let (_, findings) = page.split_once("\n## Findings\n").unwrap();
        let rows = findings.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        let documented: Vec<_> = rows.map(|(code, _)| code).collect();
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(documented, codes);
    }
}
