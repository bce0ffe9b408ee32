//! What no listing shows: whether files can be opened, their extended attributes, and whether they change. Samples of
//! the tree are checked after the scan.

use std::collections::BTreeMap;
use std::future::Future;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use towpath_backend::{Error, ErrorKind, Metadata, ReadOptions, RelPath, Result};

use super::kept::Examples;
use super::open_files::{OpenFiles, open_files};
use super::survey::Survey;
use towpath::Source;

/// Requests at a time.
const AT_A_TIME: usize = 16;
/// After so long the checks end: a tree may hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// The results.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    pub(crate) access: Access,
    pub(crate) xattrs: Xattrs,
    pub(crate) changes: Changes,
    /// `None`: the source is not a local path.
    pub(crate) open: Option<OpenFiles>,
    /// Whether the checks did not end in time.
    pub(crate) is_cut_short: bool,
}

/// Files that this user may not be able to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// Files with such permission bits.
    pub(crate) doubtful: u64,
    /// Those of them that were opened, or tried.
    pub(crate) tried: u64,
    /// Each example has the error.
    pub(crate) denied: Examples,
}

/// Extended attributes of files and directories.
#[derive(Clone, Debug, Default)]
pub(crate) struct Xattrs {
    pub(crate) from: u64,
    pub(crate) read: u64,
    /// Entries with ACLs, and with other attributes.
    pub(crate) with_acl: Examples,
    pub(crate) with_others: Examples,
    /// How many entries have each attribute.
    pub(crate) names: BTreeMap<String, u64>,
    pub(crate) failed: Examples,
}

/// Files that had changed shortly before they were listed, checked again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) again: u64,
    pub(crate) changed: Examples,
}

/// Checks the samples. `local_root` is that of a source which is a local path.
pub(crate) async fn check(source: Box<dyn Source>, survey: &Survey, local_root: Option<&Path>) -> Checks {
    let source: Arc<dyn Source> = Arc::from(source);
    let mut checks = Checks::default();
    checks.access.doubtful = survey.doubtful.from;
    checks.xattrs.from = survey.sample.from;
    let all = async {
        checks.changes = changes(&source, survey).await;
        checks.access = access(&source, survey).await;
        checks.xattrs = xattrs(&source, survey).await;
        if let Some(root) = local_root.map(Path::to_owned) {
            checks.open = tokio::task::spawn_blocking(move || open_files(&root)).await.ok();
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await.is_ok();
    checks.is_cut_short = !in_time;
    checks
}

async fn changes(source: &Arc<dyn Source>, survey: &Survey) -> Changes {
    let mut found = Changes::default();
    let before: Vec<_> = survey.recent_sample.iter().filter_map(|(path, then)| Some((at(path)?, *then))).collect();
    let stat = async |source: Arc<dyn Source>, path: RelPath| source.metadata(&path).await;
    let paths: Vec<_> = before.iter().map(|(path, _)| path.clone()).collect();
    let before: BTreeMap<_, _> = before.iter().map(|(path, then)| (path.as_bytes(), then)).collect();
    of_all(
        paths,
        |path| stat(Arc::clone(source), path),
        |path, result| {
            let Some(then) = before.get(path.as_bytes()) else { return };
            found.again += 1;
            if !result.is_ok_and(|now| is_same(then, &now)) {
                found.changed.add(shown(source, path), 0);
            }
        },
    )
    .await;
    found
}

fn is_same(then: &Metadata, now: &Metadata) -> bool {
    (then.size_bytes, then.modified, then.changed) == (now.size_bytes, now.modified, now.changed)
}

async fn access(source: &Arc<dyn Source>, survey: &Survey) -> Access {
    let mut found = Access { doubtful: survey.doubtful.from, ..Access::default() };
    let open =
        async |source: Arc<dyn Source>, path: RelPath| source.open(&path, &ReadOptions::default()).await.map(drop);
    let paths = survey.doubtful.iter().filter_map(|(path, ())| at(path)).collect();
    of_all(
        paths,
        |path| open(Arc::clone(source), path),
        |path, result| match result {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                found.tried += 1;
                found.denied.add(with_error(source, path, &error), 0);
            }
            Ok(()) => found.tried += 1,
        },
    )
    .await;
    found
}

async fn xattrs(source: &Arc<dyn Source>, survey: &Survey) -> Xattrs {
    let mut found = Xattrs { from: survey.sample.from, ..Xattrs::default() };
    let read = async |source: Arc<dyn Source>, path: RelPath| source.xattrs(&path).await;
    let paths = survey.sample.iter().filter_map(|(path, ())| at(path)).collect();
    of_all(
        paths,
        |path| read(Arc::clone(source), path),
        |path, result| match result {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => found.failed.add(with_error(source, path, &error), 0),
            Ok(attributes) => {
                found.read += 1;
                let is_acl = |name: &[u8]| name.starts_with(b"system.") && name.windows(3).any(|part| part == b"acl");
                if attributes.iter().any(|attribute| is_acl(&attribute.name)) {
                    found.with_acl.add(shown(source, path), 0);
                }
                if attributes.iter().any(|attribute| !is_acl(&attribute.name)) {
                    found.with_others.add(shown(source, path), 0);
                }
                for attribute in attributes {
                    *found.names.entry(String::from_utf8_lossy(&attribute.name).into_owned()).or_default() += 1;
                }
            }
        },
    )
    .await;
    found
}

fn at(path: &[u8]) -> Option<RelPath> {
    RelPath::new(path).ok()
}

fn shown(source: &Arc<dyn Source>, path: &RelPath) -> Vec<u8> {
    path.under(source.root())
}

fn with_error(source: &Arc<dyn Source>, path: &RelPath, error: &Error) -> Vec<u8> {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    [shown(source, path).as_slice(), b": ", cause.as_bytes()].concat()
}

/// Requests for all paths, some at a time; takes the results in any order.
async fn of_all<T, Request>(
    paths: Vec<RelPath>,
    request: impl Fn(RelPath) -> Request,
    mut take: impl FnMut(&RelPath, Result<T>),
) where
    T: Send + 'static,
    Request: Future<Output = Result<T>> + Send + 'static,
{
    let mut requests = JoinSet::new();
    let mut paths = paths.into_iter();
    loop {
        while requests.len() < AT_A_TIME
            && let Some(path) = paths.next()
        {
            let answer = request(path.clone());
            requests.spawn(async move { (path, answer.await) });
        }
        match requests.join_next().await {
            Some(Ok((path, result))) => take(&path, result),
            Some(Err(_)) => {}
            None => return,
        }
    }
}

/// The root of a source that is a local path.
pub(crate) fn local_root(source: &dyn Source, is_local: bool) -> Option<&Path> {
    is_local.then(|| Path::new(std::ffi::OsStr::from_bytes(source.root())))
}
