//! Whether a run makes progress, and what it waits for if it does not.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use towpath::{Cause, Event, LimitedBy, Phase, Snapshot, Warning};
use towpath_backend::RelPath;

use super::model::{Side, Stalled};

/// A run that has not moved for so long is stalled.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// When a run last moved.
#[derive(Debug)]
pub(super) struct Movement {
    since: (Instant, Timestamp),
    counters: Option<(Phase, [u128; 9])>,
    /// What had limited the transfer until then.
    limited_by: LimitedBy,
    /// The side that waits for its storage, and why.
    waiting: Option<(Side, String)>,
}

impl Movement {
    pub(super) fn new(now: Instant, time: Timestamp) -> Self {
        Self { since: (now, time), counters: None, limited_by: LimitedBy::default(), waiting: None }
    }

    /// Takes note of an event.
    pub(super) fn observe(&mut self, event: &Event, now: Instant, time: Timestamp) {
        match event {
            Event::Warning(Warning::Waiting { side, cause, .. }) => {
                self.waiting = Some(((*side).into(), cause.clone()));
            }
            Event::Warning(Warning::Resumed { side, .. }) => {
                self.waiting.take_if(|(waiting, _)| *waiting == (*side).into());
            }
            _ => self.since = (now, time),
        }
    }

    /// Compares the counters with those before.
    pub(super) fn update(&mut self, snapshot: &Snapshot, now: Instant, time: Timestamp) {
        let counters = [
            snapshot.source.files.into(),
            snapshot.sink.files.into(),
            u128::from(snapshot.source.dirs) + u128::from(snapshot.sink.dirs),
            snapshot.pending.files.into(),
            snapshot.read_bytes.into(),
            snapshot.written_bytes.into(),
            snapshot.hole_bytes,
            snapshot.database_steps.into(),
            snapshot.operations_done.into(),
        ];
        let is_hashing = snapshot.current.iter().any(|file| file.hashes_hole);
        let counters = Some((snapshot.phase, counters));
        if self.counters != counters || snapshot.paused || is_hashing {
            self.since = (now, time);
            self.limited_by = snapshot.limited_by;
        }
        self.counters = counters;
    }

    /// Whether the run goes on: something moved within this time, or what it waits for is known, and it is up to others
    /// to end that.
    pub(super) fn goes_on(&self, snapshot: &Snapshot, now: Instant, patience: Duration) -> bool {
        let waits_for_limit = || {
            let shares = snapshot.limited_by.since(&self.limited_by).shares();
            shares.first().is_some_and(|share| matches!(share.cause, Cause::Limit | Cause::OtherTraffic))
        };
        now.saturating_duration_since(self.since.0) < patience || self.waiting.is_some() || waits_for_limit()
    }

    /// When it last moved.
    pub(super) fn since(&self) -> Timestamp {
        self.since.1
    }

    /// What is waited for, if nothing has moved for a while.
    pub(super) fn stalled(&self, snapshot: &Snapshot, now: Instant) -> Option<Stalled> {
        let is_long = |since| now.saturating_duration_since(since) >= PATIENCE;
        if !is_long(self.since.0) {
            return None;
        }
        let text = |path: &RelPath| String::from_utf8_lossy(path.as_bytes()).into_owned();
        let hanging = snapshot.operation.as_ref().filter(|operation| is_long(operation.since));
        let (side, operation, path) = match (&self.waiting, hanging) {
            (Some((side, cause)), _) => (Some(*side), Some(cause.clone()), stalled_file(snapshot)),
            (None, Some(hanging)) => {
                let name = Some(hanging.name.to_owned());
                (hanging.side.map(Side::from), name, hanging.path.as_ref())
            }
            (None, None) => {
                let (side, operation) = self.cause(snapshot);
                (side, operation, stalled_file(snapshot))
            }
        };
        Some(Stalled { side, operation, path: path.map(text), since: self.since.1 })
    }

    /// What limited the transfer most since it last moved.
    fn cause(&self, snapshot: &Snapshot) -> (Option<Side>, Option<String>) {
        let shares = snapshot.limited_by.since(&self.limited_by).shares();
        let Some(share) = shares.first() else { return (None, None) };
        let (side, operation) = match share.cause {
            Cause::Source => (Some(Side::Source), "read"),
            Cause::SmallFilesAtSource => (Some(Side::Source), "open"),
            Cause::Destination => (Some(Side::Dest), "write"),
            Cause::SmallFilesAtDestination => (Some(Side::Dest), "create"),
            Cause::Flush => (Some(Side::Dest), "flush"),
            cause => (None, cause.name()),
        };
        (side, Some(operation.to_owned()))
    }
}

/// A file in flight. All of them are stalled; this one has been begun.
fn stalled_file(snapshot: &Snapshot) -> Option<&RelPath> {
    snapshot.current.iter().max_by_key(|file| file.left_bytes()).map(|file| &file.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath::{CurrentFile, CurrentOperation};
    use towpath_backend::WaitReason;

    fn sending() -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.phase = Phase::Transferring;
        snapshot.current = vec![CurrentFile::new(RelPath::new("a/b").unwrap(), 10)];
        snapshot
    }

    fn movement() -> (Movement, Instant, Timestamp) {
        let (now, time) = (Instant::now(), Timestamp::UNIX_EPOCH);
        (Movement::new(now, time), now, time)
    }

    #[test]
    fn a_run_stalls_when_no_counter_moves_and_no_event_comes() {
        let (mut movement, now, time) = movement();
        let mut snapshot = sending();
        movement.update(&snapshot, now, time);
        assert_eq!(movement.stalled(&snapshot, now + PATIENCE / 2), None);
        let stalled = movement.stalled(&snapshot, now + PATIENCE).unwrap();
        assert_eq!((stalled.path.as_deref(), stalled.side, stalled.since), (Some("a/b"), None, time));
        snapshot.written_bytes += 1;
        movement.update(&snapshot, now + PATIENCE, time);
        assert_eq!(movement.stalled(&snapshot, now + PATIENCE), None, "a byte moved");
        let again = now + 2 * PATIENCE;
        assert!(movement.stalled(&snapshot, again).is_some());
        movement.observe(&Event::WholeSecondsAtSink { files: 1 }, again, time);
        assert_eq!(movement.stalled(&snapshot, again), None, "an event came");
    }

    #[test]
    fn what_is_waited_for_is_known_from_the_storage_or_from_the_lanes() {
        let (mut movement, now, time) = movement();
        let mut snapshot = sending();
        snapshot.limited_by = [(Cause::Source, Duration::from_secs(100))].into_iter().collect();
        movement.update(&snapshot, now, time);
        snapshot.limited_by =
            [(Cause::Source, Duration::from_secs(100)), (Cause::Flush, PATIENCE)].into_iter().collect();
        movement.update(&snapshot, now + PATIENCE, time);
        let stalled = |movement: &Movement| {
            let stalled = movement.stalled(&snapshot, now + PATIENCE).unwrap();
            (stalled.side, stalled.operation.unwrap())
        };
        assert_eq!(stalled(&movement), (Some(Side::Dest), "flush".to_owned()));
        let (side, root, reason) = (towpath::Side::Source, b"/old".to_vec(), WaitReason::Unavailable);
        let waiting = Warning::Waiting { side, root: root.clone(), reason, cause: "stat: timed out".to_owned() };
        movement.observe(&Event::Warning(waiting), now + PATIENCE, time);
        assert_eq!(stalled(&movement), (Some(Side::Source), "stat: timed out".to_owned()));
        movement.observe(&Event::Warning(Warning::Resumed { side, root }), now + PATIENCE, time);
        assert_eq!(stalled(&movement), (Some(Side::Dest), "flush".to_owned()));
    }

    #[test]
    fn a_run_goes_on_while_something_moves_or_what_it_waits_for_is_known() {
        let (mut movement, now, time) = movement();
        let (mut snapshot, later) = (sending(), now + PATIENCE);
        movement.update(&snapshot, now, time);
        assert!(movement.goes_on(&snapshot, now + PATIENCE / 2, PATIENCE));
        assert!(!movement.goes_on(&snapshot, later, PATIENCE), "nothing has moved");
        snapshot.limited_by = [(Cause::Destination, PATIENCE)].into_iter().collect();
        assert!(!movement.goes_on(&snapshot, later, PATIENCE), "a write that hangs is no wait that others end");
        snapshot.limited_by = [(Cause::Destination, PATIENCE), (Cause::Limit, 2 * PATIENCE)].into_iter().collect();
        assert!(movement.goes_on(&snapshot, later, PATIENCE), "the limit");
        snapshot.limited_by = LimitedBy::default();
        let (side, root, reason) = (towpath::Side::Source, b"/old".to_vec(), WaitReason::Credentials);
        let waiting = Warning::Waiting { side, root: root.clone(), reason, cause: "expired".to_owned() };
        movement.observe(&Event::Warning(waiting), now, time);
        assert!(movement.goes_on(&snapshot, later, PATIENCE), "a server");
        movement.observe(&Event::Warning(Warning::Resumed { side, root }), now, time);
        assert!(!movement.goes_on(&snapshot, later, PATIENCE));
        snapshot.database_steps += 1;
        movement.update(&snapshot, later, time);
        assert!(movement.goes_on(&snapshot, later, PATIENCE), "the database works");
    }

    #[test]
    fn a_call_that_hangs_shows_in_every_phase() {
        for phase in
            [Phase::Starting, Phase::Scanning, Phase::Transferring, Phase::Mirroring, Phase::Finalizing, Phase::Ended]
        {
            let (mut movement, now, time) = movement();
            let mut snapshot = Snapshot::default();
            snapshot.phase = phase;
            movement.update(&snapshot, now, time);
            let path = RelPath::new("old/letter").unwrap();
            let (side, later) = (Some(towpath::Side::Sink), now + PATIENCE / 2);
            snapshot.operation = Some(CurrentOperation::new(side, "remove", Some(path), later));
            snapshot.operations_done = 7;
            movement.update(&snapshot, later, time);
            assert_eq!(movement.stalled(&snapshot, now + PATIENCE), None, "another one has returned since");
            let stalled = movement.stalled(&snapshot, later + PATIENCE).unwrap();
            assert_eq!((stalled.side, stalled.operation.as_deref()), (Some(Side::Dest), Some("remove")), "{phase:?}");
            assert_eq!((stalled.path.as_deref(), stalled.since), (Some("old/letter"), time));
            snapshot.operation = Some(CurrentOperation::new(None, "checkpoint the database", None, later));
            let stalled = movement.stalled(&snapshot, later + PATIENCE).unwrap();
            assert_eq!((stalled.side, stalled.operation.as_deref()), (None, Some("checkpoint the database")));
        }
    }

    #[test]
    fn a_pause_and_a_hash_of_a_hole_are_no_stall() {
        let (mut movement, now, time) = movement();
        let mut snapshot = sending();
        snapshot.paused = true;
        for minutes in 0..5 {
            movement.update(&snapshot, now + minutes * PATIENCE, time);
        }
        assert_eq!(movement.stalled(&snapshot, now + 4 * PATIENCE), None);
        snapshot.paused = false;
        snapshot.current[0].hashes_hole = true;
        movement.update(&snapshot, now + 6 * PATIENCE, time);
        assert_eq!(movement.stalled(&snapshot, now + 6 * PATIENCE), None);
    }
}
