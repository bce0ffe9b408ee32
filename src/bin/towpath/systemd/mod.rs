//! Tells systemd about a run (`Type=notify`, `WatchdogSec=`): that it has begun, what it does, that it goes on, and that
//! it ends. Any service manager with the protocol of sd_notify(3) will do.

mod messages;
mod socket;

use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use towpath::{Phase, Progress};

use crate::format::escape;
use crate::lock::locked;
use crate::status::live::Live;
use crate::status::sentence::sentence;
use crate::status::text::Clock;
use messages::{Messages, Seen};
use socket::NotifySocket;

/// What the service manager sets for this process; children must not have it.
pub(crate) const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// How often it is checked whether a message is due.
const TICK: Duration = Duration::from_secs(1);
/// How often, and after which pause, the last message is tried again.
const TRIES: usize = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// Messages to the service manager, until this is dropped. Without one, nothing is done.
#[derive(Default)]
pub(crate) struct ServiceManager(Option<(Arc<Sender>, AbortOnDropHandle<()>)>);

struct Sender {
    socket: NotifySocket,
    messages: Mutex<Messages>,
    live: Live,
    progress: Progress,
    /// A stop was requested.
    stop: CancellationToken,
    /// How the run ended, and whether it had begun.
    ended: Mutex<Option<(String, bool)>>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Begins to tell the manager that `NOTIFY_SOCKET` names about this run.
    ///
    /// # Errors
    /// One line: it cannot be reached. The run does without.
    pub(crate) fn start(live: Live, progress: Progress, stop: CancellationToken) -> Result<Self, String> {
        let Some(address) = variable("NOTIFY_SOCKET") else { return Ok(Self::default()) };
        let socket = NotifySocket::connect(&address).map_err(|error| {
            format!("cannot notify the service manager: NOTIFY_SOCKET {}: {error}", address.display())
        })?;
        let watchdog = watchdog(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"), std::process::id());
        let (messages, ended) = (Mutex::new(Messages::new(watchdog)), Mutex::default());
        let sender = Arc::new(Sender { socket, messages, live, progress, stop, ended, watchdog });
        let ticking = Arc::clone(&sender);
        let task = tokio::spawn(async move {
            let mut ticks = interval(watchdog.map_or(TICK, |watchdog| TICK.min(watchdog / 8)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                ticking.send();
            }
        });
        Ok(Self(Some((sender, AbortOnDropHandle::new(task)))))
    }

    /// Says that the run has ended, and how, on one line; `has_begun` even if it was too short to be seen. Signs of life
    /// go on until the process ends.
    pub(crate) async fn end(self, text: &str, has_begun: bool) {
        let Some((sender, ticking)) = self.0 else { return };
        let _until_the_process_ends = ticking.detach();
        let text = escape(text.as_bytes());
        *locked(&sender.ended) = Some((text, has_begun));
        for _ in 0..TRIES {
            if sender.send() {
                return;
            }
            sleep(BETWEEN_TRIES).await;
        }
    }
}

impl Sender {
    /// Sends what is due. False: it could not be sent, and stays due.
    fn send(&self) -> bool {
        let seen = self.seen();
        let mut messages = locked(&self.messages);
        let Some((message, sent)) = messages.due(&seen, Instant::now()) else { return true };
        let is_sent = self.socket.send(&message);
        if is_sent {
            *messages = sent;
        }
        is_sent
    }

    fn seen(&self) -> Seen {
        if let Some((status, has_begun)) = locked(&self.ended).clone() {
            return Seen { has_begun, is_ending: true, has_ended: true, goes_on: true, status };
        }
        Seen {
            has_begun: !matches!(self.progress.snapshot().phase, Phase::Starting | Phase::Ended),
            is_ending: self.stop.is_cancelled(),
            has_ended: false,
            goes_on: self.watchdog.is_none_or(|patience| self.live.goes_on(patience)),
            status: sentence(&self.live.status(), &Clock::of_system()),
        }
    }
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// How long the manager waits for a sign of life of this process.
fn watchdog(usec: Option<OsString>, pid: Option<OsString>, own: u32) -> Option<Duration> {
    let number = |value: OsString| value.to_str().and_then(|value| value.parse::<u64>().ok());
    let is_for_us = pid.is_none_or(|pid| number(pid) == Some(own.into()));
    usec.filter(|_| is_for_us).and_then(number).filter(|usec| *usec > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_for_the_process_that_it_names() {
        let of = |usec: &str, pid: Option<&str>| watchdog(Some(usec.into()), pid.map(OsString::from), 17);
        assert_eq!(of("30000000", Some("17")), Some(Duration::from_secs(30)));
        assert_eq!(of("30000000", None), Some(Duration::from_secs(30)));
        for (usec, pid) in [("30000000", Some("18")), ("30000000", Some("x")), ("0", None), ("x", None), ("", None)] {
            assert_eq!(of(usec, pid), None, "{usec} {pid:?}");
        }
        assert_eq!(watchdog(None, Some("17".into()), 17), None);
    }
}
