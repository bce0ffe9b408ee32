//! The control law on a simulated link.

use super::*;

/// A link with one queue, which the migration shares with other traffic.
struct Link {
    bytes_per_s: f64,
    /// Bytes waiting; a full queue drops.
    queue: f64,
    queue_limit: f64,
    round_trip: Duration,
    /// Other traffic that takes all that is left and keeps the queue full.
    bulk: bool,
    /// What the migration can use at most.
    demand: f64,
    random: u64,
    /// The jitter of timers and threads.
    jitter: Duration,
    /// How many answers are considered, and by how much they vary, where they come from a server.
    answers: Option<(usize, Duration)>,
    recent: VecDeque<Duration>,
    base: Base,
    controller: Controller,
    rate: f64,
    /// For each interval: the rate, the throughput, and the delay in seconds.
    history: Vec<(f64, f64, f64)>,
}

impl Link {
    fn new(bytes_per_s: f64) -> Self {
        Self {
            bytes_per_s,
            queue: 0.0,
            queue_limit: bytes_per_s * 0.020,
            round_trip: Duration::from_micros(900),
            bulk: false,
            demand: f64::INFINITY,
            random: 7,
            jitter: Duration::from_micros(500),
            answers: None,
            recent: VecDeque::new(),
            base: Base::default(),
            controller: Controller::new(u64::MAX, Target::SHORT, Duration::from_micros(450)),
            rate: MIN_BYTES_PER_S as f64,
            history: Vec::new(),
        }
    }

    /// A link on which each request takes the same time.
    fn quiet(bytes_per_s: f64) -> Self {
        let (jitter, controller) = (Duration::ZERO, Controller::new(u64::MAX, Target::SHORT, Duration::ZERO));
        Self { jitter, controller, ..Self::new(bytes_per_s) }
    }

    /// A link to an object store, which takes up to `varies` longer for an answer, and a queue as long as in the Internet.
    fn to_store(bytes_per_s: f64, varies: Duration) -> Self {
        let round_trip = Duration::from_millis(50);
        Self {
            round_trip,
            queue_limit: bytes_per_s * 0.3,
            jitter: Duration::ZERO,
            answers: Some((4, varies)),
            controller: Controller::new(u64::MAX, Target::of_requests(round_trip, varies), varies),
            ..Self::new(bytes_per_s)
        }
    }

    /// From 0 to 1.
    fn noise(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) as f64 / f64::from(1u32 << 31)
    }

    fn run(&mut self, seconds: f64) -> &[(f64, f64, f64)] {
        let from = self.history.len();
        for _ in 0..(seconds / INTERVAL.as_secs_f64()) as usize {
            self.interval();
        }
        &self.history[from..]
    }

    fn interval(&mut self) {
        let late = self.noise() > 0.985;
        let (mut passed, mut least) = (0.0, Duration::MAX);
        for _ in 0..2 {
            let time = INTERVAL.as_secs_f64() / 2.0;
            let mine = self.rate.min(self.demand) * time;
            let carried = self.bytes_per_s * time;
            passed += mine.min(carried + self.queue_limit - self.queue);
            self.queue += mine - carried;
            if self.bulk {
                // Traffic that fills a queue until it drops fills it at any rate of ours.
                self.queue = self.queue_limit * (0.5 + 0.5 * self.noise());
            }
            self.queue = self.queue.clamp(0.0, self.queue_limit);
            // Timers and threads: most are quick, some are not.
            let noise = self.noise();
            let most = self.jitter.as_secs_f64();
            let jitter = if noise > 0.9 { most * 20.0 * self.noise() } else { most * noise };
            // Now and then a whole interval is late.
            let jitter = jitter + if late { most * 24.0 } else { 0.0 };
            let waited = Duration::from_secs_f64(self.queue / self.bytes_per_s + jitter);
            least = least.min(self.round_trip + waited);
        }
        if let Some((considered, varies)) = self.answers {
            self.recent.truncate(considered - 1);
            let answer = least + varies.mul_f64(self.noise());
            self.recent.push_front(answer);
            least = self.recent.iter().min().copied().unwrap_or(answer);
        }
        let delay = self.base.delay(least);
        self.rate = self.controller.next(delay, passed / INTERVAL.as_secs_f64()) as f64;
        self.history.push((self.rate, passed / INTERVAL.as_secs_f64(), self.queue / self.bytes_per_s));
    }
}

fn mean(history: &[(f64, f64, f64)]) -> f64 {
    history.iter().map(|(_, passed, _)| passed).sum::<f64>() / history.len() as f64
}

/// The share of the intervals in which others waited.
fn waited(history: &[(f64, f64, f64)]) -> f64 {
    history.iter().filter(|(.., delay)| *delay > 0.0005).count() as f64 / history.len() as f64
}

const LINKS: [f64; 4] = [1.2e6, 12.5e6, 125e6, 1.25e9];

#[test]
fn an_idle_link_is_used() {
    for bytes_per_s in LINKS {
        let mut link = Link::new(bytes_per_s);
        link.run(25.0);
        let share = mean(link.run(60.0)) / bytes_per_s;
        assert!(share >= 0.92, "{share} of {bytes_per_s}");
    }
}

#[test]
fn the_queue_of_an_idle_link_is_nearly_always_empty() {
    for bytes_per_s in LINKS {
        let mut link = Link::new(bytes_per_s);
        link.run(25.0);
        let history = link.run(300.0);
        let share = waited(history);
        assert!(share <= 0.03, "{share} of the time at {bytes_per_s}");
    }
}

#[test]
fn on_a_quiet_link_others_wait_less_than_a_hundredth_of_the_time_start_and_probe_included() {
    for bytes_per_s in LINKS {
        let mut link = Link::quiet(bytes_per_s);
        // The slowest link is full sooner.
        link.run((bytes_per_s / 1.2e6).log2() * 1.4);
        let share = waited(link.run(45.0));
        assert!(share <= 0.01, "{share} of the time at {bytes_per_s}");
        let share = mean(link.run(60.0)) / bytes_per_s;
        assert!(share >= 0.94, "{share} of {bytes_per_s}");
    }
}

#[test]
fn additional_room_is_found_within_two_minutes() {
    let mut link = Link::new(12.5e6);
    link.run(120.0);
    link.bytes_per_s *= 4.0;
    link.run(80.0);
    let share = mean(link.run(10.0)) / link.bytes_per_s;
    assert!(share >= 0.85, "{share}");
}

#[test]
fn the_start_does_not_overshoot() {
    for bytes_per_s in LINKS {
        let mut link = Link::new(bytes_per_s);
        for (rate, _, delay) in link.run(30.0) {
            assert!(*rate <= bytes_per_s * 1.2, "{rate} of {bytes_per_s}");
            assert!(*delay <= 0.015, "{delay} s in the queue of {bytes_per_s}");
        }
    }
}

#[test]
fn others_get_the_link_within_a_second_and_it_is_used_again_afterwards() {
    for bytes_per_s in LINKS {
        let mut link = Link::new(bytes_per_s);
        link.run(30.0);
        link.bulk = true;
        let left = link.run(1.0).last().unwrap().0 / bytes_per_s;
        assert!(left <= 0.1 || left * bytes_per_s <= 1.1 * MIN_BYTES_PER_S as f64, "{left} after a second");
        let taken = link.run(30.0).iter().map(|(rate, ..)| rate / bytes_per_s).fold(0.0, f64::max);
        assert!(taken <= 0.2 || taken * bytes_per_s <= 1.1 * MIN_BYTES_PER_S as f64, "{taken} later");
        link.bulk = false;
        link.run(25.0);
        let share = mean(link.run(10.0)) / bytes_per_s;
        assert!(share >= 0.8, "{share} of {bytes_per_s} a while after");
    }
}

#[test]
fn an_unused_rate_does_not_grow() {
    let mut link = Link::new(125e6);
    link.demand = 3e6;
    link.run(120.0);
    assert!(link.rate <= 3e6 * UNUSED_SHARE * 1.01, "{}", link.rate);
    link.demand = f64::INFINITY;
    link.run(10.0);
    assert!(mean(link.run(10.0)) >= 60e6);
}

#[test]
fn the_rate_stays_within_its_bounds() {
    let mut link = Link::new(12.5e6);
    link.controller = Controller::new(4 << 20, Target::SHORT, Duration::ZERO);
    for (rate, ..) in link.run(20.0) {
        assert!(*rate <= (4 << 20) as f64);
    }
    link.bulk = true;
    for (rate, ..) in link.run(60.0) {
        assert!(*rate >= MIN_BYTES_PER_S as f64);
    }
    assert!(
        Controller::new(1000, Target::SHORT, Duration::ZERO).next(Duration::ZERO, 0.0) <= 1000,
        "a maximum below the lowest rate is kept"
    );
}

#[test]
fn a_longer_path_is_recognized_within_ten_minutes() {
    let mut link = Link::new(12.5e6);
    link.run(30.0);
    link.round_trip += Duration::from_millis(30);
    assert!(mean(link.run(60.0)) <= 2e6, "at first it counts as a queue");
    link.run(600.0);
    assert!(mean(link.run(30.0)) >= 10e6);
}

#[test]
fn an_overestimated_capacity_is_corrected() {
    let mut link = Link::new(12.5e6);
    link.run(15.0);
    link.bytes_per_s *= 0.9;
    link.run(5.0);
    let history = link.run(10.0);
    let waited = waited(history);
    assert!(waited <= 0.15, "{waited} of the time");
    let share = mean(link.run(10.0)) / link.bytes_per_s;
    assert!(share >= 0.85, "{share}");
}

#[test]
fn an_idle_link_to_an_object_store_is_used_though_its_answers_vary() {
    for bytes_per_s in [1.2e6, 12.5e6, 125e6] {
        for varies in [0, 5, 20, 60].map(Duration::from_millis) {
            let mut link = Link::to_store(bytes_per_s, varies);
            link.run(20.0);
            let share = mean(link.run(60.0)) / bytes_per_s;
            assert!(share >= 0.6, "{share} of {bytes_per_s} where answers vary by {varies:?}");
        }
    }
}

#[test]
fn others_get_the_link_to_an_object_store_within_seconds() {
    for varies in [0, 5, 20, 60].map(Duration::from_millis) {
        let mut link = Link::to_store(12.5e6, varies);
        link.run(40.0);
        link.bulk = true;
        link.run(3.0);
        let share = mean(link.run(20.0)) / link.bytes_per_s;
        assert!(share <= 0.1, "{share} where answers vary by {varies:?}");
        link.bulk = false;
        link.run(30.0);
        let share = mean(link.run(10.0)) / link.bytes_per_s;
        assert!(share >= 0.6, "{share} a while after, where answers vary by {varies:?}");
    }
}
