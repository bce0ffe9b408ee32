//! The status of a run.

use super::super::text::{Clock, block};
use super::*;
use jiff::tz::TimeZone;
use std::sync::Arc;
use towpath::{CurrentFile, FileError, FilePaths, SteerAction};
use towpath_backend::{Error as BackendError, ErrorKind, RelPath};

impl View {
    /// A view with these figures.
    pub(crate) fn of(snapshot: Snapshot, estimate: Estimate, time: Timestamp) -> Self {
        let path = PathBuf::from("/state/x");
        let about = About {
            source: b"/old".to_vec(),
            dest: b"/new".to_vec(),
            database: path.clone(),
            log: path,
            runs: Vec::new(),
            last_scan: None,
        };
        let live = Live::new(Progress::default(), Estimator::default(), about);
        let view = live.view_at(Instant::now(), time, snapshot);
        Self { estimate, ..view }
    }
}

fn live() -> Live {
    let about = About {
        source: b"/old".to_vec(),
        dest: b"/new\xff".to_vec(),
        database: "/state/x.db".into(),
        log: "/state/x.log".into(),
        runs: Vec::new(),
        last_scan: None,
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
    live.view_at(now + Duration::from_secs(60), time + SignedDuration::from_secs(60), snapshot.clone()).status
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
    let status = live.view_at(Instant::now(), Timestamp::now(), snapshot.clone()).status;
    assert_eq!((status.state, status.reason.as_deref()), (State::Paused, Some("by user alice (uid 1000)")));
    live.observe(&Event::Steered { action: SteerAction::Resumed, by: "timetable".to_owned() });
    live.observe(&Event::Steered { action: SteerAction::Bandwidth(Bandwidth::Unlimited), by: "timetable".to_owned() });
    snapshot.paused = false;
    let status = live.view_at(Instant::now(), Timestamp::now(), snapshot.clone()).status;
    assert_eq!((status.state, status.limit.unwrap().set_by), (State::Transferring, LimitSetBy::Timetable));
}

#[test]
fn a_scan_has_no_totals_yet() {
    let (live, mut snapshot) = (live(), sending());
    snapshot.phase = Phase::Scanning;
    let status = live.view_at(Instant::now(), Timestamp::now(), snapshot.clone()).status;
    assert_eq!((status.state, status.files.total, status.bytes.synced), (State::Scanning, None, None));
    assert_eq!(status.scan.unwrap().source.files, 1_234_567);
}
