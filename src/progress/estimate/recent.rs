//! Rates of the last minutes, and how long the backlog takes at them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use towpath_backend::RelPath;

use super::super::snapshot::Snapshot;
use super::costs::Work;

/// What the last minutes say. The time for a backlog is the time for its bytes at the best recent rate, or the
/// time for its number of files, whichever is longer. The cost per file is measured while files are sent without the
/// link being busy; until then, [`FILE_COST`] is assumed. Holes count with the mean recent rate, not with
/// the best: how many follow is unknown. Files with long holes are sent one at a time beside the others, and are
/// estimated separately.
#[derive(Debug, Default)]
pub(super) struct Recent {
    pub(super) samples: VecDeque<Sample>,
}

/// Rates and times as of the last snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Now {
    pub(super) bandwidth_bytes_per_s: u64,
    pub(super) holes_bytes_per_s: u64,
    pub(super) long_holes_bytes_per_s: u64,
    pub(super) current_file: Option<(RelPath, Duration)>,
    pub(super) left: Work,
    /// The time for the files without long holes.
    pub(super) others: Option<Duration>,
    /// The time for the files with long holes.
    pub(super) long_holes: Option<Duration>,
    /// Whether files with long holes are sent beside the others.
    pub(super) is_beside_others: bool,
}

impl Now {
    /// The time for all files, if the others take `others`.
    pub(super) fn with_long_holes(&self, others: Duration) -> Option<Duration> {
        let long_holes = self.long_holes?;
        Some(if self.is_beside_others { others.max(long_holes) } else { others.saturating_add(long_holes) })
    }
}

/// The assumed cost of a file besides its bytes, until the real one is known.
pub(super) const FILE_COST: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    at: Instant,
    written_bytes: u64,
    hole_bytes: u128,
    long_holes_bytes: u128,
    pending_files: u64,
}

/// Progress per second.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    written: f64,
    holes: f64,
    /// Bytes written and skipped of files with long holes.
    long_holes: f64,
    files: f64,
}

impl Rate {
    /// Bytes written and skipped of files without long holes.
    fn position(&self) -> f64 {
        (self.written + self.holes - self.long_holes).max(0.0)
    }
}

/// What is left to do.
#[derive(Clone, Copy, Debug)]
struct Left {
    bytes: u128,
    files: u64,
    /// Bytes of files with long holes, which are not in `bytes` and `files`.
    long_holes_bytes: u128,
}

impl Recent {
    /// The bandwidth is the mean over this time.
    const BANDWIDTH_WINDOW: Duration = Duration::from_secs(5);
    /// The best rates are from this time.
    const BACKLOG_WINDOW: Duration = Duration::from_secs(120);
    /// Rates are measured over at least this time, if possible.
    const STRETCH: Duration = Duration::from_secs(2);
    /// The minimum time between two samples that are kept.
    const SAMPLE_DISTANCE: Duration = Duration::from_millis(200);
    /// Below this share of its best rate, the link does not limit the transfer.
    const IDLE_SHARE: f64 = 0.5;
    /// The assumed speed of hashing holes, until the real one is known.
    const HASH_BYTES_PER_S: f64 = 1e9;

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.samples.clear();
    }

    /// Adds a snapshot that was taken at `now`.
    pub(super) fn add(&mut self, now: Instant, snapshot: &Snapshot) -> Now {
        let sample = Sample {
            at: now,
            written_bytes: snapshot.written_bytes,
            hole_bytes: snapshot.hole_bytes,
            long_holes_bytes: snapshot.long_holes_bytes,
            pending_files: snapshot.pending.files,
        };
        let recent = self.rate_since(&sample, Self::BANDWIDTH_WINDOW);
        self.keep(sample);
        let left = left(snapshot);
        let known_rate = Some(recent.long_holes).filter(|rate| *rate > 0.0);
        let mut current_file = current_file(snapshot, recent);
        let now = Now {
            bandwidth_bytes_per_s: recent.written as u64,
            holes_bytes_per_s: recent.holes as u64,
            long_holes_bytes_per_s: recent.long_holes as u64,
            left: Work { files: left.files as f64, bytes: left.bytes as f64 },
            others: self.others(left, recent),
            long_holes: time_for(left.long_holes_bytes, known_rate.unwrap_or(Self::HASH_BYTES_PER_S)),
            is_beside_others: snapshot.current.iter().any(|file| file.has_long_holes),
            current_file: None,
        };
        if let (Some((_, file)), Some(backlog)) =
            (&mut current_file, now.others.and_then(|others| now.with_long_holes(others)))
        {
            // It is part of what is left.
            *file = (*file).min(backlog);
        }
        Now { current_file, ..now }
    }

    /// What was sent since a moment, without files with long holes, and in which time.
    pub(super) fn sent_since(&self, since: Instant) -> Option<(Work, Duration)> {
        let first = self.samples.iter().find(|sample| sample.at >= since)?;
        let last = self.samples.back()?;
        let bytes = |sample: &Sample| {
            (u128::from(sample.written_bytes) + sample.hole_bytes).saturating_sub(sample.long_holes_bytes)
        };
        let work = Work {
            files: first.pending_files.saturating_sub(last.pending_files) as f64,
            bytes: bytes(last).saturating_sub(bytes(first)) as f64,
        };
        Some((work, last.at.saturating_duration_since(first.at)))
    }

    /// The time for the files without long holes.
    fn others(&self, left: Left, recent: Rate) -> Option<Duration> {
        let best = self.best_rate();
        let mean = self.rate_of_all();
        let link = time_for(left.bytes, best.written.max(mean.position()))?;
        let assumed = FILE_COST.saturating_mul(u32::try_from(left.files).unwrap_or(u32::MAX));
        let is_busy = recent.written > best.written * Self::IDLE_SHARE;
        let files = match (time_for(left.files, recent.files), time_for(left.files, best.files)) {
            (Some(time), _) if !is_busy => time,
            (_, Some(time)) => time.min(assumed),
            // Nothing was sent yet.
            (_, None) if left.bytes == 0 && left.files > 0 => return None,
            _ => assumed,
        };
        Some(link.max(files))
    }

    /// The rate since the oldest sample within `window`.
    fn rate_since(&self, now: &Sample, window: Duration) -> Rate {
        let within = |sample: &&Sample| now.at.saturating_duration_since(sample.at) <= window;
        let oldest = self.samples.iter().find(within).or(self.samples.back());
        oldest.map_or(Rate::default(), |oldest| rate(oldest, now))
    }

    /// The best rates in the recorded samples.
    fn best_rate(&self) -> Rate {
        let stretch = |to: &Sample| {
            let long_ago = |from: &Sample| to.at.saturating_duration_since(from.at) >= Self::STRETCH;
            let begin = self.samples.partition_point(long_ago).checked_sub(1)?;
            Some(rate(&self.samples[begin], to))
        };
        let best = |a: Rate, b: Rate| Rate {
            written: a.written.max(b.written),
            holes: a.holes.max(b.holes),
            long_holes: a.long_holes.max(b.long_holes),
            files: a.files.max(b.files),
        };
        self.samples.iter().filter_map(stretch).reduce(best).unwrap_or_else(|| self.rate_of_all())
    }

    /// The mean rate over all recorded samples.
    fn rate_of_all(&self) -> Rate {
        let ends = self.samples.front().zip(self.samples.back());
        ends.map_or(Rate::default(), |(first, last)| rate(first, last))
    }

    fn keep(&mut self, sample: Sample) {
        if self.samples.back().is_some_and(|last| sample.at.saturating_duration_since(last.at) < Self::SAMPLE_DISTANCE)
        {
            return;
        }
        self.samples.push_back(sample);
        let too_old = |first: &Sample| sample.at.saturating_duration_since(first.at) > Self::BACKLOG_WINDOW;
        while self.samples.front().is_some_and(too_old) {
            self.samples.pop_front();
        }
    }
}

/// The rates between two samples.
fn rate(from: &Sample, to: &Sample) -> Rate {
    let seconds = to.at.saturating_duration_since(from.at).as_secs_f64();
    if seconds <= 0.0 {
        return Rate::default();
    }
    Rate {
        written: to.written_bytes.saturating_sub(from.written_bytes) as f64 / seconds,
        holes: to.hole_bytes.saturating_sub(from.hole_bytes) as f64 / seconds,
        long_holes: to.long_holes_bytes.saturating_sub(from.long_holes_bytes) as f64 / seconds,
        files: from.pending_files.saturating_sub(to.pending_files) as f64 / seconds,
    }
}

fn left(snapshot: &Snapshot) -> Left {
    let in_flight = |has_long_holes| -> u128 {
        let files = snapshot.current.iter().filter(|file| file.has_long_holes == has_long_holes);
        files.map(|file| u128::from(file.position_bytes())).sum()
    };
    let others = snapshot.pending.bytes.saturating_sub(snapshot.long_holes.bytes);
    Left {
        bytes: others.saturating_sub(in_flight(false)),
        files: snapshot.pending.files.saturating_sub(snapshot.long_holes.files),
        long_holes_bytes: snapshot.long_holes.bytes.saturating_sub(in_flight(true)),
    }
}

/// The file in flight with most bytes left, assuming that all files progress equally fast. A file with long holes
/// shares its rate with no other.
fn current_file(snapshot: &Snapshot, recent: Rate) -> Option<(RelPath, Duration)> {
    let largest = snapshot.current.iter().max_by_key(|file| file.left_bytes())?;
    let rate = if largest.has_long_holes {
        recent.long_holes
    } else {
        recent.position() / snapshot.current.iter().filter(|file| !file.has_long_holes).count() as f64
    };
    Some((largest.path.clone(), time_for(largest.left_bytes(), rate)?))
}

/// `None` if it would never end.
fn time_for(units: impl Into<u128>, units_per_s: f64) -> Option<Duration> {
    let units = units.into();
    if units == 0 {
        return Some(Duration::ZERO);
    }
    if units_per_s <= 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(units as f64 / units_per_s).ok()
}
