//! Bars as text, painted by indicatif.

use crate::lock::locked;
use std::io;
use std::sync::{Arc, Mutex};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

/// The parts that a bar distinguishes.
const STEPS: u64 = 100_000;

/// Paints bars of any width.
#[derive(Debug)]
pub(super) struct Painter {
    bar: ProgressBar,
    paper: Paper,
    is_utf8: bool,
}

impl Painter {
    pub(super) fn new(is_utf8: bool) -> Self {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
        Self { bar: ProgressBar::with_draw_target(Some(STEPS), target), paper, is_utf8 }
    }

    /// A bar with so many cells. An empty whole is complete.
    pub(super) fn bar(&self, part: u128, whole: u128, cells: usize) -> String {
        if cells == 0 {
            return String::new();
        }
        let signs = if self.is_utf8 { "█▌░" } else { "#>-" };
        // A bar of at most 65,535 cells: the template is valid.
        if let Ok(style) = ProgressStyle::with_template(&format!("{{bar:{cells}}}")) {
            self.bar.set_style(style.progress_chars(signs));
        }
        self.bar.set_position(position(part, whole));
        self.paper.take();
        self.bar.force_draw();
        self.paper.take().trim().to_owned()
    }
}

fn position(part: u128, whole: u128) -> u64 {
    let position = if whole == 0 { 1.0 } else { (part as f64 / whole as f64).clamp(0.0, 1.0) };
    (position * STEPS as f64) as u64
}

/// Takes what is painted.
#[derive(Clone, Debug, Default)]
struct Paper(Arc<Mutex<String>>);

impl Paper {
    fn take(&self) -> String {
        std::mem::take(&mut *locked(&self.0))
    }

    fn add(&self, text: &str) {
        *locked(&self.0) += text;
    }
}

impl TermLike for Paper {
    fn width(&self) -> u16 {
        u16::MAX
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(text);
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_its_width_and_shows_its_part() {
        let (painter, ascii) = (Painter::new(true), Painter::new(false));
        let bars = [(0, 10), (1, 8), (5, 10), (10, 10), (11, 10), (0, 0)];
        let painted =
            bars.map(|(part, whole)| format!("{} {}", painter.bar(part, whole, 4), ascii.bar(part, whole, 8)));
        insta::assert_snapshot!(painted.join("\n"), @"
        ░░░░ --------
        ▌░░░ #>------
        ██▌░ ####>---
        ████ ########
        ████ ########
        ████ ########
        ");
        assert_eq!(painter.bar(u128::MAX - 1, u128::MAX, 2).chars().count(), 2);
        assert_eq!(painter.bar(1, 2, 0), "");
        assert_eq!(ascii.bar(1, 2, 300).len(), 300);
    }
}
