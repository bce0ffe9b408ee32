//! The first and the last line of a log: what links it to the logs before and after.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use towpath::{Algorithm, Hasher};

/// The longest line that is read: longer ones are no lines of a log.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// A log, as its first and last line show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    pub(super) name: OsString,
    /// The hash that its first line has of the line before; `None`: it has none.
    pub(super) previous: Option<String>,
    /// The log before, as its first line names it.
    pub(super) previous_log: Option<OsString>,
    /// The hash of its last line.
    pub(super) end: String,
    /// Its name when it was closed, as its last line has it.
    pub(super) closed_as: Option<OsString>,
    /// The name of the log after, as its last line has it.
    pub(super) next_log: Option<OsString>,
}

impl Log {
    /// Reads both ends of a file; `None`: it is not a log.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let Some(name) = path.file_name() else { return Ok(None) };
        let mut file = File::open(path)?;
        let (Some(first), last) = (object(&first_line(&mut file)?), last_line(&mut file)?) else { return Ok(None) };
        if first.get("time").is_none() || first.get("status").is_none() {
            return Ok(None);
        }
        let end = Hasher::hash(Algorithm::Sha256, &last).to_string();
        let last = object(&last).unwrap_or_default();
        let is_closed = last.get("status").is_some_and(|status| status == "log-closed");
        let closing = |key| if is_closed { file_name(&last, key) } else { None };
        Ok(Some(Self {
            path: path.to_owned(),
            name: name.to_owned(),
            previous: first.get("previous").and_then(Value::as_str).map(str::to_owned),
            previous_log: file_name(&first, "previous_log"),
            end,
            closed_as: closing("log"),
            next_log: closing("next_log"),
        }))
    }

    /// The name that it has, or had when it was closed.
    pub(super) fn own_name(&self) -> &OsStr {
        self.closed_as.as_deref().unwrap_or(&self.name)
    }
}

fn object(line: &[u8]) -> Option<serde_json::Map<String, Value>> {
    match serde_json::from_slice(line) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

/// A name, which is also there in hexadecimal if it is not UTF-8.
fn file_name(fields: &serde_json::Map<String, Value>, key: &str) -> Option<OsString> {
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    if let Some(bytes) = text(&format!("{key}_bytes")) {
        return hex::decode(bytes).ok().map(OsString::from_vec);
    }
    text(key).map(|name| OsStr::from_bytes(name.as_bytes()).to_owned())
}

fn first_line(file: &mut File) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(file.take(MAX_LINE_BYTES)).read_until(b'\n', &mut line)?;
    Ok(without_newline(line))
}

/// The last line that ends with a newline.
fn last_line(file: &mut File) -> io::Result<Vec<u8>> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_LINE_BYTES)))?;
    let mut tail = Vec::new();
    file.take(MAX_LINE_BYTES).read_to_end(&mut tail)?;
    tail.truncate(tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1));
    let line = tail.split_inclusive(|&byte| byte == b'\n').next_back().unwrap_or_default();
    Ok(without_newline(line.to_vec()))
}

fn without_newline(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    line
}

/// The name of the log, and the number, of the closed log `name`.
pub(super) fn split_number(name: &OsStr) -> Option<(&OsStr, u64)> {
    let bytes = name.as_bytes();
    let dot = bytes.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0)?;
    let digits = std::str::from_utf8(&bytes[dot + 1..]).ok()?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    is_number.then(|| Some((OsStr::from_bytes(&bytes[..dot]), digits.parse().ok()?)))?
}
