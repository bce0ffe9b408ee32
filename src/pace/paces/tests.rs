//! What passes, and when, in the runtime's simulated time.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, timeout};
use towpath_backend::Hints;

use super::*;
use crate::pace::limit::{IN_FLIGHT, MAX_STEP_BYTES, PAGE_BYTES, step_bytes};

/// One direction without a link, with this limit.
fn pace(side: Side, limit: Option<u64>, steps: Steps) -> Pace {
    let pace = Pace::new(side, Link::None, steps, &Arc::default());
    pace.set_first(limit, None);
    pace
}

fn both(steps: Steps) -> PerSide<Steps> {
    PerSide { source: steps, sink: steps }
}

/// When each step passed, and its size, for `lanes` lanes that alternate.
async fn passes(limit: u64, steps: Steps, lanes: usize, seconds: u64, think: Duration) -> Vec<(Duration, usize)> {
    let pace = Arc::new(pace(Side::Source, Some(limit), steps));
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..lanes)
        .map(|_| {
            let pace = Arc::clone(&pace);
            tokio::spawn(async move {
                let mut passed = Vec::new();
                while Instant::now() < end {
                    pace.pass(pace.step_bytes()).await;
                    passed.push((start.elapsed(), pace.step_bytes()));
                    tokio::time::sleep(think).await;
                }
                passed
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all.sort();
    all
}

/// The most bytes in any window of one second.
fn busiest_second(passes: &[(Duration, usize)]) -> usize {
    let mut worst = 0;
    for (i, (from, _)) in passes.iter().enumerate() {
        let within = passes[i..].iter().take_while(|(at, _)| *at < *from + Duration::from_secs(1));
        worst = worst.max(within.map(|(_, bytes)| bytes).sum());
    }
    worst
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_second_holds_more_than_the_limit(
        limit in 64u64 << 10..200 << 20,
        lanes in 1usize..5,
        steps in prop_oneof![Just(Steps::Pages), Just(Steps::Requests)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let passes = runtime.block_on(passes(limit, steps, lanes, 6, Duration::ZERO));
        let worst = busiest_second(&passes) as f64;
        // A step more or less: 4 KiB of 64 KiB/s is more than 2 %.
        let step = passes[0].1 as f64;
        prop_assert!(worst <= (limit as f64 * 1.005) + step, "{worst} in a second, limit {limit}");
    }

    #[test]
    fn steps_are_small_at_every_limit(limit in 1024u64..1 << 40) {
        let step = step_bytes(limit);
        prop_assert!((PAGE_BYTES..=MAX_STEP_BYTES).contains(&step));
        prop_assert_eq!(step % PAGE_BYTES, 0);
        let pace = pace(Side::Source, None, Steps::Pages);
        prop_assert_eq!(pace.block_bytes(5 << 20), 5 << 20, "without a limit unchanged");
        if limit >= 512 << 10 {
            prop_assert!(step as f64 <= limit as f64 * 0.016);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn blocks_are_whole_steps_and_a_small_fraction_of_a_second() {
    for limit in [4 << 10, 256 << 10, 1 << 20, 5 << 20, 20 << 20, 100 << 20, 1 << 30] {
        let pace = pace(Side::Source, Some(limit), Steps::Pages);
        for block_size in [1, 4096, 5000, 1 << 20, 5 << 20, 64 << 20] {
            let block = pace.block_bytes(block_size);
            assert!(block <= block_size && (block.is_multiple_of(pace.step_bytes()) || block == block_size));
            assert!(block <= pace.step_bytes().max(limit as usize / 16), "{block} of {limit} in a second");
            let (part, step) = (pace.whole_steps((block as u64 * 2 / 3).max(1)), pace.step_bytes() as u64);
            assert!(part > 0 && (part < step || part.is_multiple_of(step)), "{part} is no number of steps");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_mean_is_within_three_percent_below_the_limit() {
    for limit in [256 << 10, 5 << 20, 20 << 20, 100 << 20] {
        let passes = passes(limit, Steps::Pages, 3, 20, Duration::ZERO).await;
        let last = passes.last().unwrap().0.as_secs_f64();
        let mean = passes.iter().map(|(_, bytes)| *bytes).sum::<usize>() as f64 / last;
        let share = mean / limit as f64;
        assert!((0.97..=1.0).contains(&share), "{share} of {limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_not_made_up_for() {
    let limit = 8 << 20;
    let pace = pace(Side::Source, Some(limit), Steps::Pages);
    pace.pass(pace.step_bytes()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let start = Instant::now();
    let mut bytes = 0;
    while start.elapsed() < Duration::from_millis(100) {
        pace.pass(pace.step_bytes()).await;
        bytes += pace.step_bytes();
    }
    assert!(bytes as f64 <= limit as f64 * 0.1 * 1.15, "{bytes} in 100 ms");
}

#[tokio::test(start_paused = true)]
async fn after_a_stall_the_data_in_flight_counts_first() {
    let pace = pace(Side::Sink, Some(8 << 20), Steps::Pages);
    pace.pass(pace.step_bytes()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let start = Instant::now();
    pace.pass(pace.step_bytes()).await;
    assert!(start.elapsed() >= IN_FLIGHT, "{:?}", start.elapsed());
    let next = Instant::now();
    pace.pass(pace.step_bytes()).await;
    assert!(next.elapsed() < IN_FLIGHT / 2, "only the first waits: {:?}", next.elapsed());
}

#[tokio::test(start_paused = true)]
async fn all_files_share_the_in_flight_window() {
    let options = Options::default().bandwidth(Bandwidth::Limit(16 << 20));
    let paces = Paces::new(&options, false, both(Steps::Pages));
    let first = OpenFile::new(&paces, Side::Sink);
    assert_eq!(paces.write.in_flight_bytes(), Some(1 << 20));
    let second = OpenFile::new(&paces, Side::Sink);
    assert_eq!(paces.write.in_flight_bytes(), Some(512 << 10));
    drop(first);
    assert_eq!(paces.write.in_flight_bytes(), Some(1 << 20));
    drop(second);
    let many: Vec<_> = (0..100).map(|_| OpenFile::new(&paces, Side::Sink)).collect();
    assert_eq!(paces.write.in_flight_bytes(), Some(paces.write.step_bytes() as u64), "a step always may");
    drop(many);
    assert_eq!(Paces::new(&Options::default(), true, both(Steps::Pages)).write.in_flight_bytes(), None);
}

#[tokio::test(start_paused = true)]
async fn requests_count_only_over_a_network() {
    let options = Options::default().bandwidth(Bandwidth::Limit(256 << 10));
    for (over_network, at_least) in [(true, 0.85), (false, 0.0)] {
        let paces = Paces::new(&options, over_network, both(Steps::Pages));
        let start = Instant::now();
        for _ in 0..100 {
            paces.pass_file().await;
        }
        let share = start.elapsed().as_secs_f64() * (256 << 10) as f64 / (100 * 9 * 256) as f64;
        assert!(share >= at_least && (over_network || share == 0.0), "{share}");
    }
}

#[tokio::test(start_paused = true)]
async fn opening_the_trees_counts_first() {
    let options = Options::default().bandwidth(Bandwidth::Limit(256 << 10));
    for (over_network, at_least_ms) in [(true, 110), (false, 0)] {
        let paces = Paces::new(&options, over_network, both(Steps::Pages));
        let start = Instant::now();
        paces.read.pass(4096).await;
        let waited_ms = start.elapsed().as_millis();
        assert!((at_least_ms..at_least_ms + 20).contains(&waited_ms), "{waited_ms}");
    }
}

#[tokio::test(start_paused = true)]
async fn listing_waits_until_opening_the_trees_was_counted() {
    let paces = Paces::new(&Options::default().bandwidth(Bandwidth::Limit(256 << 10)), true, both(Steps::Pages));
    let start = Instant::now();
    let _permit = paces.permit_to_list().await;
    assert!(start.elapsed() >= Duration::from_millis(110), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_low_limit_lists_one_directory_at_a_time() {
    let paces = |bandwidth, over_network| {
        Paces::new(&Options::default().bandwidth(bandwidth), over_network, both(Steps::Pages))
    };
    let low = paces(Bandwidth::Limit(256 << 10), true);
    let first = low.permit_to_list().await;
    assert!(timeout(Duration::from_secs(60), low.permit_to_list()).await.is_err());
    drop(first);
    assert!(timeout(Duration::from_secs(60), low.permit_to_list()).await.is_ok());
    let high = paces(Bandwidth::Limit(20 << 20), true);
    let (_one, two) = (high.permit_to_list().await, timeout(Duration::from_secs(60), high.permit_to_list()).await);
    assert!(two.is_ok());
    assert!(paces(Bandwidth::Unlimited, true).permit_to_list().await.is_none());
    assert!(paces(Bandwidth::Limit(1), false).permit_to_list().await.is_none(), "local disks need no permit");
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_nothing_waits() {
    let pace = pace(Side::Source, None, Steps::Pages);
    let start = Instant::now();
    for _ in 0..1000 {
        pace.pass(pace.step_bytes()).await;
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn requests_are_large_and_all_files_together_have_a_quarter_of_a_second_requested() {
    for limit in [64 << 10, 1 << 20, 2 << 20, 20 << 20, 200 << 20, 4 << 30] {
        let options = Options::default().bandwidth(Bandwidth::Limit(limit));
        let paces = Paces::new(&options, true, both(Steps::Requests));
        let step = paces.read.step_bytes();
        assert!((16 << 10..=2 << 20).contains(&step), "{step} of {limit}");
        let ahead = |files: usize| {
            let open: Vec<_> = (0..files).map(|_| OpenFile::new(&paces, Side::Source)).collect();
            let ahead = paces.read.ahead_bytes(step);
            drop(open);
            ahead
        };
        for files in [1, 2, 16] {
            assert_eq!(ahead(files) % step as u64, 0);
            assert!(ahead(files) * files as u64 <= limit / 4, "{files} files at {limit}");
        }
        assert!(limit < 1 << 20 || ahead(1) >= (limit / 8).min(16 * step as u64), "{limit}");
    }
}

#[test]
fn a_local_disk_takes_the_steps_of_the_other_side_and_a_mount_small_ones() {
    use Steps::{Pages, Requests};
    let disk = Hints { over_network: false, ..Hints::DEFAULT };
    let store = Hints { request_per_read: true, ..Hints::DEFAULT };
    let mount = Hints::DEFAULT;
    for (source, sink, steps) in [
        (store, disk, (Requests, Requests)),
        (disk, store, (Requests, Requests)),
        (store, mount, (Requests, Pages)),
        (mount, store, (Pages, Requests)),
        (disk, mount, (Pages, Pages)),
        (disk, disk, (Pages, Pages)),
    ] {
        let between = Steps::between(PerSide { source, sink });
        assert_eq!((between.source, between.sink), steps, "{source:?} {sink:?}");
    }
}

/// A machine that has more to do wakes a task some milliseconds late. One file has one task for each direction.
#[tokio::test(start_paused = true)]
async fn late_wakeups_do_not_slow_a_file_of_an_object_store_down() {
    for limit in [256 << 10, 1 << 20, 2 << 20, 3 << 20, 20 << 20, 50 << 20] {
        for late in [0, 7, 20] {
            let passes = passes(limit, Steps::Requests, 1, 20, Duration::from_millis(late)).await;
            let last = passes.last().unwrap().0.as_secs_f64();
            let share = passes.iter().map(|(_, bytes)| *bytes).sum::<usize>() as f64 / last / limit as f64;
            assert!((0.97..=1.01).contains(&share), "{share} of {limit}, {late} ms late");
        }
    }
}

/// What passes at a limit that changes at the end of each second of `limits`, `None` while paused: when, and how much.
async fn passes_while(limits: &[(u64, Option<u64>)], lanes: usize) -> Vec<(Duration, usize)> {
    let first = Bandwidth::Limit(limits[0].1.unwrap());
    let paces = Paces::new(&Options::default().bandwidth(first), false, both(Steps::Pages));
    let (start, seconds) = (Instant::now(), limits.iter().map(|(seconds, _)| seconds).sum());
    let lane = || {
        let paces = Arc::clone(&paces);
        tokio::spawn(async move {
            let mut passed = Vec::new();
            while start.elapsed() < Duration::from_secs(seconds) {
                let bytes = paces.write.step_bytes();
                let pass = timeout(Duration::from_secs(seconds) - start.elapsed(), paces.write.pass(bytes));
                if pass.await.is_ok() {
                    passed.push((start.elapsed(), bytes));
                }
            }
            passed
        })
    };
    let lanes: Vec<_> = (0..lanes).map(|_| lane()).collect();
    for (seconds, limit) in limits {
        match limit {
            Some(limit) => {
                paces.set_bandwidth(Bandwidth::Limit(*limit));
                paces.resume();
            }
            None => drop(paces.pause()),
        }
        tokio::time::sleep(Duration::from_secs(*seconds)).await;
    }
    let mut all = Vec::new();
    for lane in lanes {
        all.extend(lane.await.unwrap());
    }
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn each_second_holds_the_limit_in_force_then(
        limits in proptest::collection::vec((2u64..4, prop_oneof![3 => (64u64 << 10..100 << 20).prop_map(Some), 1 => Just(None)]), 1..5),
        lanes in 1usize..17,
    ) {
        let limits = [vec![(2, Some(1 << 20))], limits].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let passes = runtime.block_on(passes_while(&limits, lanes));
        let (mut from, mut begun_bytes) = (Duration::ZERO, 0);
        for (seconds, limit) in limits {
            let until = from + Duration::from_secs(seconds);
            let within: Vec<_> = passes.iter().copied().filter(|(at, _)| (from..until).contains(at)).collect();
            let step = within.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
            let most = limit.map_or(0.0, |limit| limit as f64 * 1.005 + step as f64);
            prop_assert!(busiest_second(&within) as f64 <= most, "{} > {most} at {limit:?}", busiest_second(&within));
            if let Some(limit) = limit {
                let bytes: usize = within.iter().map(|(_, bytes)| bytes).sum();
                // A lowered limit waits up to a second for what was in flight, and for steps that were begun before.
                let least = (seconds - 1) as f64 * limit as f64 * 0.9 - (step + begun_bytes) as f64;
                prop_assert!(bytes as f64 >= least, "{bytes} < {least} at {limit}");
                begun_bytes = begun_bytes.max(lanes * step_bytes(limit));
            }
            from = until;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_waits_for_a_low_limit_passes_once_there_is_none() {
    let paces = Paces::new(&Options::default().bandwidth(Bandwidth::Limit(1024)), false, both(Steps::Pages));
    paces.read.pass(64 << 10).await;
    let (start, waiting) = (Instant::now(), Arc::clone(&paces));
    let waiting = tokio::spawn(async move { waiting.read.pass(64 << 10).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished());
    assert!(paces.set_bandwidth(Bandwidth::Unlimited) && !paces.set_bandwidth(Bandwidth::Unlimited));
    waiting.await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(510), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nothing_passes_during_a_pause_with_and_without_a_limit() {
    for bandwidth in [Bandwidth::Unlimited, Bandwidth::Limit(5 << 20), Bandwidth::Auto { max_bytes_per_s: None }] {
        let paces = Paces::new(&Options::default().bandwidth(bandwidth), false, both(Steps::Pages));
        assert!(paces.pause() && !paces.pause());
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, paces.read.pass(1)).await.is_err());
        assert!(timeout(hour, paces.write.pass(1)).await.is_err());
        assert!(timeout(hour, paces.pass_file()).await.is_err(), "nor do requests");
        assert!(timeout(hour, paces.permit_to_list()).await.is_err(), "nor do listings");
        assert!(paces.resume() && !paces.resume());
        // The clock of an adaptive rate does not follow the simulated time.
        if !matches!(bandwidth, Bandwidth::Auto { .. }) {
            assert!(timeout(Duration::from_secs(1), paces.read.pass(1)).await.is_ok());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn backends_see_the_limit_in_force() {
    let paces = Paces::new(&Options::default(), false, both(Steps::Pages));
    let options = paces.write_options();
    let pacing = options.pacing.as_ref().unwrap();
    assert!(!pacing.is_limited() && pacing.in_flight_bytes() == u64::MAX);
    paces.set_bandwidth(Bandwidth::Limit(16 << 20));
    assert_eq!((pacing.bytes_per_s(), pacing.in_flight_bytes()), (16 << 20, 1 << 20));
    paces.set_bandwidth(Bandwidth::Unlimited);
    assert!(!pacing.is_limited() && pacing.in_flight_bytes() == u64::MAX);
}
