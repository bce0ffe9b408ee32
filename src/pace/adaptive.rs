//! The adaptive limit: measures round trips to both trees continuously, and sets the rate accordingly.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use towpath_backend::{Pacing, Sink, Source, Tree};

use super::controller::{Base, Controller, INTERVAL};
use super::paces::Paces;
use super::rate::Rate;
use crate::event::Side;
use crate::per_side::PerSide;
use crate::progress::Progress;

/// The time between two requests to one tree: two in an interval, because a timer or thread may delay one.
const BETWEEN: Duration = Duration::from_millis(25);
/// The time at the start, before anything is sent, in which the first base is measured.
const BEFORE_START: Duration = Duration::from_millis(500);

/// Adapts the limit to the other traffic on the link until `stop` is cancelled, whenever an adaptive rate is in force.
pub(crate) async fn adapt(
    paces: Arc<Paces>,
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    progress: Progress,
    stop: CancellationToken,
) {
    let mut rates = paces.rate.subscribe();
    loop {
        let rate = rates.borrow_and_update().clone();
        let adapting = async {
            match &rate {
                Some(rate) => adapt_rate(rate, &paces, &*source, &*sink, &progress).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = rates.changed() => if changed.is_err() { return },
            () = adapting => {}
        }
        progress.clear_adaptive_limit();
    }
}

/// Adapts a rate for as long as it is in force. While the migration is paused, nothing is measured.
async fn adapt_rate(rate: &Rate, paces: &Paces, source: &dyn Source, sink: &dyn Sink, progress: &Progress) {
    loop {
        let round_trips = PerSide::<RoundTrips>::default();
        tokio::select! {
            biased;
            () = paces.paused() => {}
            () = ask(source, &round_trips.source) => {}
            () = ask(sink, &round_trips.sink) => {}
            () = set(rate, &paces.pacing, &round_trips, progress) => {}
        }
        paces.resumed().await;
    }
}

/// The last round trips to one tree.
#[derive(Debug, Default)]
struct RoundTrips(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    last: Option<Duration>,
    before: Option<Duration>,
    /// Whether the last one was answered since it was taken.
    is_new: bool,
    in_flight_since: Option<Instant>,
}

impl RoundTrips {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) {
        self.recent().in_flight_since = Some(Instant::now());
    }

    /// Ends a round trip. A request that failed says nothing about queues.
    fn end(&self, is_answer: bool) {
        let mut recent = self.recent();
        let took = recent.in_flight_since.take().map(|since| since.elapsed());
        if is_answer {
            recent.before = recent.last;
            (recent.last, recent.is_new) = (took, true);
        }
    }

    /// The shorter of the last two. If none was answered meanwhile, how long the one in flight has taken so far.
    fn take(&self) -> Option<Duration> {
        let mut recent = self.recent();
        if std::mem::take(&mut recent.is_new) {
            return recent.last.map(|last| recent.before.map_or(last, |before| last.min(before)));
        }
        recent.in_flight_since.map(|since| since.elapsed())
    }
}

async fn ask(tree: &dyn Tree, round_trips: &RoundTrips) {
    loop {
        round_trips.begin();
        let answer = tree.round_trip().await;
        round_trips.end(answer.is_ok());
        sleep(BETWEEN).await;
    }
}

async fn set(rate: &Rate, pacing: &Pacing, round_trips: &PerSide<RoundTrips>, progress: &Progress) {
    let mut bases = PerSide::<Base>::default();
    let (mut controller, mut noise) = (None, Duration::ZERO);
    let started = Instant::now();
    let mut since = started;
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut delay_of = |(side, taken): (Side, &RoundTrips)| taken.take().map(|least| bases[side].delay(least));
        let Some(delay) = round_trips.iter().filter_map(&mut delay_of).max() else { continue };
        let passed = rate.take_passed();
        let passed_per_s = passed as f64 / std::mem::replace(&mut since, Instant::now()).elapsed().as_secs_f64();
        if started.elapsed() < BEFORE_START {
            noise = noise.max(delay);
        } else {
            let controller = controller.get_or_insert_with(|| Controller::new(rate.max_bytes_per_s(), noise));
            rate.set(controller.next(delay, passed_per_s));
            pacing.set_bytes_per_s(rate.bytes_per_s());
        }
        progress.set_adaptive_limit(rate.bytes_per_s(), delay);
        tracing::trace!(bytes_per_s = rate.bytes_per_s(), delay_us = delay.as_micros(), passed, "rate");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    async fn asked(round_trips: &RoundTrips, took: Duration) {
        round_trips.begin();
        sleep(took).await;
        round_trips.end(true);
    }

    #[tokio::test(start_paused = true)]
    async fn one_late_answer_of_two_is_noise_and_two_are_a_queue() {
        let round_trips = RoundTrips::default();
        assert_eq!(round_trips.take(), None);
        asked(&round_trips, MS(30)).await;
        assert_eq!(round_trips.take(), Some(MS(30)), "the only one");
        asked(&round_trips, MS(1)).await;
        asked(&round_trips, MS(30)).await;
        assert_eq!(round_trips.take(), Some(MS(1)));
        asked(&round_trips, MS(20)).await;
        assert_eq!(round_trips.take(), Some(MS(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unanswered_request_counts_with_its_waiting_time() {
        let round_trips = RoundTrips::default();
        asked(&round_trips, MS(1)).await;
        assert_eq!(round_trips.take(), Some(MS(1)));
        assert_eq!(round_trips.take(), None, "nothing was answered, and nothing is in flight");
        round_trips.begin();
        sleep(MS(70)).await;
        assert_eq!(round_trips.take(), Some(MS(70)));
        round_trips.end(false);
        assert_eq!(round_trips.take(), None, "an error is not an answer");
    }
}
