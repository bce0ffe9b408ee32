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

/// Lines to standard error, where the first of each pair is true, or to standard output. Lines in sequence for the same
/// output are one write.
pub(super) fn write_all(lines: &[(bool, &str)]) {
    for same in lines.chunk_by(|(before, _), (after, _)| before == after) {
        let text: String = same.iter().flat_map(|(_, text)| [*text, "\n"]).collect();
        let _closed_pipe = match same.first() {
            Some((true, _)) => std::io::stderr().lock().write_all(text.as_bytes()),
            _ => std::io::stdout().lock().write_all(text.as_bytes()),
        };
    }
}

/// An error on one line, with the program's name.
pub(crate) fn error(text: &str) {
    note(&format!("towpath: {}", format::escape(text.as_bytes())));
}
