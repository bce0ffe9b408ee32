//! Names of files that are still being written, where a file is replaced in one step.
//!
//! A part lies beside the file that it will become, under a hidden name made of
//! the migration and the file's path: the same file's part has the same name in
//! every run, so that a run that was cut off leaves no more than one, and takes
//! it up again.

use sha2::{Digest as _, Sha256};
use towpath_backend::RelPath;
use towpath_backend::probe::{self, Maker};

const PREFIX: &[u8] = b".towpath-";
const SUFFIX: &[u8] = b".part";

/// The names of one migration's parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    migration: u32,
}

/// Whose part a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// This migration's: left by a run that was cut off.
    Own,
    /// Another's, perhaps under way: to be left alone.
    Others,
    /// No file's: a probe, by which a run finds out what the storage keeps. It goes within moments, unless
    /// its maker was killed.
    Probe(Maker),
}

impl Parts {
    /// Those of the migration between these roots.
    pub(crate) fn of(source_root: &[u8], sink_root: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(source_root);
        // No path holds this byte: two pairs never run together.
        hasher.update([0]);
        hasher.update(sink_root);
        let digest = hasher.finalize();
        Self { migration: u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) }
    }

    /// The part of the file `path`; the root, which is no file, has none.
    pub(crate) fn part(self, path: &RelPath) -> Option<RelPath> {
        let digest = Sha256::digest(path.as_bytes());
        let mut name = PREFIX.to_vec();
        name.extend_from_slice(format!("{:08x}-", self.migration).as_bytes());
        name.extend(digest.iter().take(8).flat_map(|byte| format!("{byte:02x}").into_bytes()));
        name.extend_from_slice(SUFFIX);
        path.parent()?.join(name).ok()
    }

    /// The name of a probe that no other run has: whoever was cut off leaves it behind.
    pub(crate) fn probe() -> Option<RelPath> {
        RelPath::new(probe::name("view")).ok()
    }

    /// Whether `name` is that of a part, or of a backend's probe, and whose.
    pub(crate) fn whose(self, name: &[u8]) -> Option<Whose> {
        if let Some(maker) = probe::maker(name) {
            return Some(Whose::Probe(maker));
        }
        let middle = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let (migration, file) = (middle.get(..8)?, middle.get(9..)?);
        let is_hex = |text: &[u8]| text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if middle[8] != b'-' || file.len() != 16 || !is_hex(migration) || !is_hex(file) {
            return None;
        }
        let own = format!("{:08x}", self.migration);
        Some(if migration == own.as_bytes() { Whose::Own } else { Whose::Others })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lies_beside_its_file_and_is_known_again() {
        let parts = Parts::of(b"/old", b"/new");
        let file = RelPath::new([b"dir/", &[b'n'; 255][..]].concat()).unwrap();
        let part = parts.part(&file).unwrap();
        assert_eq!(part.parent(), file.parent());
        let name = part.name().unwrap();
        assert!(name.len() < 64, "it fits wherever its file does");
        assert_eq!(parts.whose(name), Some(Whose::Own));
        assert_eq!(Parts::of(b"/old", b"/other").whose(name), Some(Whose::Others));
        assert_eq!(parts.part(&file), Some(part), "the same in every run");
        assert_ne!(parts.part(&RelPath::new("dir/m").unwrap()), parts.part(&file));
        assert_eq!(parts.part(&RelPath::root()), None);
    }

    #[test]
    fn other_names_are_nobodys_part() {
        let parts = Parts::of(b"/old", b"/new");
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
            assert_eq!(parts.whose(name), None, "{}", name.escape_ascii());
        }
        assert_eq!(parts.whose(b".towpath-probe-1-2-file"), Some(Whose::Probe(Maker::Elsewhere)));
        let own = Maker::Here(std::process::id());
        assert_eq!(parts.whose(Parts::probe().unwrap().as_bytes()), Some(Whose::Probe(own)));
    }
}
