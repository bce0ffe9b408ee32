//! Asks both trees for a round trip again and again, and sets the rate by what these take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use towpath_backend::{Sink, Source, Tree};

use super::Paces;
use super::control::{Base, Controller, INTERVAL};
use super::rate::Rate;
use crate::progress::Progress;

/// Between two requests to one tree: four in an interval, as some may find a timer or a
/// thread late.
const BETWEEN: Duration = Duration::from_millis(25);
/// At the start, before anything is sent: what the base is first known from.
const BEFORE_START: Duration = Duration::from_millis(500);

/// Follows the others on the link until `stop` is cancelled, if that was asked for.
pub(crate) async fn follow(
    paces: Arc<Paces>,
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    progress: Progress,
    stop: CancellationToken,
) {
    let Some(rate) = &paces.rate else { return };
    let (of_source, of_sink) = (RoundTrips::default(), RoundTrips::default());
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = ask(&*source, &of_source) => {}
        () = ask(&*sink, &of_sink) => {}
        () = set(rate, [&*source, &*sink], [&of_source, &of_sink], &progress) => {}
    }
}

/// The round trips to one tree since they were last looked at.
#[derive(Debug)]
struct RoundTrips {
    least_ns: AtomicU64,
    /// When the one that is under way began, after `epoch`; 0 if none is.
    under_way_since_ns: AtomicU64,
    epoch: Instant,
}

const NONE: u64 = u64::MAX;

impl Default for RoundTrips {
    fn default() -> Self {
        Self { least_ns: AtomicU64::new(NONE), under_way_since_ns: AtomicU64::new(0), epoch: Instant::now() }
    }
}

impl RoundTrips {
    fn now_ns(&self) -> u64 {
        nanoseconds(self.epoch.elapsed()).max(1)
    }

    /// The least; if none came back, how long the one under way has been away.
    fn take(&self) -> Option<Duration> {
        match self.least_ns.swap(NONE, Relaxed) {
            NONE => match self.under_way_since_ns.load(Relaxed) {
                0 => None,
                since => Some(Duration::from_nanos(self.now_ns().saturating_sub(since))),
            },
            least => Some(Duration::from_nanos(least)),
        }
    }
}

async fn ask(tree: &dyn Tree, round_trips: &RoundTrips) {
    loop {
        let since = round_trips.now_ns();
        round_trips.under_way_since_ns.store(since, Relaxed);
        let answer = tree.round_trip().await;
        round_trips.under_way_since_ns.store(0, Relaxed);
        // A request that failed at once says nothing of queues.
        if answer.is_ok() {
            round_trips.least_ns.fetch_min(round_trips.now_ns().saturating_sub(since), Relaxed);
        }
        sleep(BETWEEN).await;
    }
}

async fn set(rate: &Rate, trees: [&dyn Tree; 2], sides: [&RoundTrips; 2], progress: &Progress) {
    let mut bases = [Base::default(), Base::default()];
    let mut controller = Controller::new(rate.max_bytes_per_s());
    let started = Instant::now();
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let delays = sides.iter().zip(&mut bases).filter_map(|(side, base)| side.take().map(|least| base.delay(least)));
        let Some(delay) = delays.max() else { continue };
        let passed = rate.take_passed();
        if started.elapsed() >= BEFORE_START {
            rate.set(controller.next(delay, passed));
            trees.iter().for_each(|tree| tree.limit(rate.bytes_per_s()));
        }
        progress.set_followed(rate.bytes_per_s(), delay);
        tracing::trace!(bytes_per_s = rate.bytes_per_s(), delay_us = delay.as_micros(), passed, "rate");
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
