//! The ages and rates of the files in flight.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use towpath::Snapshot;
use towpath_backend::RelPath;

use super::model::{CurrentFile, path_text};

/// The rate of a file is its mean over this time.
const WINDOW: Duration = Duration::from_secs(10);
/// Files in flight that are described.
const MAX_FILES: usize = 64;

/// The files that were in flight at the last update.
#[derive(Debug, Default)]
pub(super) struct Files(HashMap<RelPath, File>);

#[derive(Debug)]
struct File {
    since: Instant,
    /// Its progress in the last seconds.
    positions: VecDeque<(Instant, u64)>,
}

impl Files {
    /// Adds their progress.
    pub(super) fn update(&mut self, snapshot: &Snapshot, now: Instant) {
        let mut files = HashMap::with_capacity(snapshot.current.len());
        for file in &snapshot.current {
            let known = self.0.remove(&file.path);
            let mut known = known.unwrap_or_else(|| File { since: now, positions: VecDeque::new() });
            known.positions.push_back((now, file.position_bytes()));
            while known.positions.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
                known.positions.pop_front();
            }
            files.insert(file.path.clone(), known);
        }
        self.0 = files;
    }

    /// Those with most bytes left, and how many others there are.
    pub(super) fn current(&self, snapshot: &Snapshot, now: Instant, time: Timestamp) -> (Vec<CurrentFile>, usize) {
        let mut files: Vec<_> = snapshot.current.iter().collect();
        files.sort_by_key(|file| Reverse(file.left_bytes()));
        let described = files.iter().take(MAX_FILES).map(|file| {
            let known = self.0.get(&file.path);
            let rate = known.and_then(|known| known.rate(now, file.position_bytes()));
            let (path, path_bytes) = path_text(file.path.as_bytes());
            CurrentFile {
                path,
                path_bytes,
                size: file.size_bytes,
                written: file.position_bytes(),
                rate_bytes_per_s: rate,
                age_s: known.map_or(0, |known| now.saturating_duration_since(known.since).as_secs()),
                eta: rate.and_then(|rate| time_for(file.left_bytes(), rate, time)),
            }
        });
        (described.collect(), files.len().saturating_sub(MAX_FILES))
    }
}

impl File {
    fn rate(&self, now: Instant, position: u64) -> Option<u64> {
        let (begin, first) = self.positions.front()?;
        let seconds = now.saturating_duration_since(*begin).as_secs_f64();
        (seconds >= 0.5).then(|| (position.saturating_sub(*first) as f64 / seconds) as u64)
    }
}

fn time_for(bytes: u64, bytes_per_s: u64, time: Timestamp) -> Option<Timestamp> {
    let seconds = i64::try_from(bytes.checked_div(bytes_per_s)?).ok()?;
    time.checked_add(SignedDuration::from_secs(seconds)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_rate_of_the_last_seconds_and_an_end() {
        let (now, time, second) = (Instant::now(), Timestamp::UNIX_EPOCH, Duration::from_secs(1));
        let mut files = Files::default();
        let mut snapshot = Snapshot::default();
        let path = RelPath::new("a").unwrap();
        snapshot.current = vec![towpath::CurrentFile::new(path, 10_000)];
        for n in 0..=20_u32 {
            snapshot.current[0].written_bytes = if n < 10 { 0 } else { u64::from(n - 10) * 100 };
            files.update(&snapshot, now + n * second);
        }
        let (current, more) = files.current(&snapshot, now + 20 * second, time);
        assert_eq!((current[0].rate_bytes_per_s, current[0].age_s, more), (Some(100), 20, 0));
        assert_eq!(current[0].eta, Some(Timestamp::new(90, 0).unwrap()));
        assert!(files.0.values().all(|file| file.positions.len() < 13), "bounded");
        snapshot.current.clear();
        files.update(&snapshot, now);
        assert!(files.0.is_empty());
    }
}
