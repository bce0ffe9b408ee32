//! The lines of a manifest, and what is not in them.

use serde_json::{Map, Value};
use towpath::json::{put_path, time};
use towpath::{Algorithm, Checksum, RecordedFile};

use crate::args::manifest::ManifestFormat;
use crate::console::plural;

/// Writes files as lines, and counts those that are left out.
pub(super) struct Lines {
    format: ManifestFormat,
    zero: bool,
    /// The algorithm of the checksums; a bag takes that of its first file.
    algorithm: Option<Algorithm>,
    left: Left,
}

/// How many files are not in a manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    written: u64,
    not_synced: u64,
    no_checksum: u64,
    /// With a checksum of another algorithm, one of them.
    other: Option<(u64, Algorithm)>,
    /// Names that are not UTF-8, in a format that has UTF-8 names only.
    not_utf8: u64,
    symlinks: u64,
}

impl Lines {
    /// # Errors
    /// One line: the format has no lines that end with NUL.
    pub(super) fn new(format: ManifestFormat, zero: bool) -> Result<Self, String> {
        if zero && matches!(format, ManifestFormat::Json | ManifestFormat::Bagit) {
            return Err("--zero is for the formats of coreutils: sha256sum, b2sum, md5sum and sha1sum".to_owned());
        }
        let algorithm = match format {
            ManifestFormat::Sha256sum => Some(Algorithm::Sha256),
            ManifestFormat::B2sum => Some(Algorithm::Blake2b),
            ManifestFormat::Md5sum => Some(Algorithm::Md5),
            ManifestFormat::Sha1sum => Some(Algorithm::Sha1),
            ManifestFormat::Json | ManifestFormat::Bagit => None,
        };
        Ok(Self { format, zero, algorithm, left: Left::default() })
    }

    /// The line of a file; `None` if it is left out.
    pub(super) fn line(&mut self, file: &RecordedFile) -> Option<Vec<u8>> {
        let line = self.try_line(file)?;
        self.left.written += 1;
        Some(line)
    }

    /// What is left out.
    pub(super) fn left(self) -> Left {
        self.left
    }

    fn try_line(&mut self, file: &RecordedFile) -> Option<Vec<u8>> {
        if !file.is_synced {
            self.left.not_synced += 1;
            return None;
        }
        if self.format == ManifestFormat::Json {
            if file.checksum.is_none() && !file.is_symlink {
                self.left.no_checksum += 1;
            }
            return Some(json_line(file));
        }
        if file.is_symlink {
            self.left.symlinks += 1;
            return None;
        }
        let digits = self.digits(file.checksum.as_ref())?;
        if self.format == ManifestFormat::Bagit {
            let line = bag_line(digits, &file.path);
            self.left.not_utf8 += u64::from(line.is_none());
            return line;
        }
        Some(coreutils_line(digits, &file.path, self.zero))
    }

    /// The checksum by the algorithm of the manifest.
    fn digits<'a>(&mut self, checksum: Option<&'a Checksum>) -> Option<&'a str> {
        let Some(checksum) = checksum else {
            self.left.no_checksum += 1;
            return None;
        };
        if *self.algorithm.get_or_insert(checksum.algorithm) != checksum.algorithm {
            let count = self.left.other.map_or(0, |(count, _)| count);
            self.left.other = Some((count + 1, checksum.algorithm));
            return None;
        }
        Some(checksum.hash.as_str())
    }
}

impl Left {
    /// Whether each file of the source is in the manifest.
    pub(super) fn is_complete(&self) -> bool {
        (self.not_synced, self.no_checksum, self.other, self.not_utf8) == (0, 0, None, 0)
    }

    /// A line for each reason.
    pub(super) fn notes(&self) -> Vec<String> {
        let other = self.other.map(|(count, algorithm)| {
            let files = plural(count, "file has", "files have");
            format!("note: {files} a recorded {algorithm} checksum, and none of the algorithm of this manifest")
        });
        let counted = [
            (self.not_synced, "file is", "files are", "not in sync, and not in the manifest: see `towpath status`"),
            (self.no_checksum, "file has", "files have", "no recorded checksum: found in sync without being sent"),
            (self.not_utf8, "name is", "names are", "not UTF-8, and cannot be in the manifest of a bag"),
            (self.symlinks, "symbolic link is", "symbolic links are", "in no manifest of this format"),
        ];
        let counted = counted.into_iter().filter(|(count, ..)| *count > 0);
        counted
            .map(|(count, one, many, what)| format!("note: {} {what}", plural(count, one, many)))
            .chain(other)
            .collect()
    }
}

/// As coreutils write it: a name with a backslash, a newline or a carriage return is escaped, and the
/// line then begins with a backslash.
fn coreutils_line(digits: &str, path: &[u8], zero: bool) -> Vec<u8> {
    let is_escaped = !zero && path.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'));
    let mut line = Vec::with_capacity(digits.len() + path.len() + 4);
    if is_escaped {
        line.push(b'\\');
    }
    line.extend_from_slice(digits.as_bytes());
    line.extend_from_slice(b"  ");
    if path == b"-" {
        // They would read standard input.
        line.extend_from_slice(b"./");
    }
    for &byte in path {
        match byte {
            b'\\' if is_escaped => line.extend_from_slice(b"\\\\"),
            b'\n' if is_escaped => line.extend_from_slice(b"\\n"),
            b'\r' if is_escaped => line.extend_from_slice(b"\\r"),
            _ => line.push(byte),
        }
    }
    line.push(if zero { 0 } else { b'\n' });
    line
}

/// As RFC 8493 has it (section 2.1.3): UTF-8, with percent signs and the ends of lines percent-encoded.
fn bag_line(digits: &str, path: &[u8]) -> Option<Vec<u8>> {
    let path = std::str::from_utf8(path).ok()?.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D");
    Some(format!("{digits}  data/{path}\n").into_bytes())
}

fn json_line(file: &RecordedFile) -> Vec<u8> {
    let mut fields = Map::new();
    put_path("path", &file.path, |key: &str, value: Value| drop(fields.insert(key.to_owned(), value)));
    let kind = if file.is_symlink { "symlink" } else { "file" };
    fields.insert("kind".to_owned(), kind.into());
    match &file.link_target {
        Some(target) => {
            put_path("target", target, |key: &str, value: Value| drop(fields.insert(key.to_owned(), value)));
        }
        None => drop(fields.insert("target".to_owned(), Value::Null)),
    }
    fields.insert("size".to_owned(), file.size_bytes.into());
    fields.insert("mtime".to_owned(), time(file.modified).into());
    let checksum = file.checksum.as_ref();
    fields.insert("algorithm".to_owned(), checksum.map(|checksum| checksum.algorithm.name()).into());
    fields.insert("checksum".to_owned(), checksum.map(|checksum| checksum.hash.as_str()).into());
    let link_id = file.link_id.map(|(device, inode)| format!("{device:x}:{inode:x}"));
    fields.insert("link_id".to_owned(), link_id.into());
    let mut line = Value::Object(fields).to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_coreutils_do() {
        assert_eq!(coreutils_line("00", b"a b\xff", false), b"00  a b\xff\n");
        assert_eq!(coreutils_line("00", b"a\\b\nc\rd", false), b"\\00  a\\\\b\\nc\\rd\n");
        assert_eq!(coreutils_line("00", b"-", false), b"00  ./-\n");
        assert_eq!(coreutils_line("00", b"a\\b\nc", true), b"00  a\\b\nc\0");
    }

    #[test]
    fn names_of_a_bag_are_percent_encoded_where_the_format_needs_it() {
        assert_eq!(bag_line("00", "50% ü\r\n".as_bytes()).unwrap(), "00  data/50%25 ü%0D%0A\n".as_bytes());
        assert_eq!(bag_line("00", b"\xff"), None);
    }

    #[test]
    fn a_format_without_lines_that_end_with_nul_is_a_usage_error() {
        assert!(Lines::new(ManifestFormat::Json, true).is_err() && Lines::new(ManifestFormat::Bagit, true).is_err());
        assert!(Lines::new(ManifestFormat::B2sum, true).is_ok());
    }
}
