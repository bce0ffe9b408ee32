//! Text on a terminal that is redrawn in its place.

use std::io::Write as _;

/// What is drawn last.
#[derive(Default)]
pub(super) struct Screen {
    lines: usize,
}

impl Screen {
    /// Replaces the text.
    pub(super) fn draw(&mut self, text: &str) {
        let size = rustix::termios::tcgetwinsize(std::io::stdout());
        let (width, height) = size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()));
        let drawn = replacing(self.lines, text, width, height);
        self.lines = drawn.matches('\n').count();
        let mut stdout = std::io::stdout().lock();
        let _closed_pipe = stdout.write_all(drawn.as_bytes()).and_then(|()| stdout.flush());
    }
}

/// The characters that replace the last `lines` lines by `text`. A longer line would wrap and a longer text would
/// scroll: both are cut.
fn replacing(lines: usize, text: &str, width: usize, height: usize) -> String {
    let (width, height) = (if width == 0 { 80 } else { width }, if height < 2 { 24 } else { height });
    let up = if lines == 0 { String::new() } else { format!("\x1b[{lines}A") };
    let cut = |line: &str| line.chars().take(width).collect::<String>() + "\n";
    up + "\x1b[J" + &text.lines().take(height - 1).map(cut).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_replaced_and_fits_the_terminal() {
        assert_eq!(replacing(0, "ab\ncd", 80, 24), "\x1b[Jab\ncd\n");
        assert_eq!(replacing(2, "abc\ndef\nghi", 2, 3), "\x1b[2A\x1b[Jab\nde\n");
        assert_eq!(replacing(1, "a", 0, 0), "\x1b[1A\x1b[Ja\n", "an unknown size");
    }
}
