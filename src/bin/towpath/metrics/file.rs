//! `--metrics-file`: the metrics as a file, for node_exporter's textfile collector.

use std::fs::Permissions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, timeout};

use super::exposition::Format;
use super::moment::Ended;
use super::source::Metrics;
use towpath::canonical_path;

/// How often the file is written.
const INTERVAL: Duration = Duration::from_secs(15);
/// How long the end of a run waits for the last write: the file may be on a mount that hangs.
const LAST_WRITE: Duration = Duration::from_secs(2);
/// Readable by node_exporter, which runs as another user.
const MODE: u32 = 0o644;
/// How a file of metrics begins.
const BEGIN: &[u8] = b"# HELP towpath_";

/// A path that the metrics can be written to.
#[derive(Clone, Debug)]
pub(crate) struct MetricsPath {
    path: PathBuf,
    folder: PathBuf,
}

impl MetricsPath {
    /// Checks that the file can be written and replaces nothing else; `others` are files of this run. Blocks.
    ///
    /// # Errors
    /// One line.
    pub(crate) fn check<'a>(path: &Path, others: impl IntoIterator<Item = &'a Path>) -> Result<Self, String> {
        let failed = |problem: &dyn std::fmt::Display| format!("--metrics-file {}: {problem}", path.display());
        let canonical = canonical_path(path);
        let (Some(_), Some(folder)) = (path.file_name(), canonical.parent()) else {
            return Err(failed(&"is not the name of a file"));
        };
        if others.into_iter().any(|other| canonical_path(other) == canonical) {
            return Err(failed(&"is the database or the log of this run"));
        }
        let checked = Self { folder: folder.to_owned(), path: canonical };
        checked.check_replaced().map_err(|error| failed(&error))?;
        let shown = checked.folder.display().to_string();
        checked.temporary().map(drop).map_err(|error| failed(&format!("cannot write in {shown}: {}", error.kind())))?;
        Ok(checked)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the user should know; one line.
    pub(crate) fn note(&self) -> Option<&'static str> {
        let is_read = self.path.extension().is_some_and(|extension| extension == "prom");
        (!is_read).then_some("--metrics-file: node_exporter reads only files whose names end with .prom")
    }

    /// Only a file of metrics, or an empty one, is replaced.
    fn check_replaced(&self) -> io::Result<()> {
        match std::fs::symlink_metadata(&self.path) {
            Ok(metadata) if !metadata.is_file() => return Err(io::Error::other("is not a regular file")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut begin = Vec::new();
        std::fs::File::open(&self.path)?.take(BEGIN.len() as u64).read_to_end(&mut begin)?;
        if begin.is_empty() || begin == BEGIN {
            return Ok(());
        }
        Err(io::Error::other("has something else than metrics of towpath: remove it, or give another name"))
    }

    /// A new file beside it. Its name does not end with `.prom`, so that nobody reads it before it is complete.
    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new().prefix(".towpath-metrics-").suffix(".tmp").tempfile_in(&self.folder)
    }

    /// Replaces the file in one step.
    fn write(&self, text: &str) -> io::Result<()> {
        let mut file = self.temporary()?;
        file.write_all(text.as_bytes())?;
        // After the creation, which the umask limits.
        file.as_file().set_permissions(Permissions::from_mode(MODE))?;
        file.persist(&self.path).map(drop).map_err(|error| error.error)
    }

    fn write_now(&self, metrics: &Metrics, ended: Option<Ended>) -> Result<(), String> {
        let text = metrics.figures(ended).text(Format::Text).map_err(|error| error.to_string())?;
        self.write(&text).map_err(|error| error.to_string())
    }
}

/// Writes the metrics of a run to a file until it ends.
pub(crate) struct MetricsFile {
    task: JoinHandle<()>,
    end: oneshot::Sender<Ended>,
}

impl MetricsFile {
    /// Writes now, and from now on every 15 seconds. `warn` gets one line, once, if a write fails.
    pub(crate) fn start(path: MetricsPath, metrics: Metrics, warn: impl Fn(String) + Send + 'static) -> Self {
        let shown = path.path.display().to_string();
        let warn = move |problem| warn(format!("note: --metrics-file {shown}: {problem}; the run goes on"));
        Self::start_with(move |ended| path.write_now(&metrics, ended), warn)
    }

    pub(super) fn start_with(
        write: impl Fn(Option<Ended>) -> Result<(), String> + Send + Sync + 'static,
        warn: impl Fn(String) + Send + 'static,
    ) -> Self {
        let (end, ended) = oneshot::channel();
        Self { task: tokio::spawn(write_until(Arc::new(write), Box::new(warn), ended)), end }
    }

    /// Writes how the run ended. Waits a moment only.
    pub(crate) async fn end(self, ended: Ended) {
        let _task_is_gone = self.end.send(ended);
        let _it_hangs = timeout(LAST_WRITE, self.task).await;
    }
}

/// On blocking threads, one write at a time: one that hangs holds up nothing but further writes.
async fn write_until(
    write: Arc<dyn Fn(Option<Ended>) -> Result<(), String> + Send + Sync>,
    warn: Box<dyn Fn(String) + Send>,
    mut ended: oneshot::Receiver<Ended>,
) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_warned = false;
    loop {
        let end = tokio::select! {
            biased;
            // Without an end the run is gone.
            end = &mut ended => match end {
                Ok(end) => Some(end),
                Err(_) => return,
            },
            _ = ticks.tick() => None,
        };
        let write = Arc::clone(&write);
        let written = spawn_blocking(move || write(end)).await;
        let problem = match written {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some(problem),
            Err(_) => Some("a defect of towpath".to_owned()),
        };
        if let Some(problem) = problem
            && !std::mem::replace(&mut has_warned, true)
        {
            warn(problem);
        }
        if end.is_some() {
            return;
        }
    }
}
