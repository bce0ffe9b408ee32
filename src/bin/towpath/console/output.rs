//! Everything that the program prints goes through here.
//!
//! A reader that goes away (`towpath … | head`) ends the output, not the migration.

use std::io::Write as _;

use crate::format;

/// A line to standard output.
pub(crate) fn line(text: &str) {
    let _closed_pipe = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line to standard error.
pub(crate) fn note(text: &str) {
    let _closed_pipe = writeln!(std::io::stderr().lock(), "{text}");
}

/// An error on one line, with the program's name.
pub(crate) fn error(text: &str) {
    note(&format!("towpath: {}", format::escape(text.as_bytes())));
}
