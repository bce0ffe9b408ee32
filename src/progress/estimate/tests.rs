//! Compares estimates with what happens.

use proptest::prelude::*;

use std::collections::VecDeque;

use super::*;
use crate::event::Totals;
use crate::progress::CurrentFile;

fn snapshot(written: u64, pending: Totals) -> Snapshot {
    Snapshot { phase: Phase::Transferring, written_bytes: written, pending, ..Snapshot::default() }
}

fn file(size_bytes: u64, written_bytes: u64) -> CurrentFile {
    CurrentFile {
        path: RelPath::root(),
        size_bytes,
        written_bytes,
        hole_bytes: 0,
        has_long_holes: false,
        hashes_hole: false,
    }
}

#[test]
fn a_steady_transfer_is_estimated() {
    let mut estimator = Estimator::default();
    let start = Instant::now();
    let mut last = Estimate::default();
    for second in 0..=10 {
        let pending = Totals { files: 0, bytes: u128::from(1000 - 10 * second) };
        last = estimator.estimate(start + Duration::from_secs(second), &snapshot(10 * second, pending));
    }
    assert_eq!(last.bandwidth_bytes_per_s, 10);
    assert_eq!(last.backlog, Some(Duration::from_secs(90)));
}

#[test]
fn a_stalled_transfer_has_no_estimate() {
    let mut estimator = Estimator::default();
    let start = Instant::now();
    let pending = Totals { files: 1, bytes: 1000 };
    for second in 0..=10 {
        let estimate = estimator.estimate(start + Duration::from_secs(second), &snapshot(0, pending));
        assert_eq!((estimate.bandwidth_bytes_per_s, estimate.backlog), (0, None));
    }
}

#[test]
fn empty_files_take_time_too() {
    let mut estimator = Estimator::default();
    let start = Instant::now();
    estimator.estimate(start, &snapshot(0, Totals { files: 100, bytes: 0 }));
    let estimate = estimator.estimate(start + Duration::from_secs(1), &snapshot(0, Totals { files: 90, bytes: 0 }));
    assert_eq!(estimate.backlog, Some(Duration::from_secs(9)));
}

#[test]
fn the_file_with_most_left_is_the_one_shown() {
    let file = |name: &str, size, written| CurrentFile { path: RelPath::new(name).unwrap(), ..file(size, written) };
    let mut estimator = Estimator::default();
    let start = Instant::now();
    let pending = Totals { files: 2, bytes: 2000 };
    estimator.estimate(start, &snapshot(0, pending));
    let mut now = snapshot(100, pending);
    now.current = vec![file("small", 60, 50), file("large", 600, 50)];
    let estimate = estimator.estimate(start + Duration::from_secs(1), &now);
    let (path, time) = estimate.current_file.unwrap();
    assert_eq!((path.as_bytes(), time), (&b"large"[..], Duration::from_secs(11)));
}

/// Simulates a run over files of these sizes on `lanes` lanes, with `cost` for each file besides its bytes; returns the
/// estimate of each second, and the time that was left.
fn simulate(sizes: &[u64], lanes: usize, bytes_per_s: f64, cost: Duration) -> Vec<(f64, Option<f64>)> {
    const TICK: f64 = 0.01;
    let mut waiting: VecDeque<u64> = sizes.iter().copied().collect();
    let mut in_flight: Vec<(u64, f64, f64)> = Vec::new();
    let mut pending = Totals { files: sizes.len() as u64, bytes: sizes.iter().copied().map(u128::from).sum() };
    let (mut written, mut at, mut estimates) = (0.0, 0.0, Vec::new());
    let (mut estimator, start) = (Estimator::default(), Instant::now());
    while pending.files > 0 {
        while in_flight.len() < lanes
            && let Some(size) = waiting.pop_front()
        {
            in_flight.push((size, 0.0, cost.as_secs_f64()));
        }
        let mut budget = bytes_per_s * TICK;
        for (size, done, wait) in &mut in_flight {
            let more = budget.min(*size as f64 - *done);
            (*done, budget, written) = (*done + more, budget - more, written + more);
            *wait -= TICK;
        }
        in_flight.retain(|(size, done, wait)| {
            let is_done = *done + 0.5 >= *size as f64 && *wait <= 0.0;
            if is_done {
                pending.files -= 1;
                pending.bytes -= u128::from(*size);
            }
            !is_done
        });
        at += TICK;
        let current = in_flight.iter().map(|(size, done, _)| file(*size, *done as u64));
        let now = Snapshot { current: current.collect(), ..snapshot(written as u64, pending) };
        let estimate = estimator.estimate(start + Duration::from_secs_f64(at), &now);
        estimates.push((at, estimate.backlog.map(|time| time.as_secs_f64())));
    }
    estimates.into_iter().map(|(then, time)| (at - then, time)).collect()
}

/// Checks the estimates from `after` seconds on, until the last second.
#[track_caller]
fn assert_near(run: &[(f64, Option<f64>)], after: f64) {
    let whole = run[0].0;
    for (left, estimate) in run.iter().filter(|(left, _)| *left < whole - after && *left > 1.0) {
        let estimate = estimate.unwrap_or_else(|| panic!("unknown with {left:.1} s left"));
        assert!(
            (left / 1.5..left * 1.5 + 1.0).contains(&estimate),
            "{estimate:.1} s with {left:.1} s left of {whole:.1}"
        );
    }
}

const MIB: u64 = 1 << 20;

#[test]
fn one_large_file_and_many_equal_files_are_estimated() {
    assert_near(&simulate(&[40 * MIB], 8, 2e6, Duration::ZERO), 1.0);
    assert_near(&simulate(&[4 * MIB; 10], 8, 2e6, Duration::ZERO), 1.0);
    assert_near(&simulate(&[64 << 10; 2000], 8, 4e6, Duration::ZERO), 1.0);
}

#[test]
fn large_files_after_small_ones_count() {
    let mut sizes = vec![2000; 300];
    sizes.push(20 * MIB);
    assert_near(&simulate(&sizes, 8, 2e6, Duration::from_millis(1)), 3.0);
}

#[test]
fn small_files_among_large_ones_are_not_overestimated() {
    let mut sizes = vec![6 * MIB; 3];
    sizes.extend([2000; 500]);
    sizes.extend([4 * MIB; 2]);
    assert_near(&simulate(&sizes, 8, 2e6, Duration::from_millis(1)), 3.0);
}

#[test]
fn small_files_that_wait_for_round_trips_are_estimated() {
    assert_near(&simulate(&[1000; 2000], 8, 100e6, Duration::from_millis(50)), 2.0);
    let mut sizes = vec![200 * MIB];
    sizes.extend([1000; 3000]);
    // The waiting time shows only while they are in flight.
    let run = simulate(&sizes, 8, 50e6, Duration::from_millis(100));
    assert_near(&run, 15.0);
}

#[test]
fn no_file_is_estimated_to_take_longer_than_all() {
    let mut estimator = Estimator::default();
    let start = Instant::now();
    let pending = Totals { files: 8, bytes: 1007 };
    estimator.estimate(start, &snapshot(0, pending));
    let mut now = snapshot(100, pending);
    now.current = [vec![file(1000, 100)], vec![file(1, 0); 7]].concat();
    let estimate = estimator.estimate(start + Duration::from_secs(4), &now);
    assert!(estimate.current_file.unwrap().1 <= estimate.backlog.unwrap());
}

/// A file with long holes of this size at this position, with `others` of data pending beside it.
fn hashing(position: u64, size_bytes: u64, others: Totals) -> Snapshot {
    let file = CurrentFile { hole_bytes: position, has_long_holes: true, hashes_hole: true, ..file(size_bytes, 0) };
    let long_holes = Totals { files: 1, bytes: size_bytes.into() };
    let pending = Totals { files: others.files + 1, bytes: others.bytes + u128::from(size_bytes) };
    let holes = u128::from(position);
    let current = vec![file];
    Snapshot { long_holes, current, hole_bytes: holes, long_holes_bytes: holes, ..snapshot(0, pending) }
}

#[test]
fn hashed_holes_count_as_progress() {
    const GIB: u64 = 1 << 30;
    let (mut estimator, start) = (Estimator::default(), Instant::now());
    let mut last = Estimate::default();
    for second in 0..=10 {
        let now = hashing(second * GIB, 100 * GIB, Totals::default());
        last = estimator.estimate(start + Duration::from_secs(second), &now);
    }
    assert_eq!((last.bandwidth_bytes_per_s, last.holes_bytes_per_s, last.long_holes_bytes_per_s), (0, GIB, GIB));
    assert_eq!(last.current_file.unwrap().1, Duration::from_secs(90));
    assert_eq!(last.backlog, Some(Duration::from_secs(90)));
}

#[test]
fn hashed_holes_do_not_make_the_link_faster() {
    let (mut estimator, start) = (Estimator::default(), Instant::now());
    let mut last = Estimate::default();
    for second in 0..=10_u64 {
        let mut now = hashing(second << 30, (10 << 30) + 1, Totals { files: 1, bytes: 1 << 30 });
        now.written_bytes = second << 20;
        now.current.push(file(1 << 30, second << 20));
        last = estimator.estimate(start + Duration::from_secs(second), &now);
    }
    let expected = Duration::from_secs(1024 - 10);
    assert_eq!((last.bandwidth_bytes_per_s, last.backlog), (1 << 20, Some(expected)));
    assert_eq!(last.current_file.unwrap().1, expected);
}

#[test]
fn waiting_files_with_long_holes_are_added() {
    let (mut estimator, start) = (Estimator::default(), Instant::now());
    let mut last = Estimate::default();
    for second in 0..=10_u64 {
        let long_holes = Totals { files: 1, bytes: 500_000_000_000 };
        let pending = Totals { files: 2, bytes: long_holes.bytes + (100 << 20) };
        let current = vec![file(100 << 20, second << 20)];
        let now = Snapshot { long_holes, current, ..snapshot(second << 20, pending) };
        last = estimator.estimate(start + Duration::from_secs(second), &now);
    }
    assert_eq!(last.backlog, Some(Duration::from_secs(90 + 500)));
}

proptest! {
    /// Any progress of a file with holes has estimates that are consistent with each other.
    #[test]
    fn estimates_are_consistent_for_any_holes_and_data(
        steps in proptest::collection::vec((0..1_u64 << 62, 0..1_u64 << 40, 0_u64..5_000), 1..40),
        size_bytes in 0..=i64::MAX.cast_unsigned(),
        has_long_holes: bool,
    ) {
        let (mut estimator, start) = (Estimator::default(), Instant::now());
        let (mut holes, mut written, mut at, mut position) = (0_u64, 0_u64, Duration::ZERO, 0);
        for (hole, data, millis) in steps {
            let before = position;
            at += Duration::from_millis(millis);
            holes += hole.min(size_bytes - holes - written);
            written += data.min(size_bytes - holes - written);
            let current = CurrentFile { hole_bytes: holes, has_long_holes, ..file(size_bytes, written) };
            position = current.position_bytes();
            prop_assert!(position >= before && current.left_bytes() == size_bytes - position);
            let pending = Totals { files: 1, bytes: size_bytes.into() };
            let long = if has_long_holes { pending } else { Totals::default() };
            let passed = u128::from(holes);
            let now = Snapshot {
                current: vec![current],
                long_holes: long,
                hole_bytes: passed,
                long_holes_bytes: if has_long_holes { u128::from(position) } else { 0 },
                ..snapshot(written, pending)
            };
            let estimate = estimator.estimate(start + at, &now);
            let all = estimate.bandwidth_bytes_per_s.saturating_add(estimate.holes_bytes_per_s);
            prop_assert_eq!(estimate.progress_bytes_per_s(), all);
            if let (Some((_, file)), Some(backlog)) = (&estimate.current_file, estimate.backlog) {
                prop_assert!(*file <= backlog);
            }
            if position > before && millis > 0 && at > Duration::from_millis(millis) {
                prop_assert!(estimate.current_file.is_some() || position < 1000, "{estimate:?}");
            }
        }
    }
}

#[test]
fn memory_does_not_grow_with_time() {
    let mut estimator = Estimator::default();
    let start = Instant::now();
    for tick in 0..5_000 {
        estimator.estimate(start + Duration::from_millis(100 * tick), &snapshot(tick, Totals::default()));
    }
    assert!(estimator.recent.samples.len() <= 601);
}

mod end;
