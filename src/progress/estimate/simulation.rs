//! Simulates migrations over days and weeks, and compares what was forecast at many moments with the true end.

mod changes;

use std::time::Duration;

use towpath_backend::Timestamp;

use super::super::sample::RateSample;
use super::super::thin::thin;
use super::costs::Work;
use super::forecast::{Forecast, YEAR_S};
use super::outlook::{Allowed, Outlook};

/// A Monday, 00:00 UTC.
const MONDAY_S: i64 = 1_767_571_200;
const DAY_S: i64 = 86_400;
const MIB: f64 = 1_048_576.0;

/// Deterministic random numbers (splitmix64).
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A factor with this standard deviation of its logarithm.
    fn factor(&mut self, deviation: f64) -> f64 {
        let normal: f64 = (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0;
        (normal * deviation).exp()
    }
}

/// What the world is like.
struct World {
    /// Bytes per second of the link in this minute, from the seconds since Monday and the seconds since the start.
    link: Link,
    file_s: f64,
    timetable: fn(i64) -> Allowed,
    /// What is sent, one after the other.
    work: Vec<Work>,
    /// Days of earlier runs with the same mix.
    history_days: i64,
}

struct Timetable(fn(i64) -> Allowed);

impl Outlook for Timetable {
    fn allowed(&self, at: Timestamp, _: Allowed) -> Allowed {
        (self.0)(at.seconds() - MONDAY_S)
    }
}

fn unlimited(_: i64) -> Allowed {
    Allowed::Unlimited
}

fn hour(week_s: i64) -> i64 {
    week_s.rem_euclid(DAY_S) / 3600
}

fn is_weekend(week_s: i64) -> bool {
    week_s.rem_euclid(7 * DAY_S) >= 5 * DAY_S
}

fn office_hours(week_s: i64) -> Allowed {
    match (is_weekend(week_s), hour(week_s)) {
        (false, 8..18) => Allowed::Limit(5 << 20),
        (false, 22) => Allowed::Nothing,
        _ => Allowed::Unlimited,
    }
}

/// A run: its samples, those before it included, and when it ended.
struct Ran {
    samples: Vec<RateSample>,
    /// What was left at the beginning of each minute of the run, by the seconds since 1970.
    left: Vec<(i64, Work)>,
    end_s: f64,
}

fn total(work: &[Work]) -> Work {
    Work { files: work.iter().map(|one| one.files).sum(), bytes: work.iter().map(|one| one.bytes).sum() }
}

fn run(world: &World, begin_s: i64, seed: u64) -> Ran {
    let mut random = Random(seed);
    let (mut samples, mut left) = (Vec::new(), Vec::new());
    let all = total(&world.work);
    let mut at_s = begin_s - world.history_days * DAY_S;
    let mut todo: Vec<Work> = world.work.iter().rev().copied().collect();
    loop {
        let is_history = at_s < begin_s;
        if !is_history {
            left.push((at_s, total(&todo)));
        }
        let week_s = at_s - MONDAY_S;
        let link = (world.link)(week_s, at_s - begin_s, &mut random).max(0.0);
        let allowed = (world.timetable)(week_s);
        let mut sample = RateSample::new(Timestamp::from_parts(at_s, 0), Duration::from_secs(60));
        let rate = match allowed {
            Allowed::Nothing => 0.0,
            Allowed::Limit(limit) => link.min(limit as f64),
            Allowed::Unlimited => link,
        };
        if let Allowed::Limit(limit) = allowed {
            sample.limit_bytes_per_s = Some(limit);
        }
        if allowed == Allowed::Nothing {
            sample.paused = sample.duration;
        }
        let (mut time_s, mut sent) = (60.0, Work::default());
        while time_s > 1e-6 && rate > 0.0 {
            let Some(one) = (if is_history { Some(&all) } else { todo.last() }) else { break };
            let needed_s = one.files * world.file_s + one.bytes / rate;
            let share = (time_s / needed_s).min(1.0);
            let done = Work { files: one.files * share, bytes: one.bytes * share };
            sent = total(&[sent, done]);
            time_s -= needed_s * share;
            if is_history {
                break;
            }
            if share >= 1.0 {
                todo.pop();
            } else if let Some(one) = todo.last_mut() {
                *one = Work { files: one.files - done.files, bytes: one.bytes - done.bytes };
            }
        }
        (sample.files, sample.bytes) = (sent.files.round() as u64, sent.bytes as u64);
        samples.push(sample);
        if !is_history && todo.is_empty() {
            return Ran { samples, left, end_s: at_s as f64 + 60.0 - time_s };
        }
        at_s += 60;
        assert!(at_s - begin_s < 200 * DAY_S, "never ends");
    }
}

type Link = Box<dyn Fn(i64, i64, &mut Random) -> f64>;

/// How forecasts compare with the true end.
#[derive(Debug, Default)]
struct Calibration {
    forecasts: usize,
    within_p50: usize,
    within_p90: usize,
    /// The logarithms of p50 over the true time.
    p50_errors: Vec<f64>,
}

impl Calibration {
    fn add(&mut self, more: Self) {
        self.forecasts += more.forecasts;
        self.within_p50 += more.within_p50;
        self.within_p90 += more.within_p90;
        self.p50_errors.extend(more.p50_errors);
        self.p50_errors.sort_by(f64::total_cmp);
    }

    fn p50_share(&self) -> f64 {
        self.within_p50 as f64 / self.forecasts as f64
    }

    fn p90_share(&self) -> f64 {
        self.within_p90 as f64 / self.forecasts as f64
    }

    /// The factor between p50 and the true time that a share of the forecasts does not exceed.
    fn error(&self, share: f64) -> f64 {
        self.p50_errors[((self.p50_errors.len() - 1) as f64 * share) as usize].exp()
    }

    #[track_caller]
    fn assert_p90_covers(&self) -> &Self {
        assert!(self.p90_share() >= 0.85, "{self:?}");
        self
    }

    #[track_caller]
    fn assert_p50_halves(&self) -> &Self {
        assert!((0.3..=0.7).contains(&self.p50_share()), "{} {self:?}", self.p50_share());
        self
    }

    /// 8 of 10 forecasts are wrong by no more than this factor.
    #[track_caller]
    fn assert_p50_within(&self, factor: f64) -> &Self {
        let errors = [self.error(0.1), self.error(0.5), self.error(0.9)];
        assert!(errors[0] >= 1.0 / factor && errors[2] <= factor, "{errors:?}");
        self
    }
}

/// Forecasts at several moments of each of several runs.
fn calibrate(world: &World) -> Calibration {
    calibrate_from(world, 0, 8)
}

/// As [`calibrate`], with the forecasts that are made from `from_s` on, in seconds since the start.
fn calibrate_from(world: &World, from_s: i64, runs: i64) -> Calibration {
    let points = 8;
    let mut calibration = Calibration::default();
    for number in 0..runs {
        // Another hour of another day for each.
        let begin_s = MONDAY_S + 98 * DAY_S + number * 29 * 3600;
        let ran = run(world, begin_s, 1000 + number.cast_unsigned());
        for point in 0..points {
            let minute = ran.left.len() * (2 * point + 1) / (2 * points);
            let Some(&(at_s, left)) = ran.left.get(minute).filter(|(at_s, _)| at_s - begin_s >= from_s) else {
                continue;
            };
            let known = ran.samples.partition_point(|sample| sample.start.seconds() < at_s);
            let samples = &ran.samples[..known];
            let mut forecast =
                Forecast::new(&thin(samples, at_s), at_s, &Timetable(world.timetable), Allowed::Unlimited);
            live(&mut forecast, samples, at_s);
            let Some(times) = forecast.times(left, at_s) else { continue };
            let true_s = ran.end_s - at_s as f64;
            assert!(times.p50_s >= 0.0 && times.p90_s >= times.p50_s && times.p90_s <= YEAR_S);
            calibration.forecasts += 1;
            calibration.within_p50 += usize::from(true_s <= times.p50_s);
            calibration.within_p90 += usize::from(true_s <= times.p90_s);
            calibration.p50_errors.push((times.p50_s / true_s).ln());
        }
    }
    calibration.p50_errors.sort_by(f64::total_cmp);
    calibration
}

/// As the estimator does it with the counters of the last two minutes.
fn live(forecast: &mut Forecast, samples: &[RateSample], at_s: i64) {
    let last = &samples[samples.len().saturating_sub(2)..];
    let sent = Work {
        files: last.iter().map(|one| one.files as f64).sum(),
        bytes: last.iter().map(|one| one.bytes as f64).sum(),
    };
    let time_s: f64 = last.iter().map(|one| one.active().as_secs_f64()).sum();
    if time_s > 0.0 && forecast.is_known() {
        forecast.set_live(forecast.time_now_s(sent, at_s).map(|needed_s| needed_s / time_s));
    }
}

/// A link with this mean.
fn steady(mib_per_s: f64, deviation: f64) -> Link {
    Box::new(move |_, _, random| mib_per_s * MIB * random.factor(deviation))
}

fn by_day(deviation: f64) -> Link {
    Box::new(move |week_s, _, random| {
        let mib_per_s = if (8..18).contains(&hour(week_s)) { 4.0 } else { 16.0 };
        mib_per_s * MIB * random.factor(deviation)
    })
}

fn by_week(deviation: f64) -> Link {
    Box::new(move |week_s, _, random| {
        let is_busy = !is_weekend(week_s) && (8..18).contains(&hour(week_s));
        let mib_per_s = if is_busy { 4.0 } else { 20.0 };
        mib_per_s * MIB * random.factor(deviation)
    })
}

/// A factor that stays for three hours.
fn weather(deviation: f64) -> Link {
    Box::new(move |week_s, _, random| {
        let mut of_hours = Random(week_s.div_euclid(3 * 3600).cast_unsigned().wrapping_mul(77_777));
        of_hours.uniform();
        10.0 * MIB * of_hours.factor(deviation) * random.factor(0.2)
    })
}

/// Pareto-distributed, without a variance.
fn bursts() -> Link {
    Box::new(|_, _, random| 4.0 * MIB * random.uniform().max(1e-4).powf(-1.0 / 1.5))
}

/// Work for so many days at 10 MiB/s and 10 ms for a file; files take this share of the time.
fn mixed(days: f64, share_of_files: f64) -> Work {
    let time_s = days * DAY_S as f64;
    Work { files: time_s * share_of_files / 0.01, bytes: time_s * (1.0 - share_of_files) * 10.0 * MIB }
}

fn world(link: Link, days: f64, history_days: i64) -> World {
    World { link, file_s: 0.01, timetable: unlimited, work: vec![mixed(days, 0.5)], history_days }
}

#[test]
fn a_constant_rate_has_an_exact_end() {
    calibrate(&world(steady(10.0, 0.0), 0.5, 0)).assert_p90_covers().assert_p50_within(1.005);
    calibrate(&world(steady(10.0, 0.0), 0.5, 14)).assert_p90_covers().assert_p50_within(1.005);
}

#[test]
fn noise_averages_out() {
    calibrate(&world(steady(10.0, 0.4), 1.0, 0)).assert_p90_covers().assert_p50_within(1.05);
    calibrate(&world(steady(10.0, 0.4), 1.0, 7)).assert_p90_covers().assert_p50_halves().assert_p50_within(1.03);
}

#[test]
fn day_and_night_are_learned() {
    calibrate(&world(by_day(0.3), 1.0, 0)).assert_p90_covers();
    calibrate(&world(by_day(0.3), 1.0, 14)).assert_p90_covers().assert_p50_halves().assert_p50_within(1.05);
}

#[test]
fn weekends_are_learned() {
    calibrate(&world(by_week(0.3), 2.0, 0)).assert_p90_covers();
    calibrate(&world(by_week(0.3), 2.0, 14)).assert_p90_covers().assert_p50_halves().assert_p50_within(1.1);
}

#[test]
fn slow_changes_make_the_end_uncertain() {
    calibrate(&world(weather(0.5), 1.0, 0)).assert_p90_covers();
    calibrate(&world(weather(0.5), 1.0, 7)).assert_p90_covers().assert_p50_halves();
}

#[test]
fn bursts_with_heavy_tails_are_covered() {
    calibrate(&world(bursts(), 1.0, 0)).assert_p90_covers();
    calibrate(&world(bursts(), 1.0, 7)).assert_p90_covers().assert_p50_halves();
}

#[test]
fn a_timetable_is_foreseen() {
    let throttled = |link, days, history_days| World { timetable: office_hours, ..world(link, days, history_days) };
    calibrate(&throttled(steady(20.0, 0.3), 1.0, 0)).assert_p90_covers();
    calibrate(&throttled(steady(20.0, 0.3), 1.0, 14)).assert_p90_covers().assert_p50_within(1.03);
    calibrate(&throttled(weather(0.3), 1.0, 14)).assert_p90_covers().assert_p50_halves();
}

#[test]
fn a_stall_of_an_hour_does_not_last_for_ever() {
    let stall: fn() -> Link = || {
        Box::new(
            |_, since_s, random| {
                if (30_000..33_600).contains(&since_s) { 0.0 } else { 10.0 * MIB * random.factor(0.2) }
            },
        )
    };
    calibrate(&world(stall(), 1.0, 0)).assert_p90_covers().assert_p50_within(1.2);
    calibrate(&world(stall(), 2.0, 3)).assert_p90_covers().assert_p50_within(1.1);
}

#[test]
fn small_files_before_large_ones_and_after_them_are_covered() {
    let in_turn = |shares: [f64; 2], history_days| World {
        work: shares.map(|share| mixed(0.4, share)).to_vec(),
        ..world(steady(10.0, 0.3), 0.0, history_days)
    };
    for shares in [[0.98, 0.02], [0.02, 0.98]] {
        // Before the first run has sent both, the cost of the other kind is a guess.
        calibrate(&in_turn(shares, 0)).assert_p90_covers();
        calibrate(&in_turn(shares, 7)).assert_p90_covers().assert_p50_within(1.25);
    }
}

#[test]
fn a_faster_second_half_ends_earlier_than_forecast() {
    let faster: fn() -> Link = || {
        Box::new(|_, since_s, random| {
            let mib_per_s = if since_s > 50_000 { 20.0 } else { 8.0 };
            mib_per_s * MIB * random.factor(0.3)
        })
    };
    calibrate(&world(faster(), 1.0, 0)).assert_p90_covers().assert_p50_within(1.6);
    calibrate(&world(faster(), 1.0, 7)).assert_p90_covers().assert_p50_within(1.6);
}

/// Over all kinds of worlds, half of the ends are at or before p50.
#[test]
fn p50_is_the_middle_of_all_worlds() {
    let links: [Link; 5] = [steady(10.0, 0.4), by_day(0.3), by_week(0.3), weather(0.5), bursts()];
    let mut all = Calibration::default();
    links.into_iter().for_each(|link| all.add(calibrate(&world(link, 0.5, 2))));
    let share = all.p50_share();
    assert!((0.4..=0.6).contains(&share), "{share}");
}
