//! Which messages are due: pure, so that its times can be tested.

use std::time::{Duration, Instant};

/// The shortest time between two lines of status.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// What is known of the run at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// It has passed its checks, and can be steered.
    pub(super) has_begun: bool,
    /// It ends: by itself, or because it was stopped.
    pub(super) is_ending: bool,
    /// It has ended: `status` says how.
    pub(super) has_ended: bool,
    /// It makes progress, or waits for what is known.
    pub(super) goes_on: bool,
    /// One line for people.
    pub(super) status: String,
}

/// What was sent, and when.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    /// `WATCHDOG_USEC`
    watchdog: Option<Duration>,
    pinged: Option<Instant>,
    status: Option<(Instant, String)>,
    is_ready: bool,
    is_stopping: bool,
}

impl Messages {
    pub(super) fn new(watchdog: Option<Duration>) -> Self {
        Self { watchdog, pinged: None, status: None, is_ready: false, is_stopping: false }
    }

    /// The message that is due, and what is true once it has been sent.
    pub(super) fn due(&self, seen: &Seen, now: Instant) -> Option<(String, Self)> {
        let (mut lines, mut sent) = (Vec::new(), self.clone());
        // The end alone is no beginning: a run that cannot start is a failed start.
        if seen.has_begun && !self.is_ready {
            lines.push("READY=1".to_owned());
            sent.is_ready = true;
        }
        if seen.is_ending && !self.is_stopping {
            lines.push("STOPPING=1".to_owned());
            sent.is_stopping = true;
        }
        let is_old = |(at, text): &(Instant, String)| {
            *text != seen.status && (seen.has_ended || now.saturating_duration_since(*at) >= STATUS_INTERVAL)
        };
        if self.status.as_ref().is_none_or(is_old) {
            lines.push(format!("STATUS={}", seen.status));
            sent.status = Some((now, seen.status.clone()));
        }
        let is_due =
            |watchdog: Duration| self.pinged.is_none_or(|pinged| now.saturating_duration_since(pinged) >= watchdog / 2);
        // An end has a time limit of its own (TimeoutStopSec).
        if (seen.goes_on || seen.is_ending) && self.watchdog.is_some_and(is_due) {
            lines.push("WATCHDOG=1".to_owned());
            sent.pinged = Some(now);
        }
        (!lines.is_empty()).then(|| (lines.join("\n"), sent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Manager {
        messages: Messages,
        begun: Instant,
        seen: Seen,
    }

    impl Manager {
        fn new(watchdog: Option<Duration>) -> Self {
            let seen = Seen { goes_on: true, status: "scanning".to_owned(), ..Seen::default() };
            Self { messages: Messages::new(watchdog), begun: Instant::now(), seen }
        }

        /// What is sent after so many seconds.
        fn at(&mut self, seconds: u64) -> String {
            let now = self.begun + Duration::from_secs(seconds);
            let Some((message, sent)) = self.messages.due(&self.seen, now) else { return String::new() };
            self.messages = sent;
            message
        }
    }

    #[test]
    fn readiness_and_end_are_said_once() {
        let mut manager = Manager::new(None);
        assert_eq!(manager.at(0), "STATUS=scanning");
        manager.seen.has_begun = true;
        assert_eq!(manager.at(1), "READY=1");
        assert_eq!(manager.at(2), "");
        (manager.seen.is_ending, manager.seen.status) = (true, "flushing".to_owned());
        assert_eq!(manager.at(3), "STOPPING=1");
        (manager.seen.has_ended, manager.seen.status) = (true, "stopped".to_owned());
        assert_eq!(manager.at(4), "STATUS=stopped", "at once");
        assert_eq!(manager.at(5), "");
    }

    #[test]
    fn a_run_that_ends_at_once_was_ready_and_one_that_cannot_start_was_not() {
        let mut manager = Manager::new(None);
        (manager.seen.is_ending, manager.seen.has_begun) = (true, true);
        assert_eq!(manager.at(0), "READY=1\nSTOPPING=1\nSTATUS=scanning");
        let mut manager = Manager::new(None);
        manager.seen.is_ending = true;
        assert_eq!(manager.at(0), "STOPPING=1\nSTATUS=scanning");
    }

    #[test]
    fn the_status_is_sent_when_it_changes_each_few_seconds() {
        let mut manager = Manager::new(None);
        let sent: Vec<_> = (0..20)
            .map(|second| {
                manager.seen.status = format!("{} files", second / 8);
                manager.at(second)
            })
            .collect();
        let sent: Vec<_> = sent.iter().enumerate().filter(|(_, sent)| !sent.is_empty()).collect();
        let texts = ["STATUS=0 files", "STATUS=1 files", "STATUS=2 files"].map(str::to_owned);
        assert_eq!(sent, [(0, &texts[0]), (8, &texts[1]), (16, &texts[2])]);
        manager.seen.status = "a".to_owned();
        assert_eq!(manager.at(20), "", "too early");
        assert_eq!(manager.at(21), "STATUS=a");
    }

    #[test]
    fn the_watchdog_gets_a_sign_at_half_of_its_time_while_the_run_goes_on() {
        let mut manager = Manager::new(Some(Duration::from_secs(20)));
        let signs = |manager: &mut Manager, seconds: std::ops::Range<u64>| {
            seconds.filter(|second| manager.at(*second).contains("WATCHDOG=1")).collect::<Vec<_>>()
        };
        assert_eq!(signs(&mut manager, 0..31), [0, 10, 20, 30]);
        manager.seen.goes_on = false;
        assert_eq!(signs(&mut manager, 31..100), [0; 0], "it hangs");
        manager.seen.goes_on = true;
        assert_eq!(signs(&mut manager, 100..115), [100, 110]);
        (manager.seen.goes_on, manager.seen.is_ending) = (false, true);
        assert_eq!(signs(&mut manager, 115..141), [120, 130, 140], "an end has a limit of its own");
    }

    #[test]
    fn what_could_not_be_sent_stays_due() {
        let mut manager = Manager::new(None);
        manager.seen.has_begun = true;
        let now = manager.begun;
        assert_eq!(manager.messages.due(&manager.seen, now).unwrap().0, "READY=1\nSTATUS=scanning");
        assert_eq!(manager.at(9), "READY=1\nSTATUS=scanning");
    }
}
