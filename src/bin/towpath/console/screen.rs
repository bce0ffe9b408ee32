//! A frame at the bottom of a terminal that is redrawn.
//!
//! After each frame the cursor is at its first character. A terminal that wraps text again when it is resized moves the
//! cursor with the text, so that everything from there on is what was drawn. Each frame is one write.

use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fd::AsFd;

/// Terminals that know synchronized output (DEC mode 2026) show a frame at once; others ignore this.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";
/// Removes the last frame. It never erases from the first character of the screen on: tmux would move the frame to its
/// history instead.
const ERASE: &str = "\r\x1b[K \x1b[J\r";
/// What is wider than the terminal is cut, not wrapped: a terminal may show a character wider than expected.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// Whether a frame is on the terminal.
static HAS_FRAME: AtomicBool = AtomicBool::new(false);

/// The columns and rows of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Size {
    /// The size of the terminal now.
    pub(super) fn now() -> Self {
        let size = rustix::termios::tcgetwinsize(std::io::stderr());
        size.map_or(Self::of(0, 0), |size| Self::of(size.ws_col.into(), size.ws_row.into()))
    }

    fn of(columns: usize, rows: usize) -> Self {
        Self { columns: if columns == 0 { 80 } else { columns }, rows: if rows == 0 { 24 } else { rows } }
    }
}

/// Whether standard error is a terminal that can redraw.
pub(super) fn is_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// Whether standard output is the terminal that standard error is.
pub(super) fn has_both_outputs() -> bool {
    let device = |fd: rustix::fd::BorrowedFd<'_>| {
        let file = fd.try_clone_to_owned().map(std::fs::File::from)?;
        file.metadata().map(|metadata| (metadata.dev(), metadata.ino(), metadata.rdev()))
    };
    let (output, error) = (device(std::io::stdout().as_fd()), device(std::io::stderr().as_fd()));
    std::io::stdout().is_terminal() && matches!((output, error), (Ok(output), Ok(error)) if output == error)
}

/// Prints lines, and below them a frame instead of the last one.
pub(super) fn draw(lines: &[String], rows: &[String], size: Size) {
    let text = frame(lines, rows, size, HAS_FRAME.load(Relaxed));
    HAS_FRAME.store(!rows.is_empty(), Relaxed);
    write(&text);
}

/// Removes the frame, for an end of the process at once. Waits no longer than a moment.
pub(crate) fn erase_at_exit() {
    if !HAS_FRAME.swap(false, Relaxed) {
        return;
    }
    let (done, erased) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        write(ERASE);
        let _gone = done.send(());
    });
    let _too_late = erased.recv_timeout(std::time::Duration::from_millis(100));
}

fn write(text: &str) {
    let _closed = std::io::stderr().lock().write_all(text.as_bytes());
}

fn frame(lines: &[String], rows: &[String], size: Size, has_frame: bool) -> String {
    let rows = &rows[..rows.len().min(size.rows.saturating_sub(1).max(1))];
    if lines.is_empty() && rows.is_empty() && !has_frame {
        return String::new();
    }
    let mut text = BEGIN.to_owned();
    if has_frame {
        text += ERASE;
    }
    for line in lines {
        text += &line.replace('\n', "\r\n");
        text += "\r\n";
    }
    if let Some(above) = rows.len().checked_sub(1) {
        text += NO_WRAP;
        text += &rows.join("\r\n");
        text += "\r";
        if above > 0 {
            text += &format!("\x1b[{above}A");
        }
        text += WRAP;
    }
    text + END
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[&str], rows: &[&str], has_frame: bool) -> String {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        frame(&owned(lines), &owned(rows), Size::of(80, 4), has_frame)
    }

    #[test]
    fn the_cursor_returns_to_the_first_row() {
        assert_eq!(text(&[], &["a", "b"], false), "\x1b[?2026h\x1b[?7la\r\nb\r\x1b[1A\x1b[?7h\x1b[?2026l");
        assert_eq!(
            text(&["x\ny"], &["a"], true),
            "\x1b[?2026h\r\x1b[K \x1b[J\rx\r\ny\r\n\x1b[?7la\r\x1b[?7h\x1b[?2026l"
        );
    }

    #[test]
    fn a_frame_fits_the_terminal_and_goes_away() {
        assert!(text(&[], &["a", "b", "c", "d", "e"], false).contains("c\r\x1b[2A"));
        assert_eq!(text(&[], &[], true), "\x1b[?2026h\r\x1b[K \x1b[J\r\x1b[?2026l");
        assert_eq!(text(&[], &[], false), "");
        assert_eq!(Size::of(0, 0), Size { columns: 80, rows: 24 });
    }
}
