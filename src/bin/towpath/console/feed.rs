//! The way to the console. When a terminal or pipe accepts no more text, lines are counted instead of waited for.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::lines::{Line, Lines};
use crate::status::live::View;
use crate::status::notice::Notice;
use towpath::Event;

/// Lines that wait for the console.
const CAPACITY: usize = 4096;

/// Passes lines and views to the console.
pub(crate) struct Feed {
    rules: Lines,
    lines: mpsc::Sender<Line>,
    views: watch::Sender<Option<Arc<View>>>,
    /// Lines that found no room since the last one that did.
    lost: u64,
}

/// The console's end of the feed.
pub(super) struct Fed {
    pub(super) lines: mpsc::Receiver<Line>,
    pub(super) views: watch::Receiver<Option<Arc<View>>>,
}

impl Feed {
    pub(super) fn new(rules: Lines) -> (Self, Fed) {
        let (lines, lines_fed) = mpsc::channel(CAPACITY);
        let (views, views_fed) = watch::channel(None);
        (Self { rules, lines, views, lost: 0 }, Fed { lines: lines_fed, views: views_fed })
    }

    pub(crate) fn event(&mut self, event: &Event) {
        let line = self.rules.event(event);
        self.send(line);
    }

    /// Waits until the console takes a step of a dry run.
    pub(crate) async fn planned(&mut self, event: &Event) {
        if let Some(line) = self.rules.planned(event) {
            let _console_gone = self.lines.send(line).await;
        }
    }

    pub(crate) fn notice(&mut self, notice: &Notice) {
        let line = self.rules.notice(notice);
        self.send(line);
    }

    /// Says that the migration is about to stop.
    pub(crate) fn stopping(&mut self) {
        let line = self.rules.stopping();
        self.send(line);
    }

    /// Says that the clock was set, or seems so.
    pub(crate) fn clock_jump(&mut self, jump: SignedDuration) {
        let line = self.rules.clock_jump(jump);
        self.send(line);
    }

    /// Prints a note.
    pub(crate) fn note(&mut self, text: String) {
        let line = self.rules.note(text);
        self.send(line);
    }

    /// Prints a warning, even with --quiet.
    pub(crate) fn warning(&mut self, text: String) {
        self.send(Some(Line { text, is_problem: true }));
    }

    /// Prints the status that a signal requests.
    pub(crate) fn status(&mut self, view: &View) {
        let line = self.rules.status(view);
        self.send(Some(line));
    }

    /// Replaces what is shown.
    pub(crate) fn view(&self, view: View) {
        self.views.send_replace(Some(Arc::new(view)));
    }

    /// The last line says how many were lost.
    pub(crate) async fn end(self) {
        if self.lost > 0 {
            let _console_gone = self.lines.send(self.rules.lost(self.lost)).await;
        }
    }

    fn send(&mut self, line: Option<Line>) {
        let Some(line) = line else { return };
        if self.lost > 0 && self.lines.try_send(self.rules.lost(self.lost)).is_ok() {
            self.lost = 0;
        }
        if self.lost > 0 || matches!(self.lines.try_send(line), Err(TrySendError::Full(_))) {
            self.lost += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Format;
    use towpath::{FileError, FilePaths};

    fn failed(number: usize) -> Event {
        Event::Vanished { paths: FilePaths::new(format!("/old/{number}"), format!("/new/{number}")) }
    }

    #[tokio::test]
    async fn lines_beyond_the_queue_are_counted_where_they_are_missing() {
        let (mut feed, mut fed) = Feed::new(Lines::unlimited(Format::Text));
        (0..CAPACITY + 7).for_each(|number| feed.event(&failed(number)));
        for number in 0..CAPACITY {
            assert!(fed.lines.recv().await.unwrap().text.ends_with(&format!("/old/{number}")));
        }
        feed.event(&failed(10_000));
        let texts = [fed.lines.recv().await.unwrap().text, fed.lines.recv().await.unwrap().text];
        assert_eq!(texts[0], "… 7 lines not shown, as the output accepted no text");
        assert!(texts[1].ends_with("/old/10000"));
        (0..=CAPACITY).for_each(|number| feed.event(&failed(number)));
        let end = tokio::spawn(feed.end());
        let mut last = String::new();
        while let Some(line) = fed.lines.recv().await {
            last = line.text;
        }
        assert_eq!(last, "… 1 line not shown, as the output accepted no text");
        end.await.unwrap();
    }

    #[test]
    fn a_console_that_is_gone_is_no_reason_to_count() {
        let (mut feed, fed) = Feed::new(Lines::unlimited(Format::Text));
        drop(fed);
        feed.event(&Event::Failed { paths: FilePaths::new("/old/a", "/new/a"), error: FileError::Changed });
        assert_eq!(feed.lost, 0);
    }
}
