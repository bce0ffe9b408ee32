//! Names of partial files: where a file is replaced in one step, it is written under a temporary name first.
//!
//! A partial file lies beside the file that it will become. Its hidden name is derived from the migration and the
//! file's path, and so is the same in every run: an interrupted run leaves at most one for each file, and the next run
//! writes to it again.

use sha2::{Digest as _, Sha256};
use towpath_backend::RelPath;
use towpath_backend::probe::{self, Creator};

const PREFIX: &[u8] = b".towpath-";
const SUFFIX: &[u8] = b".part";

/// The names of one migration's partial files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartialNames {
    migration: u32,
}

/// What a temporary file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemporaryFile {
    /// A partial file that an interrupted run of this migration left.
    Own,
    /// A partial file of another migration, which may be running: it is left alone.
    Others,
    /// A probe, with which a run finds out what the storage keeps. It is removed within moments, unless the process
    /// that created it was killed.
    Probe(Creator),
}

impl PartialNames {
    /// The names of the migration between these roots.
    pub(crate) fn of(source_root: &[u8], sink_root: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(source_root);
        // No path contains this byte, so that different pairs have different digests.
        hasher.update([0]);
        hasher.update(sink_root);
        let digest = hasher.finalize();
        Self { migration: u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) }
    }

    /// The partial file of the file `path`. The root, which is no file, has none.
    pub(crate) fn of_file(self, path: &RelPath) -> Option<RelPath> {
        let digest = Sha256::digest(path.as_bytes());
        let mut name = PREFIX.to_vec();
        name.extend_from_slice(format!("{:08x}-", self.migration).as_bytes());
        name.extend(hex::encode(&digest[..8]).into_bytes());
        name.extend_from_slice(SUFFIX);
        path.parent()?.join(name).ok()
    }

    /// A name for a probe that no other run uses.
    pub(crate) fn probe() -> Option<RelPath> {
        RelPath::new(probe::name("view")).ok()
    }

    /// Which temporary file `name` belongs to; `None` if it is the name of any other file.
    pub(crate) fn temporary_file(self, name: &[u8]) -> Option<TemporaryFile> {
        if let Some(creator) = probe::creator(name) {
            return Some(TemporaryFile::Probe(creator));
        }
        let middle = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let (migration, file) = (middle.get(..8)?, middle.get(9..)?);
        let is_hex = |text: &[u8]| text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if middle[8] != b'-' || file.len() != 16 || !is_hex(migration) || !is_hex(file) {
            return None;
        }
        let own = format!("{:08x}", self.migration);
        Some(if migration == own.as_bytes() { TemporaryFile::Own } else { TemporaryFile::Others })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_file_lies_beside_its_file_and_is_recognized() {
        let names = PartialNames::of(b"/old", b"/new");
        let file = RelPath::new([b"dir/", &[b'n'; 255][..]].concat()).unwrap();
        let partial = names.of_file(&file).unwrap();
        assert_eq!(partial.parent(), file.parent());
        let name = partial.name().unwrap();
        assert!(name.len() < 64, "it is short enough beside any file");
        assert_eq!(names.temporary_file(name), Some(TemporaryFile::Own));
        assert_eq!(PartialNames::of(b"/old", b"/other").temporary_file(name), Some(TemporaryFile::Others));
        assert_eq!(names.of_file(&file), Some(partial), "the same in every run");
        assert_ne!(names.of_file(&RelPath::new("dir/m").unwrap()), names.of_file(&file));
        assert_eq!(names.of_file(&RelPath::root()), None);
    }

    #[test]
    fn other_names_are_not_temporary_files() {
        let names = PartialNames::of(b"/old", b"/new");
        for name in [
            &b".towpath-"[..],
            b".towpath-.part",
            b".towpath-0123456-0123456789abcdef.part",
            b".towpath-01234567-0123456789abcdeg.part",
            b".towpath-01234567-0123456789abcdef0.part",
            b".towpath-0123456789abcdef.part",
            b".towpath-01234567_0123456789abcdef.part",
            b"file.part",
            b".towpath-probe-of-mine",
            b".towpath-probe-12-mine",
            b"",
        ] {
            assert_eq!(names.temporary_file(name), None, "{}", name.escape_ascii());
        }
        assert_eq!(names.temporary_file(b".towpath-probe-1-2-file"), Some(TemporaryFile::Probe(Creator::Elsewhere)));
        let own = Creator::Here(std::process::id());
        assert_eq!(names.temporary_file(PartialNames::probe().unwrap().as_bytes()), Some(TemporaryFile::Probe(own)));
    }
}
