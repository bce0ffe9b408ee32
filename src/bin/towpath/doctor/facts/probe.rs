//! Writes a probe to the destination, and removes it.
//!
//! All of it has hidden names that say which process made it: what a kill leaves behind is removed by the next check, and
//! by the scan of the next run (`leftovers`). Only files without content are in the directory, so that removing one never
//! removes anything else.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use towpath_backend::{
    Attributes, Bytes, Error, ErrorKind, Kind, Metadata, Owner, RelPath, Sink, Times, Timestamp, WriteOptions, Xattr,
};

use super::answer::{Trouble, answer};
use super::leftovers::{self, DIR, FILE, MOVED};
use crate::doctor::Plan;
use crate::doctor::model::{LongestName, Probed, Skew};

const CONTENT_BYTES: usize = 4096;
/// Times that many storages cannot hold: before 1970, after 2038, and after 2107, where FAT ends.
const YEARS: [(&str, i64); 3] = [("1960", -315_619_200), ("2039", 2_177_452_800), ("2108", 4_354_819_200)];
/// FAT keeps every other second.
const COARSEST_NS: u64 = 2_000_000_000;
const MAX_NAME: usize = 255;
const PERMISSIONS: u32 = 0o640;
/// Any user that is not root.
const OTHER: Owner = Owner { user: 12_345, group: 12_345 };

/// Writes, renames, flushes and removes a file, and tests what is kept.
pub(crate) async fn probe(sink: &dyn Sink, plan: &Plan, limit: Duration) -> Probed {
    let mut probe = Probe { sink, limit, probed: Probed::default(), is_over: false };
    match leftovers::remove(sink, limit).await {
        Ok(removed) => probe.probed.removed_leftovers = removed,
        Err(trouble) => probe.fail("list", &trouble),
    }
    probe.file().await;
    if !sink.capabilities().virtual_directories && !probe.is_over {
        probe.directory(plan).await;
    }
    probe.probed
}

struct Probe<'a> {
    sink: &'a dyn Sink,
    limit: Duration,
    probed: Probed,
    /// Whether a step failed, so that there is no use in others.
    is_over: bool,
}

impl Probe<'_> {
    fn fail(&mut self, step: &'static str, trouble: &Trouble) {
        self.is_over = true;
        self.probed.hangs |= trouble.is_no_answer();
        if self.probed.failed.is_none() {
            self.probed.failed = Some((step, trouble.to_string()));
        }
    }

    /// Runs a step, unless one failed.
    async fn step<T>(
        &mut self,
        name: &'static str,
        request: impl Future<Output = towpath_backend::Result<T>>,
    ) -> Option<T> {
        if self.is_over {
            return None;
        }
        let began = Instant::now();
        match answer(self.limit, request).await {
            Ok(done) => {
                self.probed.steps.push((name, began.elapsed()));
                Some(done)
            }
            Err(trouble) => {
                self.fail(name, &trouble);
                None
            }
        }
    }

    fn left(&mut self, path: &RelPath, removed: Result<(), Trouble>) {
        if let Err(trouble) = removed
            && !is_gone(&trouble)
        {
            let path = String::from_utf8_lossy(&path.under(self.sink.root())).into_owned();
            self.probed.left.get_or_insert_with(|| format!("{path}: {trouble}"));
        }
    }

    /// A file with content.
    async fn file(&mut self) {
        let sink = self.sink;
        let (Some(file), Some(moved)) = (name(FILE), name(MOVED)) else { return };
        let metadata = Metadata { permissions: Some(0o600), ..Metadata::new(Kind::File, CONTENT_BYTES as u64, now()) };
        let content = Bytes::from(vec![b'x'; CONTENT_BYTES]);
        self.step("write", sink.write_whole(&file, content, &metadata, &WriteOptions::default())).await;
        self.step("flush", sink.flush()).await;
        let mut last = &file;
        if sink.capabilities().renames && self.step("rename", sink.rename(&file, &moved)).await.is_some() {
            last = &moved;
        }
        if self.step("delete", sink.remove_file(last)).await.is_none() {
            for path in [&file, &moved] {
                let removed = answer(self.limit, sink.remove_file(path)).await;
                self.left(path, removed);
            }
        }
    }

    /// A directory with files that have no content.
    async fn directory(&mut self, plan: &Plan) {
        let sink = self.sink;
        let Some(dir) = name(DIR) else { return };
        let before = SystemTime::now();
        if self.step("create directory", sink.create_dir(&dir, Some(0o700))).await.is_some() {
            let after = SystemTime::now();
            if let Ok(metadata) = answer(self.limit, sink.metadata(&dir)).await {
                self.probed.skew = skew(before, after, metadata.modified, sink.capabilities().mtime_precision_ns);
            }
            self.entries(&dir, plan).await;
        }
        let removed = leftovers::remove_dir(sink, &dir, self.limit).await;
        self.left(&dir, removed);
    }

    async fn entries(&mut self, dir: &RelPath, plan: &Plan) {
        let Ok(file) = dir.join("file") else { return };
        if self.step("create", create(self.sink, &file)).await.is_none() {
            return;
        }
        if self.sink.capabilities().sets_mtime {
            self.times(&file).await;
        }
        self.attributes(&file, plan).await;
        self.names(dir).await;
    }

    async fn times(&mut self, file: &RelPath) {
        let mut lost = Vec::new();
        for (year, seconds) in YEARS {
            let modified = Timestamp::from_parts(seconds, 0);
            let set = answer(self.limit, self.sink.set_times(file, &Times { modified, accessed: None })).await;
            let kept = answer(self.limit, self.sink.metadata(file)).await;
            let is_kept = set.is_ok() && kept.is_ok_and(|kept| kept.modified.distance_ns(modified) <= COARSEST_NS);
            if !is_kept {
                lost.push(year);
            }
        }
        self.probed.lost_years = Some(lost);
    }

    /// Only those that a run is to keep.
    async fn attributes(&mut self, file: &RelPath, plan: &Plan) {
        if plan.keeps_permissions {
            let wanted = Attributes { permissions: Some(PERMISSIONS), ..Attributes::default() };
            let is_kept = |kept: &Metadata| kept.permissions.is_none_or(|kept| kept & 0o777 == PERMISSIONS);
            self.probed.permissions = Some(self.keeps(file, &wanted, is_kept).await);
        }
        if plan.keeps_xattrs {
            let xattr = Xattr { name: b"user.towpath.probe".to_vec(), value: b"1".to_vec() };
            let wanted = Attributes { xattrs: vec![xattr], ..Attributes::default() };
            self.probed.xattrs = Some(self.keeps(file, &wanted, |_| true).await);
        }
        if plan.keeps_owner {
            let wanted = Attributes { owner: Some(OTHER), ..Attributes::default() };
            self.probed.owner = Some(self.keeps(file, &wanted, |kept| kept.owner == Some(OTHER)).await);
        }
    }

    async fn keeps(
        &self,
        file: &RelPath,
        wanted: &Attributes,
        is_kept: impl Fn(&Metadata) -> bool,
    ) -> Result<(), String> {
        let refused = answer(self.limit, self.sink.set_attributes(file, wanted)).await.map_err(|it| it.to_string())?;
        if let Some(error) = refused.first() {
            return Err(cause(error));
        }
        let kept = answer(self.limit, self.sink.metadata(file)).await.map_err(|it| it.to_string())?;
        if is_kept(&kept) { Ok(()) } else { Err("accepted, but not kept".to_owned()) }
    }

    async fn names(&mut self, dir: &RelPath) {
        let Some(is_full) = self.accepts(dir, &"n".repeat(MAX_NAME)).await else { return };
        let (mut low, mut high) = if is_full { (MAX_NAME, MAX_NAME) } else { (1, MAX_NAME - 1) };
        while low < high {
            let middle = (low + high).div_ceil(2);
            match self.accepts(dir, &"n".repeat(middle)).await {
                Some(true) => low = middle,
                Some(false) => high = middle - 1,
                None => return,
            }
        }
        let counts_letters = is_full && self.accepts(dir, &"\u{e9}".repeat(MAX_NAME)).await == Some(true);
        self.probed.longest_name = Some(LongestName { letters: low, counts_letters });
    }

    /// Whether a name is accepted; `None`: something else is wrong.
    async fn accepts(&self, dir: &RelPath, name: &str) -> Option<bool> {
        let path = dir.join(name).ok()?;
        match answer(self.limit, create(self.sink, &path)).await {
            Ok(()) => {
                let _left_to_the_end = answer(self.limit, self.sink.remove_file(&path)).await;
                Some(true)
            }
            Err(Trouble::Failed(error)) if error.kind() == ErrorKind::InvalidName => Some(false),
            Err(_) => None,
        }
    }
}

fn name(of: &str) -> Option<RelPath> {
    RelPath::new(towpath_backend::probe::name(of)).ok()
}

fn is_gone(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Failed(error) if error.kind() == ErrorKind::NotFound)
}

/// The cause of an error alone: the path of a probe says nothing.
fn cause(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Creates an empty file.
async fn create(sink: &dyn Sink, path: &RelPath) -> towpath_backend::Result<()> {
    let metadata = Metadata { permissions: Some(0o600), ..Metadata::new(Kind::File, 0, now()) };
    sink.write_whole(path, Bytes::new(), &metadata, &WriteOptions::default()).await.map(drop)
}

fn ns_of(time: SystemTime) -> i128 {
    let ns = |time: Duration| i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
    time.duration_since(UNIX_EPOCH).map_or_else(|error| -ns(error.duration()), ns)
}

fn now() -> Timestamp {
    Timestamp::from_total_ns(ns_of(SystemTime::now())).unwrap_or_default()
}

/// The clock of a storage that gave something this mtime between two moments of ours.
fn skew(before: SystemTime, after: SystemTime, modified: Timestamp, precision_ns: u64) -> Option<Skew> {
    let (before, after) = (ns_of(before), ns_of(after));
    let half = after.checked_sub(before)? / 2;
    // Kernels take the time of the last tick.
    let tick_ns = 10_000_000;
    let uncertainty = u64::try_from(half.max(0)).ok()?.saturating_add(precision_ns).saturating_add(tick_ns);
    Some(Skew { ns: modified.total_ns() - (before + half), uncertainty_ns: uncertainty })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skew_is_measured_from_the_middle_of_the_request() {
        let at = |ms: u64| UNIX_EPOCH + Duration::from_millis(ms);
        let found = skew(at(1000), at(1200), Timestamp::from_ns(5_100_000_000), 100).unwrap();
        assert_eq!((found.ns, found.uncertainty_ns), (4_000_000_000, 110_000_100));
        let before = skew(at(1000), at(1000), Timestamp::from_ns(-1_000_000_000), 0).unwrap();
        assert_eq!(before.ns, -2_000_000_000);
    }

    #[test]
    fn the_years_are_those_that_they_are_called() {
        for (year, seconds) in YEARS {
            let moment = jiff::Timestamp::from_second(seconds).unwrap();
            assert!(moment.to_string().starts_with(year), "{year}: {moment}");
        }
    }

    #[tokio::test]
    async fn the_probe_leaves_nothing_behind_and_removes_what_a_kill_left() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let old = |end: &str| {
            let mine = format!("probe-{}-", std::process::id());
            folder.path().join(towpath_backend::probe::name(end).replace(&mine, &format!("probe-{}-", child.id())))
        };
        std::fs::create_dir(old(DIR)).unwrap();
        std::fs::write(old(FILE), "content").unwrap();
        std::fs::write(folder.path().join("precious"), "content").unwrap();
        let sink = towpath_local::LocalSink::open(folder.path()).unwrap();
        let plan = Plan { keeps_permissions: true, keeps_xattrs: true, ..Plan::of_test() };
        let probed = probe(&sink, &plan, Duration::from_secs(60)).await;
        assert_eq!((probed.removed_leftovers, &probed.failed, &probed.left), (2, &None, &None));
        assert_eq!(probed.permissions, Some(Ok(())));
        assert!(
            probed.skew.is_some_and(|skew| skew.ns.unsigned_abs() <= u128::from(skew.uncertainty_ns)),
            "{probed:?}"
        );
        assert_eq!(probed.longest_name.map(|longest| longest.letters), Some(255));
        let steps: Vec<_> = probed.steps.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, ["write", "flush", "rename", "delete", "create directory", "create"]);
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["precious"]);
    }
}
