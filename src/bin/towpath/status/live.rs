//! The status of a run in progress, from its counters and events.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use towpath::{Bandwidth, Counts, Estimate, Estimator, Event, Phase, Progress, Snapshot, SteerAction};

use super::files::Files;
use super::limits::Limits;
use super::model::LimitedBy;
use super::model::{
    Amounts, Deleted, Errors, Eta, Found, Limit, LimitSetBy, Outcome, Run, Scan, Sent, Side, State, Status, Sum,
    path_text,
};
use super::movement::Movement;
use super::rates::Written;
use super::recorded::{moment, never_run};
use crate::console::limited_by::{Recent, words};

/// The status of a run; clones share it. [`Self::tick`] is to be called each second, [`Self::observe`] with each event.
#[derive(Clone)]
pub(crate) struct Live(Arc<Shared>);

struct Shared {
    about: About,
    progress: Progress,
    limits: Mutex<Option<Box<dyn Fn() -> Limits + Send>>>,
    inner: Mutex<Inner>,
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
    scanned: bool,
    deleted: Deleted,
    /// What changed the bandwidth last, and who paused the run.
    limit_set_by: LimitSetBy,
    paused_by: Option<String>,
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
            scanned: false,
            deleted: Deleted { files: Some(0), dirs: Some(0) },
            limit_set_by: LimitSetBy::Option,
            paused_by: None,
        };
        Self(Arc::new(Shared { about, progress, limits: Mutex::default(), inner: Mutex::new(inner) }))
    }

    /// Asks `limits` what is in force, in place of the events.
    pub(crate) fn set_limits(&self, limits: impl Fn() -> Limits + Send + 'static) {
        *self.0.limits.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(limits));
    }

    /// Takes note of an event.
    pub(crate) fn observe(&self, event: &Event) {
        let mut inner = self.inner();
        inner.movement.observe(event, Instant::now(), Timestamp::now());
        match event {
            Event::ScanStarted { .. } => inner.scanned = true,
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
            Event::Steered { action, by } => match action {
                SteerAction::Paused => inner.paused_by = Some(by.clone()),
                SteerAction::Resumed => inner.paused_by = None,
                SteerAction::Bandwidth(_) => {
                    inner.limit_set_by = if by == "timetable" { LimitSetBy::Timetable } else { LimitSetBy::Control };
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// Updates the rates, ages and estimates.
    pub(crate) fn tick(&self) {
        self.tick_at(Instant::now(), Timestamp::now(), &self.0.progress.snapshot());
    }

    fn tick_at(&self, now: Instant, time: Timestamp, snapshot: &Snapshot) {
        let inner = &mut *self.inner();
        inner.movement.update(snapshot, now, time);
        inner.written.add(now, snapshot.written_bytes);
        inner.files.update(snapshot, now);
        inner.estimate = inner.estimator.estimate(now, snapshot);
        inner.recent.note(now, &snapshot.limited_by);
    }

    /// The status now.
    pub(crate) fn status(&self) -> Status {
        self.status_at(Instant::now(), Timestamp::now(), &self.0.progress.snapshot())
    }

    fn status_at(&self, now: Instant, time: Timestamp, snapshot: &Snapshot) -> Status {
        let limits = self.0.limits.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|limits| limits());
        let (about, mut inner) = (&self.0.about, self.inner());
        inner.files.update(snapshot, now);
        let limited_by = inner.recent.note(now, &snapshot.limited_by);
        let limits = limits.unwrap_or_else(|| inner.limits());
        let state = state_of(snapshot);
        let (current, more_current) = inner.files.current(snapshot, now, time);
        let is_scan = matches!(snapshot.phase, Phase::Starting | Phase::Scanning);
        let [files, bytes] = amounts(snapshot, is_scan);
        let mut errors: Vec<_> = inner.errors.values().cloned().collect();
        errors.sort_by_key(|errors| std::cmp::Reverse(errors.count));
        Status {
            state,
            reason: limits.paused_by.as_ref().filter(|_| state == State::Paused).map(|by| format!("by {by}")),
            pid: Some(std::process::id()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            log: Some(path_text(about.log.as_os_str().as_bytes()).0),
            started: Some(inner.started),
            scanned_at: snapshot.scanned_at.and_then(moment),
            files,
            bytes,
            scan: (snapshot.phase == Phase::Scanning).then(|| scan(snapshot)),
            session_bytes: Some(snapshot.written_bytes),
            rate_bytes_per_s: inner.written.rates(now, snapshot.written_bytes),
            limit: Some(limit(snapshot, &limits)),
            next_limit: limits.next,
            eta: eta(&inner.estimate, time),
            current,
            more_current,
            errors,
            stalled: inner.movement.stalled(snapshot, now),
            limited_by: shares(&limited_by),
            runs: std::iter::once(inner.run(about, snapshot)).chain(about.runs.iter().cloned()).collect(),
            ..never_run(&about.database, &about.source, &about.dest)
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add_error(&mut self, side: Option<Side>, kind: &'static str, path: &[u8], error: &dyn ToString) {
        let errors = self.errors.entry((side, kind)).or_insert_with(|| {
            let (path, path_bytes) = path_text(path);
            Errors { kind: kind.to_owned(), side, count: 0, path, path_bytes, error: error.to_string() }
        });
        errors.count += 1;
    }

    /// What steers the run, by its events.
    fn limits(&self) -> Limits {
        Limits { set_by: self.limit_set_by, until: None, next: None, paused_by: self.paused_by.clone() }
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
    let (bytes_per_s, set_by) = match snapshot.bandwidth {
        Bandwidth::Limit(limit) => (Some(limit), limits.set_by),
        Bandwidth::Auto { .. } => (snapshot.adaptive_limit.map(|limit| limit.limit_bytes_per_s), LimitSetBy::Auto),
        _ => (None, limits.set_by),
    };
    Limit { bytes_per_s, set_by, until: limits.until }
}

/// When the backlog will be sent.
fn eta(estimate: &Estimate, time: Timestamp) -> Eta {
    let moment = |left: Option<Duration>| time.checked_add(SignedDuration::try_from(left?).ok()?).ok();
    Eta { p50: moment(estimate.p50), p90: moment(estimate.p90) }
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
    };
    shares.map(share).collect()
}

fn scan(snapshot: &Snapshot) -> Scan {
    let found = |counts: &Counts| Found { files: counts.files, dirs: counts.dirs, bytes: Sum(counts.bytes) };
    Scan { source: found(&snapshot.source), dest: found(&snapshot.sink) }
}

#[cfg(test)]
mod tests {
    use super::super::text::{Clock, block};
    use super::*;
    use jiff::tz::TimeZone;
    use std::sync::Arc;
    use towpath::{CurrentFile, FileError, FilePaths};
    use towpath_backend::{Error as BackendError, ErrorKind, RelPath};

    fn live() -> Live {
        let about = About {
            source: b"/old".to_vec(),
            dest: b"/new\xff".to_vec(),
            database: "/state/x.db".into(),
            log: "/state/x.log".into(),
            runs: Vec::new(),
        };
        Live::new(Progress::default(), Estimator::default(), about)
    }

    fn sending() -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.phase = Phase::Transferring;
        snapshot.source = Counts::new(1_234_567, 4_000, 200 << 40);
        snapshot.pending = towpath::Totals::new(1_000_000, 150 << 40);
        snapshot.bandwidth = Bandwidth::Limit(20 << 20);
        snapshot.failed_files = 1;
        snapshot.current = vec![CurrentFile::new(RelPath::new("films/take.mov").unwrap(), 1 << 30)];
        snapshot
    }

    fn failed(name: &str) -> Event {
        let cause = BackendError::new(ErrorKind::PermissionDenied, "open", &RelPath::new(name).unwrap(), "denied");
        let paths = FilePaths::new(format!("/old/{name}"), format!("/new/{name}"));
        Event::Failed { paths, error: FileError::Tree { side: towpath::Side::Source, error: Arc::new(cause) } }
    }

    /// The status after a minute with 18 MiB/s.
    fn after_a_minute(live: &Live, snapshot: &mut Snapshot) -> Status {
        let (now, time) = (Instant::now(), live.inner().started);
        for seconds in 0..=60_u32 {
            let at = now + Duration::from_secs(1) * seconds;
            snapshot.written_bytes = u64::from(seconds) * (18 << 20);
            snapshot.current[0].written_bytes = u64::from(seconds) * (9 << 20);
            live.tick_at(at, time + SignedDuration::from_secs(seconds.into()), snapshot);
        }
        live.status_at(now + Duration::from_secs(60), time + SignedDuration::from_secs(60), snapshot)
    }

    #[test]
    fn a_run_is_described_by_its_counters_and_events() {
        let (live, mut snapshot) = (live(), sending());
        live.observe(&failed("a"));
        live.observe(&failed("b"));
        let mut status = after_a_minute(&live, &mut snapshot);
        let clock = Clock { now: "2026-11-27T20:16:39Z".parse().unwrap(), zone: TimeZone::UTC };
        let eta = status.eta;
        assert!(eta.p50.is_some() && eta.p50 <= eta.p90, "{eta:?}");
        status.started = Some(clock.now - SignedDuration::from_secs(60));
        status.pid = Some(1234);
        status.eta = Eta {
            p50: Some(clock.now + SignedDuration::from_hours(50)),
            p90: Some(clock.now + SignedDuration::from_hours(60)),
        };
        status.current[0].eta = Some(clock.now + SignedDuration::from_secs(54));
        insta::assert_snapshot!(block(&status, &clock), @"
        transferring for 01:00, since 20:15 (process 1234)
          trees     /old -> /new�
          in sync   25.0 %: 50.0 TiB of 200.0 TiB, 234,567 of 1,234,567 files
          pending   150.0 TiB in 1,000,000 files; 1 file failed
          rate      18.0 MiB/s; 1.1 GiB in this run
          limit     20.0 MiB/s
          done      in 2d 02:00:00, at 2026-11-29 22:16; nine times in ten by 2026-11-30 08:16
          now       films/take.mov: 52 % of 1.0 GiB after 01:00, 9.0 MiB/s, done in 54.0 s
          errors    2 permission-denied (source), such as /old/a: source: open a: denied
          database  /state/x.db
          log       /state/x.log
        ");
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["dest_bytes"], "2f6e6577ff");
        assert_eq!(json["rate_bytes_per_s"]["1h"], 18 << 20);
        assert_eq!(serde_json::from_value::<Status>(json).unwrap(), status, "the client reads what the server writes");
    }

    #[test]
    fn a_pause_says_who_asked_for_it() {
        let (live, mut snapshot) = (live(), sending());
        live.observe(&Event::Steered { action: SteerAction::Paused, by: "user alice (uid 1000)".to_owned() });
        snapshot.paused = true;
        let status = live.status_at(Instant::now(), Timestamp::now(), &snapshot);
        assert_eq!((status.state, status.reason.as_deref()), (State::Paused, Some("by user alice (uid 1000)")));
        live.observe(&Event::Steered { action: SteerAction::Resumed, by: "timetable".to_owned() });
        live.observe(&Event::Steered {
            action: SteerAction::Bandwidth(Bandwidth::Unlimited),
            by: "timetable".to_owned(),
        });
        snapshot.paused = false;
        let status = live.status_at(Instant::now(), Timestamp::now(), &snapshot);
        assert_eq!((status.state, status.limit.unwrap().set_by), (State::Transferring, LimitSetBy::Timetable));
    }

    #[test]
    fn a_scan_has_no_totals_yet() {
        let (live, mut snapshot) = (live(), sending());
        snapshot.phase = Phase::Scanning;
        let status = live.status_at(Instant::now(), Timestamp::now(), &snapshot);
        assert_eq!((status.state, status.files.total, status.bytes.synced), (State::Scanning, None, None));
        assert_eq!(status.scan.unwrap().source.files, 1_234_567);
    }
}
