//! Waits of less than a millisecond, the resolution of the runtime's timers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::time::sleep_until;

/// The most waits at a time; further ones use the runtime's timers.
const MOST_WAITS: usize = 1024;

/// Wakes tasks at their time, to within the kernel's timers: some 50 µs.
#[derive(Debug)]
pub(super) struct Clock(SyncSender<Wait>);

#[derive(Debug)]
struct Wait {
    until: Instant,
    wake: oneshot::Sender<()>,
}

impl Clock {
    /// Starts its thread, which ends with the clock; `None` if the system cannot start a thread.
    pub(super) fn start() -> Option<Self> {
        let (waits, asked) = sync_channel(MOST_WAITS);
        thread::Builder::new().name("towpath-clock".to_owned()).spawn(move || keep(&asked)).ok()?;
        Some(Self(waits))
    }

    /// Returns at `until`.
    pub(super) async fn wait(&self, until: Instant) {
        let (wake, woken) = oneshot::channel();
        if until <= Instant::now() {
            return;
        }
        if self.0.try_send(Wait { until, wake }).is_err() || woken.await.is_err() {
            sleep_until(until.into()).await;
        }
    }
}

/// The thread: sleeps until the next wait ends or another one begins.
fn keep(asked: &Receiver<Wait>) {
    let mut waits = BinaryHeap::<Reverse<Wait>>::new();
    loop {
        let now = Instant::now();
        while let Some(Reverse(next)) = waits.peek()
            && next.until <= now
        {
            if let Some(Reverse(next)) = waits.pop() {
                let _gone = next.wake.send(());
            }
        }
        let next = waits.peek().map(|Reverse(next)| next.until.saturating_duration_since(now));
        let asked = match next {
            Some(next) => asked.recv_timeout(next),
            None => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match asked {
            Ok(wait) => waits.push(Reverse(wait)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl PartialEq for Wait {
    fn eq(&self, other: &Self) -> bool {
        self.until == other.until
    }
}

impl Eq for Wait {}

impl PartialOrd for Wait {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Wait {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.until.cmp(&other.until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_wait_is_the_next() {
        let start = Instant::now();
        let wait =
            |after_us| Reverse(Wait { until: start + Duration::from_micros(after_us), wake: oneshot::channel().0 });
        let mut waits: BinaryHeap<_> = [30_300, 300, 15_000, 0].map(wait).into();
        let order = std::iter::from_fn(|| waits.pop()).map(|Reverse(next)| (next.until - start).as_micros());
        assert_eq!(order.collect::<Vec<_>>(), [0, 300, 15_000, 30_300]);
    }

    #[tokio::test]
    async fn every_wait_ends_and_none_too_early() {
        let clock = Clock::start().unwrap();
        let start = Instant::now();
        let wait = async |after_us| {
            let until = start + Duration::from_micros(after_us);
            clock.wait(until).await;
            assert!(Instant::now() >= until);
        };
        tokio::join!(wait(3_300), wait(300), wait(1_500), wait(0));
    }

    #[tokio::test]
    async fn a_dropped_wait_does_not_stop_the_others() {
        let clock = Clock::start().unwrap();
        let now = Instant::now();
        let given_up = tokio::time::timeout(Duration::from_millis(1), clock.wait(now + Duration::from_secs(60))).await;
        assert!(given_up.is_err());
        clock.wait(now + Duration::from_millis(5)).await;
    }
}
