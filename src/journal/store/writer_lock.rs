//! Orders the writers of one database: a run, and commands that record something while it goes on.
//!
//! SQLite's own lock excludes two transactions. This one also spans the lines that a transaction appends to the audit
//! log after its commit, and it is fair: a run begins its next transaction at once, and SQLite's waiting writers, which
//! only try from time to time, would never get between.
//!
//! Both locks are on bytes far behind the database's content, and belong to an open file description, not to the process:
//! a process may have several writers.

use std::fs::File;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use tokio_util::sync::CancellationToken;

/// Held while a writer waits for [`WRITER`]: who comes next does not overtake it.
const TURN: i64 = i64::MAX - 2;
/// Held from the begin of a transaction until its lines are in the log.
const WRITER: i64 = i64::MAX - 1;

/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(10);
/// How long a writer that is to stop still waits.
const LAST_WAIT: Duration = Duration::from_secs(30);

/// The lock of one writer, on its handle of the database.
pub(in crate::journal) struct WriterLock {
    database: File,
    is_held: bool,
    /// Once cancelled, the lock is not waited for much longer.
    stop: CancellationToken,
    last_wait: Duration,
}

impl WriterLock {
    pub(in crate::journal) fn new(database: File) -> Self {
        Self { database, is_held: false, stop: CancellationToken::new(), last_wait: LAST_WAIT }
    }

    /// Sets what ends the waiting.
    pub(in crate::journal) fn stop_with(&mut self, stop: CancellationToken) {
        self.stop = stop;
    }

    /// Waits for the lock; does nothing if it is held.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if it is still held long after the writer was asked to stop.
    pub(in crate::journal) fn acquire(&mut self) -> io::Result<()> {
        if self.is_held {
            return Ok(());
        }
        self.wait_for(TURN)?;
        let acquired = self.wait_for(WRITER);
        self.set(TURN, libc::F_UNLCK)?;
        self.is_held = acquired.is_ok();
        acquired
    }

    /// Releases the lock, if it is held.
    pub(in crate::journal) fn release(&mut self) {
        if std::mem::take(&mut self.is_held)
            && let Err(error) = self.set(WRITER, libc::F_UNLCK)
        {
            // It ends with the handle.
            tracing::error!(%error, "unlock the database");
        }
    }

    fn wait_for(&self, byte: i64) -> io::Result<()> {
        let (mut pause, mut stopped) = (Duration::from_micros(50), None::<Instant>);
        loop {
            match self.set(byte, libc::F_WRLCK) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            if self.stop.is_cancelled() && stopped.get_or_insert_with(Instant::now).elapsed() > self.last_wait {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // Not `F_OFD_SETLKW`: that could be interrupted by a signal only.
            thread::sleep(pause);
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    fn set(&self, byte: i64, kind: libc::c_int) -> io::Result<()> {
        // The constants of both fit into 16 bits.
        let (kind, whence) = (i16::try_from(kind), i16::try_from(libc::SEEK_SET));
        let (Ok(l_type), Ok(l_whence)) = (kind, whence) else { return Err(io::ErrorKind::InvalidInput.into()) };
        let lock = libc::flock { l_type, l_whence, l_start: byte, l_len: 1, l_pid: 0 };
        match fcntl(&self.database, FcntlArg::F_OFD_SETLK(&lock)) {
            Ok(_) => Ok(()),
            // As POSIX allows.
            Err(nix::errno::Errno::EACCES) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn lock(file: &tempfile::NamedTempFile) -> WriterLock {
        WriterLock::new(File::options().write(true).open(file.path()).unwrap())
    }

    #[test]
    fn only_one_writer_has_it_and_a_dropped_one_frees_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (mut one, other) = (lock(&file), lock(&file));
        one.acquire().unwrap();
        one.acquire().unwrap();
        assert_eq!(other.set(WRITER, libc::F_WRLCK).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(one);
        other.set(WRITER, libc::F_WRLCK).unwrap();
    }

    #[test]
    fn a_writer_that_waits_comes_before_one_that_releases_and_acquires() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (mut busy, mut guest, observer) = (lock(&file), lock(&file), lock(&file));
        busy.acquire().unwrap();
        let (order, had) = mpsc::channel();
        let waiting = {
            let order = order.clone();
            thread::spawn(move || {
                guest.acquire().unwrap();
                order.send("the one that waited").unwrap();
                guest.release();
            })
        };
        while observer.set(TURN, libc::F_WRLCK).is_ok() {
            observer.set(TURN, libc::F_UNLCK).unwrap();
            thread::yield_now();
        }
        busy.release();
        busy.acquire().unwrap();
        order.send("the other").unwrap();
        waiting.join().unwrap();
        drop(order);
        assert_eq!(had.into_iter().collect::<Vec<_>>(), ["the one that waited", "the other"]);
    }

    #[test]
    fn a_writer_that_is_to_stop_stops_waiting() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (mut one, mut other) = (lock(&file), lock(&file));
        one.acquire().unwrap();
        other.last_wait = Duration::ZERO;
        other.stop.cancel();
        assert_eq!(other.acquire().unwrap_err().kind(), io::ErrorKind::TimedOut);
        one.release();
        other.acquire().unwrap();
    }
}
