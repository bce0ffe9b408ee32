//! Lines at the bottom of a terminal that are redrawn.

use std::cell::RefCell;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Lines of text at the bottom of the terminal.
pub(super) struct Bars {
    screen: MultiProgress,
    lines: RefCell<Vec<ProgressBar>>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self { screen: MultiProgress::new(), lines: RefCell::default() }
    }

    /// How many characters fit a line.
    pub(super) fn width(&self) -> usize {
        let width = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| size.ws_col);
        if width == 0 { 80 } else { usize::from(width) }
    }

    /// Replaces the lines.
    pub(super) fn draw(&self, texts: &[String]) {
        let mut lines = self.lines.borrow_mut();
        while lines.len() < texts.len() {
            let line = self.screen.add(ProgressBar::new_spinner());
            // Truncated at the terminal's last column, whatever the width of the characters. If the template were
            // invalid, the default style would be used.
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                line.set_style(style);
            }
            lines.push(line);
        }
        for line in lines.drain(texts.len()..) {
            line.finish_and_clear();
            self.screen.remove(&line);
        }
        for (line, text) in lines.iter().zip(texts) {
            line.set_message(text.clone());
            line.tick();
        }
    }

    /// Prints above the lines. (indicatif's own `suspend` panics once the terminal
    /// is gone, and redraws after every line.)
    pub(super) fn print_above(&self, print: impl FnOnce()) {
        let _terminal_gone = self.screen.clear();
        print();
        if let Some(line) = self.lines.borrow().last() {
            line.tick();
        }
    }

    /// Removes the lines.
    pub(super) fn clear(&self) {
        self.draw(&[]);
        let _terminal_gone = self.screen.clear();
    }
}
