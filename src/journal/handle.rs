//! The handle that the engine's tasks share, and the thread that owns the connection.
//!
//! Each call is a job for that thread. Jobs share a transaction. It is committed when no job
//! waits, when it has grown large, or when a job requests it.

use std::path::PathBuf;
use std::thread;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::audit::AuditLog;
use crate::error::{Error, Result};
use crate::event::Warning;
use crate::journal::store::db::Db;
use crate::journal::store::open::{self, Roots};
use crate::journal::store::open_beside::{BesideRuns, open_beside_runs};
use crate::progress::{Operations, Progress};

type Job = Box<dyn FnOnce(&mut Db) + Send>;

/// The capacity of the job queue; further callers wait until it has room.
const QUEUE_CAPACITY: usize = 64;

/// A handle on the database; clones share it.
#[derive(Clone)]
pub(crate) struct Journal {
    jobs: mpsc::Sender<Job>,
    thread: thread::Thread,
    operations: Operations,
}

/// A database that is open beside runs.
pub(crate) struct Beside {
    pub(crate) journal: Journal,
    pub(crate) thread: JournalThread,
    /// The roots of its trees.
    pub(crate) roots: Roots,
    /// The audit log of its last run.
    pub(crate) log: PathBuf,
}

/// The database's thread; it ends when the last handle is dropped.
pub(crate) struct JournalThread(thread::JoinHandle<()>);

impl Journal {
    /// Opens or creates the database of these trees, and starts its thread. Long-running
    /// statements end with [`Error::Interrupted`] once `stop` is cancelled, and count their steps in `progress`.
    ///
    /// # Errors
    /// [`Error::Database`] if it cannot be used, [`Error::Refused`] if it belongs to other trees.
    pub(crate) fn open(
        path: PathBuf,
        roots: &Roots,
        log: AuditLog,
        stop: CancellationToken,
        progress: Progress,
    ) -> Result<(Self, JournalThread)> {
        let mut db = Db::new(open::open(&path, roots)?, log, path);
        db.interrupt_when(stop, progress.clone())?;
        db.prepare_log(false)?;
        Self::start(db, &progress)
    }

    /// Opens an existing database, and the audit log that its last run wrote to, for a command that records something
    /// and is no run: a run may write to both at the same time.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Error::Database`] if there is no database, or no run has used it yet.
    pub(crate) fn open_beside_runs(path: PathBuf, stop: CancellationToken, progress: Progress) -> Result<Beside> {
        let BesideRuns { opened, roots, log, is_run_active } = open_beside_runs(&path)?;
        let mut db = Db::new(opened, AuditLog::open(&log)?, path).beside_runs();
        db.interrupt_when(stop, progress.clone())?;
        db.prepare_log(is_run_active)?;
        let (journal, thread) = Self::start(db, &progress)?;
        Ok(Beside { journal, thread, roots, log })
    }

    fn start(mut db: Db, progress: &Progress) -> Result<(Self, JournalThread)> {
        let operations = progress.operations().clone();
        let (jobs, mut waiting) = mpsc::channel::<Job>(QUEUE_CAPACITY);
        let thread = thread::Builder::new()
            .name("towpath-journal".to_owned())
            .spawn(move || run_jobs(&mut db, &mut waiting))
            .map_err(|error| Error::Internal(format!("cannot start the database's thread: {error}")))?;
        Ok((Self { jobs, thread: thread.thread().clone(), operations }, JournalThread(thread)))
    }

    /// Runs `job` on the database's thread, inside a transaction that may be
    /// committed later than its return.
    pub(in crate::journal) async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run("query the database", job).await
    }

    /// Like [`Self::call`]; the operation is shown by this name if it takes long.
    pub(in crate::journal) async fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        job: impl FnOnce(&mut Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.send(name, move |db| db.in_transaction(job)).await
    }

    /// Like [`Self::call`], for a job that only reads, and may see what others commit meanwhile: no other writer waits
    /// for it, even if this process is stopped.
    pub(in crate::journal) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.send("query the database", move |db| db.without_transaction(job)).await
    }

    async fn send<T: Send + 'static>(
        &self,
        name: &'static str,
        job: impl FnOnce(&mut Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _operation = self.operations.in_database(name);
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            let result = job(db);
            let _caller_gone = reply.send(result);
        });
        self.jobs.send(job).await.map_err(|_| thread_ended())?;
        self.thread.unpark();
        answer.await.map_err(|_| thread_ended())?
    }

    /// Like [`Self::call`], but commits the job's changes before it returns.
    pub(in crate::journal) async fn commit<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run("commit to the database", move |db| {
            let value = job(db)?;
            db.commit()?;
            Ok(value)
        })
        .await
    }

    /// Like [`Self::call`], for a long-running job: when the run is to stop, the job is rolled back and
    /// ends with [`Error::Interrupted`]. The changes of earlier jobs are committed before it starts.
    pub(in crate::journal) async fn call_long<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.call(move |db| db.interruptible(job)).await
    }

    /// Like [`Self::call_long`], but commits the job's changes before it returns.
    pub(in crate::journal) async fn commit_long<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.commit(move |db| db.interruptible(job)).await
    }

    /// Like [`Self::commit`], but the commit survives a power cut.
    pub(in crate::journal) async fn commit_durably<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run("commit to the database", move |db| {
            let value = job(db)?;
            db.commit_durably()?;
            Ok(value)
        })
        .await
    }

    /// Returns the warnings about database and log collected since the last call.
    pub(crate) async fn take_warnings(&self) -> Result<Vec<Warning>> {
        self.call(|db| Ok(db.take_warnings())).await
    }
}

impl JournalThread {
    /// Waits until everything is committed and the database is closed. All
    /// handles must have been dropped.
    pub(crate) async fn join(self) -> Result<()> {
        let joined = tokio::task::spawn_blocking(move || self.0.join()).await;
        match joined {
            Ok(Ok(())) => Ok(()),
            _ => Err(Error::Internal("the database's thread panicked".to_owned())),
        }
    }
}

fn thread_ended() -> Error {
    Error::Internal("the database's thread has ended".to_owned())
}

fn run_jobs(db: &mut Db, waiting: &mut mpsc::Receiver<Job>) {
    while let Some(job) = next_job(db, waiting) {
        job(db);
    }
    db.close();
}

/// The next job; `None` after the last handle was dropped.
fn next_job(db: &mut Db, waiting: &mut mpsc::Receiver<Job>) -> Option<Job> {
    loop {
        match waiting.try_recv() {
            Ok(job) => return Some(job),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        // No job waits: commit now. The next job reports an error again.
        match db.commit_idle() {
            // Sending a job unparks the thread.
            Ok(Some(remaining)) => thread::park_timeout(remaining),
            Ok(None) => return waiting.blocking_recv(),
            Err(error) => {
                tracing::error!(%error, "commit");
                return waiting.blocking_recv();
            }
        }
    }
}
