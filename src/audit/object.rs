//! The JSON object of a line.

use serde_json::{Map, Value};

use crate::event::FilePaths;
use crate::json;

/// The fields that every line begins with.
pub(super) fn put_head(line: &mut Map<String, Value>, time: jiff::Timestamp, status: &str, paths: &FilePaths) {
    let mut put = |key: &str, value: Value| drop(line.insert(key.to_owned(), value));
    put("time", time.to_string().into());
    put("status", status.into());
    for (key, path) in [("source", &paths.source), ("dest", &paths.dest)] {
        json::put_path(key, path, &mut put);
    }
}

/// Adds an object, with its newline, to `text`.
pub(super) fn write_object(line: Map<String, Value>, text: &mut Vec<u8>) {
    text.extend_from_slice(Value::Object(line).to_string().as_bytes());
    text.push(b'\n');
}
