//! Lines about files.

use serde_json::{Map, Value};
use towpath_backend::Timestamp;

use super::object::{put_head, write_object};
use crate::checksum::Checksum;
use crate::event::FilePaths;
use crate::json;
use crate::side::Side;

/// One line, about one file.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) time: jiff::Timestamp,
    /// `synced`, `failed`, …
    pub(crate) status: &'static str,
    pub(crate) paths: FilePaths,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) error: Option<String>,
    /// The mtime of a deleted entry.
    pub(crate) modified: Option<Timestamp>,
    /// The full path, in the sink, of the file that it is another name of.
    pub(crate) hard_link: Option<Vec<u8>>,
    /// The previous full path, in the sink, of a renamed entry.
    pub(crate) renamed_from: Option<Vec<u8>>,
    /// Of a file that is in sync now: why it failed in an earlier run.
    pub(crate) failed_before: Option<String>,
    /// Of a result of a verification: its pass.
    pub(crate) pass: Option<i64>,
    /// Of a result of a verification: why the copy may have been read from a cache, if it may.
    pub(crate) cached: Option<String>,
    /// Of an exception that is recorded or ends.
    pub(crate) exception: Option<ExceptionLine>,
    /// Of a failure: what it is counted as. Not written.
    pub(crate) failure: Option<Failure>,
}

/// An exception: why an entry is accepted as it is, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct ExceptionLine {
    pub(crate) reason: String,
    pub(crate) user: String,
}

/// What a failure is counted as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    /// The tree that failed, if one did.
    pub(crate) side: Option<Side>,
    /// Its kind, such as `permission-denied`.
    pub(crate) kind: &'static str,
}

impl Line {
    /// A line with the current time.
    pub(crate) fn now(status: &'static str, paths: FilePaths) -> Self {
        Self {
            time: jiff::Timestamp::now(),
            status,
            paths,
            size_bytes: None,
            checksum: None,
            error: None,
            modified: None,
            hard_link: None,
            renamed_from: None,
            failed_before: None,
            pass: None,
            cached: None,
            exception: None,
            failure: None,
        }
    }

    /// Adds the line, with its newline, to `text`. Every line has the same fields, null if they do not apply. A deleted
    /// entry also has its mtime, another name of a file the first name, a renamed entry its previous path, a file
    /// that failed before the reason, and a verified file the number of the pass. A path that is not UTF-8 is written with U+FFFD in place of invalid bytes, and
    /// also as hexadecimal bytes.
    pub(crate) fn write(&self, text: &mut Vec<u8>) {
        let mut line = Map::new();
        put_head(&mut line, self.time, self.status, &self.paths);
        let mut put = |key: &str, value: Value| drop(line.insert(key.to_owned(), value));
        put("size", self.size_bytes.into());
        put("algorithm", self.checksum.as_ref().map(|checksum| checksum.algorithm.name()).into());
        put("checksum", self.checksum.as_ref().map(|checksum| checksum.hash.as_str()).into());
        put("error", self.error.as_deref().into());
        if let Some(modified) = self.modified {
            put("mtime", json::time(modified).into());
        }
        if let Some(path) = &self.hard_link {
            put("hard_link", String::from_utf8_lossy(path).into());
        }
        if let Some(path) = &self.renamed_from {
            json::put_path("from", path, &mut put);
        }
        if let Some(error) = &self.failed_before {
            put("failed_before", error.as_str().into());
        }
        if let Some(pass) = self.pass {
            put("pass", pass.into());
        }
        if let Some(reason) = &self.cached {
            put("cached", reason.as_str().into());
        }
        if let Some(exception) = &self.exception {
            put("reason", exception.reason.as_str().into());
            put("user", exception.user.as_str().into());
        }
        write_object(line, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::{Algorithm, Hasher};

    fn line(source: &[u8]) -> Line {
        let paths = FilePaths { source: source.to_vec(), dest: b"/new/a".to_vec() };
        Line { time: jiff::Timestamp::UNIX_EPOCH, ..Line::now("synced", paths) }
    }

    fn text(line: &Line) -> String {
        let mut text = Vec::new();
        line.write(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_line_has_every_field_and_one_newline() {
        let mut line = line(b"/old/a\nb");
        line.size_bytes = Some(3);
        line.checksum = Some(Checksum { algorithm: Algorithm::Md5, hash: Hasher::hash(Algorithm::Md5, b"abc") });
        insta::assert_snapshot!(text(&line).trim_end(), @r#"{"time":"1970-01-01T00:00:00Z","status":"synced","source":"/old/a\nb","dest":"/new/a","size":3,"algorithm":"md5","checksum":"900150983cd24fb0d6963f7d28e17f72","error":null}"#);
        assert_eq!(text(&line).matches('\n').count(), 1);
    }

    #[test]
    fn names_that_are_not_utf8_are_also_in_hexadecimal() {
        let value: Value = serde_json::from_str(&text(&line(b"/old/\xff"))).unwrap();
        assert_eq!(value["source"], "/old/\u{fffd}");
        assert_eq!(value["source_bytes"], "2f6f6c642fff");
        assert_eq!(value.get("dest_bytes"), None);
    }
}
