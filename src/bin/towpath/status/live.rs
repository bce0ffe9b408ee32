//! The status of a run in progress, from its counters and events.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use towpath::{Bandwidth, Counts, Estimate, Estimator, Event, Phase, Progress, Snapshot};

use super::deadline::Deadline;
use super::files::Files;
use super::limits::Limits;
use super::model::LimitedBy;
use super::model::{
    Amounts, Deleted, Errors, Eta, Found, Limit, LimitSetBy, Outcome, Run, Scan, Sent, Side, Stalled, State, Status,
    Sum, path_text,
};
use super::movement::{Movement, PATIENCE};
use super::notice::Notice;
use super::rates::Written;
use super::recorded::never_run;
use super::scan_pace::{Pace, ScanPace};
use super::steered::SteeredBy;
use crate::format::moment;
use crate::limited_by::{ADVICE_PERCENT, Recent, advice, words};
use crate::lock::locked;

/// The status of a run; clones share it. [`Self::tick`] is to be called at least each second, [`Self::observe`] with
/// each event.
#[derive(Clone)]
pub(crate) struct Live(Arc<Shared>);

struct Shared {
    about: About,
    progress: Progress,
    limits: Mutex<Option<Box<dyn Fn() -> Limits + Send>>>,
    inner: Mutex<Inner>,
}

/// What is known of a run at one moment, from one snapshot.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) snapshot: Snapshot,
    pub(crate) estimate: Estimate,
    /// What limited the run in the last minute.
    pub(crate) limited_by: towpath::LimitedBy,
    /// Bytes sent per second since the first, holes included.
    pub(crate) mean_bytes_per_s: Option<u64>,
    /// The moment.
    pub(crate) time: Timestamp,
    pub(crate) status: Status,
}

/// What does not change during a run.
#[derive(Debug)]
pub(crate) struct About {
    /// The roots of both trees.
    pub(crate) source: Vec<u8>,
    pub(crate) dest: Vec<u8>,
    pub(crate) database: PathBuf,
    pub(crate) log: PathBuf,
    /// The earlier runs, the newest first.
    pub(crate) runs: Vec<Run>,
    /// What the last complete scan found in the source and in the destination.
    pub(crate) last_scan: Option<(Counts, Counts)>,
}

struct Inner {
    started: Timestamp,
    movement: Movement,
    written: Written,
    files: Files,
    estimator: Estimator,
    estimate: Estimate,
    errors: BTreeMap<(Option<Side>, &'static str), Errors>,
    recent: Recent,
    scan_pace: ScanPace,
    /// When files began to be sent, and what had been by then.
    sending_since: Option<(Instant, u128)>,
    scanned: bool,
    deleted: Deleted,
    steered: SteeredBy,
    deadline: Option<(Deadline, TimeZone)>,
    /// What was reported of a stall that has not ended.
    stalled: Option<(Stalled, Instant)>,
}

impl Live {
    /// The status of a run that begins.
    pub(crate) fn new(progress: Progress, estimator: Estimator, about: About) -> Self {
        let (now, started) = (Instant::now(), Timestamp::now());
        let inner = Inner {
            started,
            movement: Movement::new(now, started),
            written: Written::default(),
            files: Files::default(),
            estimator,
            estimate: Estimate::default(),
            errors: BTreeMap::new(),
            recent: Recent::default(),
            scan_pace: ScanPace::new(about.last_scan),
            sending_since: None,
            scanned: false,
            deleted: Deleted { files: Some(0), dirs: Some(0) },
            steered: SteeredBy::options(),
            deadline: None,
            stalled: None,
        };
        Self(Arc::new(Shared { about, progress, limits: Mutex::default(), inner: Mutex::new(inner) }))
    }

    /// Asks `limits` what is in force, in place of the events.
    pub(crate) fn set_limits(&self, limits: impl Fn() -> Limits + Send + 'static) {
        *locked(&self.0.limits) = Some(Box::new(limits));
    }

    /// Compares the end that is expected with this moment; its texts are in the zone.
    pub(crate) fn set_deadline(&self, deadline: Timestamp, zone: TimeZone) {
        self.inner().deadline = Some((Deadline::new(deadline), zone));
    }

    /// Takes note of an event.
    pub(crate) fn observe(&self, event: &Event) {
        let mut inner = self.inner();
        inner.movement.observe(event, Instant::now(), Timestamp::now());
        match event {
            Event::ScanStarted { .. } => inner.scanned = true,
            Event::AttemptStarted { .. } => {
                // A first sample, so that the next tick has a rate.
                inner.estimate = inner.estimator.estimate(Instant::now(), &self.0.progress.snapshot());
            }
            Event::Failed { paths, error } | Event::Incomplete { paths, error } => {
                let side = error.side().map(Side::from);
                let path = if side == Some(Side::Dest) { &paths.dest } else { &paths.source };
                inner.add_error(side, error.kind_name(), path, error);
            }
            Event::Unreadable { side, path, error } => {
                inner.add_error(Some((*side).into()), error.kind_name(), path, error);
            }
            Event::Deleted { size_bytes, .. } => {
                let Deleted { files, dirs } = &mut inner.deleted;
                let count = if size_bytes.is_some() { files } else { dirs };
                *count = count.map(|count| count + 1);
            }
            Event::Steered { action, by } => inner.steered.observe(*action, by),
            _ => {}
        }
    }

    /// Updates the rates, ages and estimates. Returns what is known now, and what is noticed for the first time.
    pub(crate) fn tick(&self) -> (View, Vec<Notice>) {
        let (now, time, snapshot) = (Instant::now(), Timestamp::now(), self.0.progress.snapshot());
        let notices = self.tick_at(now, time, &snapshot);
        (self.view_at(now, time, snapshot), notices)
    }

    fn tick_at(&self, now: Instant, time: Timestamp, snapshot: &Snapshot) -> Vec<Notice> {
        let inner = &mut *self.inner();
        inner.movement.update(snapshot, now, time);
        inner.written.add(now, snapshot.written_bytes);
        inner.files.update(snapshot, now);
        inner.estimate = inner.estimator.estimate(now, snapshot);
        inner.recent.note(now, &snapshot.limited_by);
        match snapshot.phase {
            Phase::Scanning => inner.scan_pace.add(now, snapshot),
            Phase::Transferring if inner.sending_since.is_none() => inner.sending_since = Some((now, sent(snapshot))),
            Phase::Transferring => inner.scan_pace.clear(),
            _ => {}
        }
        inner.stall_notice(snapshot, now).into_iter().chain(inner.deadline_notice(now, time)).collect()
    }

    /// Whether something moved within this time, or what the run waits for is known.
    pub(crate) fn goes_on(&self, patience: Duration) -> bool {
        self.inner().movement.goes_on(&self.0.progress.snapshot(), Instant::now(), patience)
    }

    /// The status now.
    pub(crate) fn status(&self) -> Status {
        self.view().status
    }

    /// What is known now. Rates and estimates are those of the last tick.
    pub(crate) fn view(&self) -> View {
        self.view_at(Instant::now(), Timestamp::now(), self.0.progress.snapshot())
    }

    fn view_at(&self, now: Instant, time: Timestamp, snapshot: Snapshot) -> View {
        let limits = locked(&self.0.limits).as_ref().map(|limits| limits());
        let mut inner = self.inner();
        let limits = limits.unwrap_or_else(|| inner.steered.limits());
        inner.files.update(&snapshot, now);
        let limited_by = inner.recent.note(now, &snapshot.limited_by);
        let status = inner.status(&self.0.about, (now, time), &snapshot, &limits, &limited_by);
        let (estimate, mean_bytes_per_s) = (inner.estimate.clone(), inner.mean(now, &snapshot));
        View { estimate, limited_by, mean_bytes_per_s, time, status, snapshot }
    }

    /// When something last moved.
    pub(crate) fn last_progress(&self) -> Timestamp {
        self.inner().movement.since()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        locked(&self.0.inner)
    }
}

impl Inner {
    fn status(
        &self,
        about: &About,
        (now, time): (Instant, Timestamp),
        snapshot: &Snapshot,
        limits: &Limits,
        limited_by: &towpath::LimitedBy,
    ) -> Status {
        let state = state_of(snapshot);
        let (current, more_current) = self.files.current(snapshot, now, time);
        let is_scan = matches!(snapshot.phase, Phase::Starting | Phase::Scanning);
        let [files, bytes] = amounts(snapshot, is_scan);
        let mut errors: Vec<_> = self.errors.values().cloned().collect();
        errors.sort_by_key(|errors| std::cmp::Reverse(errors.count));
        Status {
            state,
            reason: self.steered.reason(state, limits),
            pid: Some(std::process::id()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            log: Some(path_text(about.log.as_os_str().as_bytes()).0),
            started: Some(self.started),
            scanned_at: snapshot.scanned_at.and_then(moment),
            files,
            bytes,
            scan: (snapshot.phase == Phase::Scanning)
                .then(|| scan(snapshot, &self.scan_pace.pace(now, snapshot), time)),
            session_bytes: Some(snapshot.written_bytes),
            rate_bytes_per_s: self.written.rates(now, snapshot.written_bytes),
            limit: Some(limit(snapshot, limits)),
            next_limit: limits.next.clone(),
            eta: eta(&self.estimate, time),
            current,
            more_current,
            errors,
            stalled: self.movement.stalled(snapshot, now),
            limited_by: shares(limited_by),
            runs: std::iter::once(self.run(about, snapshot)).chain(about.runs.iter().cloned()).collect(),
            ..never_run(&about.database, &about.source, &about.dest)
        }
    }

    fn mean(&self, now: Instant, snapshot: &Snapshot) -> Option<u64> {
        let (since, before) = self.sending_since?;
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        (seconds >= 0.5).then(|| (sent(snapshot).saturating_sub(before) as f64 / seconds) as u64)
    }

    /// A stall that begins or ends.
    fn stall_notice(&mut self, snapshot: &Snapshot, now: Instant) -> Option<Notice> {
        match (self.movement.stalled(snapshot, now), self.stalled.take()) {
            (Some(stalled), None) => {
                self.stalled = Some((stalled.clone(), now.checked_sub(PATIENCE).unwrap_or(now)));
                Some(Notice::Stalled(stalled))
            }
            (Some(_), Some(reported)) => {
                self.stalled = Some(reported);
                None
            }
            (None, Some((stalled, since))) => {
                Some(Notice::Moving { stalled, after: now.saturating_duration_since(since) })
            }
            (None, None) => None,
        }
    }

    /// Whether the end that is expected has passed the deadline, or is before it again.
    fn deadline_notice(&mut self, now: Instant, time: Timestamp) -> Option<Notice> {
        let (deadline, zone) = self.deadline.as_mut()?;
        let time = time.to_zoned_datetime(zone.clone());
        deadline.check(&self.estimate, (now, &time), |deadline| self.estimator.limit_to_end_by(deadline))
    }

    fn add_error(&mut self, side: Option<Side>, kind: &'static str, path: &[u8], error: &dyn ToString) {
        let errors = self.errors.entry((side, kind)).or_insert_with(|| {
            let (path, path_bytes) = path_text(path);
            Errors { kind: kind.to_owned(), side, count: 0, path, path_bytes, error: error.to_string() }
        });
        errors.count += 1;
    }

    /// This run in the history.
    fn run(&self, about: &About, snapshot: &Snapshot) -> Run {
        Run {
            number: about.runs.first().map_or(0, |run| run.number) + 1,
            started: self.started,
            ended: None,
            outcome: Outcome::Running,
            stopped_by: None,
            error: None,
            scanned: Some(self.scanned),
            sent: Sent { files: Some(snapshot.synced.files), bytes: Some(Sum(snapshot.synced.bytes)) },
            deleted: self.deleted,
            failed: Some(snapshot.failed_files),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }
}

fn state_of(snapshot: &Snapshot) -> State {
    match snapshot.phase {
        Phase::Ended => State::Finalizing,
        _ if snapshot.paused => State::Paused,
        Phase::Transferring => State::Transferring,
        Phase::Mirroring => State::Mirroring,
        Phase::Finalizing => State::Finalizing,
        _ => State::Scanning,
    }
}

/// The limit in force.
fn limit(snapshot: &Snapshot, limits: &Limits) -> Limit {
    let is_auto = matches!(snapshot.bandwidth, Bandwidth::Auto { .. });
    let set_by = if is_auto { LimitSetBy::Auto } else { limits.set_by };
    Limit { bytes_per_s: snapshot.limit_bytes_per_s(), set_by, until: limits.until }
}

/// When the backlog will be sent.
fn eta(estimate: &Estimate, time: Timestamp) -> Eta {
    let at = |left: Option<Duration>| after(left?, time);
    Eta { p50: at(estimate.p50), p90: at(estimate.p90) }
}

/// The moment so long after another one.
fn after(left: Duration, time: Timestamp) -> Option<Timestamp> {
    time.checked_add(SignedDuration::try_from(left).ok()?).ok()
}

/// Files and bytes. While a scan goes on, the total is not known.
fn amounts(snapshot: &Snapshot, is_scan: bool) -> [Amounts; 2] {
    let in_sync = snapshot.in_sync_in_all();
    let of = |total: u128, synced: u128, pending: u128, failed: u128| Amounts {
        total: (!is_scan).then_some(Sum(total)),
        synced: (!is_scan).then_some(Sum(synced)),
        pending: Some(Sum(pending)),
        failed: Some(Sum(failed)),
    };
    let (all, left) = (snapshot.source, snapshot.pending);
    [
        of(all.files.into(), in_sync.files.into(), left.files.into(), snapshot.failed_files.into()),
        of(all.bytes, in_sync.bytes, left.bytes, snapshot.failed_bytes),
    ]
}

fn shares(limited_by: &towpath::LimitedBy) -> Vec<LimitedBy> {
    let shares = limited_by.shares().into_iter().filter(|share| share.percent > 0);
    let share = |share: towpath::Share| LimitedBy {
        cause: share.cause.name().to_owned(),
        percent: share.percent,
        text: words(share.cause).to_owned(),
        advice: advice(share.cause).filter(|_| share.percent >= ADVICE_PERCENT).map(str::to_owned),
    };
    shares.map(share).collect()
}

fn sent(snapshot: &Snapshot) -> u128 {
    u128::from(snapshot.written_bytes) + snapshot.hole_bytes
}

fn scan(snapshot: &Snapshot, pace: &Pace, time: Timestamp) -> Scan {
    let found = |counts: &Counts, entries_per_s| Found {
        files: counts.files,
        dirs: counts.dirs,
        bytes: Sum(counts.bytes),
        entries_per_s,
    };
    Scan {
        source: found(&snapshot.source, pace.source_per_s),
        dest: found(&snapshot.sink, pace.dest_per_s),
        percent: pace.percent,
        eta: pace.left.and_then(|left| after(left, time)),
    }
}

#[cfg(test)]
mod tests;
