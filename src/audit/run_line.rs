//! Lines about a whole run: its start, its end, and how it was steered.

use serde_json::{Map, Value};

use super::object::{put_head, write_object};
use crate::event::FilePaths;

/// One line about a run: the fields of a file's line, followed by its own.
#[derive(Clone, Debug)]
pub(crate) struct RunLine {
    time: jiff::Timestamp,
    status: &'static str,
    /// The roots of both trees.
    roots: FilePaths,
    pub(crate) error: Option<String>,
    pub(crate) fields: Map<String, Value>,
}

impl RunLine {
    /// The first line of a run.
    pub(crate) fn started(roots: FilePaths) -> Self {
        Self::now("run-started", roots)
    }

    /// The last line of a run. A run that was killed has none.
    pub(crate) fn ended(roots: FilePaths) -> Self {
        Self::now("run-ended", roots)
    }

    /// A line with the current time.
    pub(crate) fn now(status: &'static str, roots: FilePaths) -> Self {
        Self::at(jiff::Timestamp::now(), status, roots)
    }

    /// A line with this time.
    pub(super) fn at(time: jiff::Timestamp, status: &'static str, roots: FilePaths) -> Self {
        Self { time, status, roots, error: None, fields: Map::new() }
    }

    /// Adds a field.
    pub(crate) fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.fields.insert(key.to_owned(), value.into());
    }

    /// Adds the line, with its newline, to `text`.
    pub(crate) fn write(&self, text: &mut Vec<u8>) {
        let mut line = Map::new();
        put_head(&mut line, self.time, self.status, &self.roots);
        for key in ["size", "algorithm", "checksum"] {
            line.insert(key.to_owned(), Value::Null);
        }
        line.insert("error".to_owned(), self.error.as_deref().into());
        line.extend(self.fields.clone());
        write_object(line, text);
    }
}
