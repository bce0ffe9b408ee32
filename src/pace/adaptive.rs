//! The adaptive limit: measures round trips to both trees continuously, and sets the rate accordingly.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use towpath_backend::{Pacing, Tree};

use super::controller::{Base, Controller, INTERVAL, Target};
use super::paces::Paces;
use super::rate::Rate;
use crate::event::Side;
use crate::lock::locked;
use crate::per_side::PerSide;
use crate::progress::{AdaptiveLimit, Progress};

/// The time between two requests to one tree: two in an interval, because a timer or thread may delay one.
const BETWEEN: Duration = Duration::from_millis(25);
/// The time at the start, before anything is sent, in which the first base is measured.
const BEFORE_START: Duration = Duration::from_millis(500);

/// Adapts the limit to the other traffic on the link until `stop` is cancelled, whenever an adaptive rate is in force.
pub(crate) async fn adapt(
    paces: Arc<Paces>,
    source: Arc<dyn Tree>,
    sink: Arc<dyn Tree>,
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
async fn adapt_rate(rate: &Rate, paces: &Paces, source: &dyn Tree, sink: &dyn Tree, progress: &Progress) {
    loop {
        let round_trips = PerSide { source: RoundTrips::to(source), sink: RoundTrips::to(sink) };
        tokio::select! {
            biased;
            () = paces.paused() => {}
            () = ask(source, Side::Source, &round_trips.source, progress) => {}
            () = ask(sink, Side::Sink, &round_trips.sink, progress) => {}
            () = set(rate, &paces.pacing, &round_trips, progress) => {}
        }
        paces.resumed().await;
    }
}

/// How a tree answers small requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    /// At once, as kernels and file servers do.
    AtOnce,
    /// When the server of an object store has found what was asked for.
    Varying,
}

impl Answers {
    fn of(tree: &dyn Tree) -> Self {
        if tree.hints().request_per_read { Self::Varying } else { Self::AtOnce }
    }

    /// How many answers in a row are late if there is a queue.
    fn considered(self) -> usize {
        match self {
            Self::AtOnce => 2,
            Self::Varying => 4,
        }
    }

    /// How long the first base is measured.
    fn before_start(self) -> Duration {
        match self {
            Self::AtOnce => BEFORE_START,
            Self::Varying => 2 * BEFORE_START,
        }
    }
}

/// The last round trips to one tree.
#[derive(Debug)]
struct RoundTrips {
    answers: Answers,
    is_over_network: bool,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    /// The last ones that were answered.
    answered: VecDeque<Duration>,
    /// The shortest and the longest of all but the first, which had to connect.
    range: Option<(Duration, Duration)>,
    has_connected: bool,
    in_flight_since: Option<Instant>,
}

impl RoundTrips {
    fn to(tree: &dyn Tree) -> Self {
        Self::new(Answers::of(tree), tree.hints().over_network)
    }

    fn new(answers: Answers, is_over_network: bool) -> Self {
        Self { answers, is_over_network, recent: Mutex::default() }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        locked(&self.recent)
    }

    fn begin(&self) {
        self.recent().in_flight_since = Some(Instant::now());
    }

    /// Ends a round trip, and returns how long it took. A request that failed says nothing about queues.
    fn end(&self, is_answer: bool) -> Option<Duration> {
        let mut recent = self.recent();
        let since = recent.in_flight_since.take()?;
        if !is_answer {
            recent.answered.clear();
            return None;
        }
        let took = since.elapsed();
        if recent.answered.len() == self.answers.considered() {
            recent.answered.pop_front();
        }
        recent.answered.push_back(took);
        if std::mem::replace(&mut recent.has_connected, true) {
            let (shortest, longest) = recent.range.unwrap_or((took, took));
            recent.range = Some((shortest.min(took), longest.max(took)));
        }
        Some(took)
    }

    /// How much the answers varied so far.
    fn spread(&self) -> Duration {
        self.recent().range.map_or(Duration::ZERO, |(shortest, longest)| longest - shortest)
    }

    /// The shortest of the last few, or how long the one in flight has taken so far if that is longer than all of them;
    /// `None` as long as there was no answer: how long the first takes is not known before it is there.
    fn least(&self) -> Option<Duration> {
        let recent = self.recent();
        let (least, longest) = recent.answered.iter().min().zip(recent.answered.iter().max())?;
        let late = match self.answers {
            Answers::AtOnce => *longest,
            Answers::Varying => *longest * 2,
        };
        let waits = recent.in_flight_since.map(|since| since.elapsed());
        Some(waits.filter(|waits| *waits > late).unwrap_or(*least))
    }
}

async fn ask(tree: &dyn Tree, side: Side, round_trips: &RoundTrips, progress: &Progress) {
    loop {
        round_trips.begin();
        let answer = tree.round_trip().await;
        if let Some(took) = round_trips.end(answer.is_ok()) {
            progress.timed_requests().add(side, took);
        }
        sleep(BETWEEN).await;
    }
}

/// What is known of the round trips to one tree.
#[derive(Debug, Default)]
struct Measured {
    base: Base,
    /// The longest delay before anything was sent.
    noise: Duration,
}

/// The delay to aim at for both trees, and how much more a delay of each counts.
struct Aim {
    target: Target,
    weights: PerSide<f64>,
}

impl Aim {
    fn of(measured: &PerSide<Measured>, round_trips: &PerSide<RoundTrips>) -> Self {
        let varying = round_trips.iter().filter(|(_, taken)| taken.answers == Answers::Varying);
        let targets =
            varying.map(|(side, taken)| Target::of_requests(measured[side].base.round_trip(), taken.spread()));
        let target = targets.max().unwrap_or(Target::SHORT);
        let mut weights = PerSide { source: 1.0, sink: 1.0 };
        for (side, taken) in round_trips.iter() {
            // Others wait for the queue of a file server, too.
            if taken.answers == Answers::AtOnce && taken.is_over_network {
                weights[side] = target.in_short_ones();
            }
        }
        Self { target, weights }
    }

    /// The longest of the delays of both sides, as one that the target is compared with.
    fn weighted(&self, delays: impl Iterator<Item = (Side, Duration)>) -> Duration {
        delays.map(|(side, delay)| delay.mul_f64(self.weights[side])).max().unwrap_or_default()
    }
}

async fn set(rate: &Rate, pacing: &Pacing, round_trips: &PerSide<RoundTrips>, progress: &Progress) {
    let mut measured = PerSide::<Measured>::default();
    let mut controller: Option<(Controller, Aim)> = None;
    let before_start = round_trips.iter().map(|(_, taken)| taken.answers.before_start()).max().unwrap_or(BEFORE_START);
    let started = Instant::now();
    let mut since = started;
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut delays = PerSide::<Option<Duration>>::default();
        for (side, taken) in round_trips.iter() {
            delays[side] = taken.least().map(|least| measured[side].base.delay(least));
        }
        let longest = delays.iter().filter_map(|(side, delay)| Some(((*delay)?, side))).max_by_key(|(delay, _)| *delay);
        let Some((delay, side)) = longest else { continue };
        let passed = rate.take_passed();
        let passed_per_s = passed as f64 / std::mem::replace(&mut since, Instant::now()).elapsed().as_secs_f64();
        if started.elapsed() < before_start {
            for (side, delay) in delays.iter() {
                measured[side].noise = measured[side].noise.max(delay.unwrap_or_default());
            }
        } else {
            let (controller, aim) = controller.get_or_insert_with(|| {
                let aim = Aim::of(&measured, round_trips);
                let noises = round_trips.iter().map(|(side, taken)| match taken.answers {
                    Answers::AtOnce => (side, measured[side].noise),
                    Answers::Varying => (side, taken.spread()),
                });
                let noise = aim.weighted(noises);
                (Controller::new(rate.max_bytes_per_s(), aim.target, noise), aim)
            });
            let weighted = aim.weighted(delays.iter().map(|(side, delay)| (side, delay.unwrap_or_default())));
            rate.set(controller.next(weighted, passed_per_s));
            pacing.set_bytes_per_s(rate.bytes_per_s());
        }
        let (limit_bytes_per_s, base_round_trip) = (rate.bytes_per_s(), measured[side].base.round_trip());
        progress.set_adaptive_limit(AdaptiveLimit { limit_bytes_per_s, delay, base_round_trip });
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
        let round_trips = RoundTrips::new(Answers::AtOnce, true);
        assert_eq!(round_trips.least(), None);
        asked(&round_trips, MS(30)).await;
        assert_eq!(round_trips.least(), Some(MS(30)), "the only one");
        asked(&round_trips, MS(1)).await;
        asked(&round_trips, MS(30)).await;
        assert_eq!(round_trips.least(), Some(MS(1)));
        asked(&round_trips, MS(20)).await;
        assert_eq!(round_trips.least(), Some(MS(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unanswered_request_counts_with_its_waiting_time() {
        let round_trips = RoundTrips::new(Answers::AtOnce, true);
        asked(&round_trips, MS(1)).await;
        assert_eq!(round_trips.least(), Some(MS(1)));
        round_trips.begin();
        sleep(MS(70)).await;
        assert_eq!(round_trips.least(), Some(MS(70)));
        round_trips.end(false);
        assert_eq!(round_trips.least(), None, "an error is not an answer");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_not_answered_yet_is_no_short_round_trip() {
        for answers in [Answers::AtOnce, Answers::Varying] {
            let round_trips = RoundTrips::new(answers, true);
            round_trips.begin();
            sleep(MS(5)).await;
            assert_eq!(round_trips.least(), None);
            sleep(MS(45)).await;
            round_trips.end(true);
            round_trips.begin();
            sleep(MS(5)).await;
            assert_eq!(round_trips.least(), Some(MS(50)), "{answers:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_answers_vary_four_late_ones_are_a_queue() {
        let round_trips = RoundTrips::new(Answers::Varying, true);
        asked(&round_trips, MS(50)).await;
        for _ in 0..3 {
            asked(&round_trips, MS(90)).await;
            assert_eq!(round_trips.least(), Some(MS(50)));
        }
        asked(&round_trips, MS(90)).await;
        assert_eq!(round_trips.least(), Some(MS(90)));
        round_trips.begin();
        sleep(MS(170)).await;
        assert_eq!(round_trips.least(), Some(MS(90)), "late, as any may be");
        sleep(MS(20)).await;
        assert_eq!(round_trips.least(), Some(MS(190)));
    }
}
