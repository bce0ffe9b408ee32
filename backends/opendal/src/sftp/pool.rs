//! The connections to one server: opened when they are needed, and shared.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::lost::Lost;
use super::ssh::Target;

/// How many there are at most. A server works on the requests of one connection one after the other.
const MOST: usize = 8;
/// Attempts to open the first one, each after a longer pause: servers reject connections while many are being opened.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// A connection that is being opened.
type Opening = Pin<Box<dyn Future<Output = Result<Arc<Connection>, Lost>> + Send>>;

/// The connections. Whoever uses one holds it: the one that fewest hold is the next to be used.
pub(super) struct Pool {
    open: Box<dyn Fn() -> Opening + Send + Sync>,
    state: Mutex<State>,
    /// Held while one is opened: one after the other, and no more than are needed. What it guards is why the first one
    /// could not be opened the last time.
    opening: tokio::sync::Mutex<Option<Lost>>,
}

struct State {
    connections: Vec<Arc<Connection>>,
    /// How many the server accepts.
    most: usize,
    /// How often the first one could not be opened.
    failures: u64,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

impl Pool {
    pub(super) fn to(target: Target) -> Self {
        Self::new(move || {
            let target = target.clone();
            Box::pin(async move { Connection::open(&target).await })
        })
    }

    pub(super) fn new(open: impl Fn() -> Opening + Send + Sync + 'static) -> Self {
        let state = Mutex::new(State { connections: Vec::new(), most: MOST, failures: 0 });
        Self { open: Box::new(open), state, opening: tokio::sync::Mutex::default() }
    }

    /// A connection: an unused one, a new one, or the least used one.
    pub(super) async fn get(&self) -> Result<Arc<Connection>, Lost> {
        let (found, may_open) = self.least_used();
        let Some(found) = found else { return self.first().await };
        // Held by the pool and by this function.
        if Arc::strong_count(&found) <= 2 || !may_open {
            return Ok(found);
        }
        let Ok(_turn) = self.opening.try_lock() else { return Ok(found) };
        match (self.open)().await {
            Ok(connection) => Ok(self.add(connection)),
            Err(_rejected) => {
                let mut state = self.state();
                state.most = state.connections.len().max(1);
                Ok(found)
            }
        }
    }

    /// The first connection, or the one that another task opened in the meantime. If that task could not, no other that
    /// waited for it tries: with many lanes, the last one would know only after minutes.
    async fn first(&self) -> Result<Arc<Connection>, Lost> {
        let failures = self.state().failures;
        let mut failure = self.opening.lock().await;
        if let (Some(found), _) = self.least_used() {
            return Ok(found);
        }
        if let Some(lost) = failure.as_ref().filter(|_| self.state().failures > failures) {
            return Err(lost.clone());
        }
        let mut attempt = 1;
        loop {
            match (self.open)().await {
                Ok(connection) => return Ok(self.add(connection)),
                Err(lost) if attempt == ATTEMPTS || lost.is_permanent() => {
                    self.state().failures += 1;
                    *failure = Some(lost.clone());
                    return Err(lost);
                }
                Err(_temporary) => tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await,
            }
            attempt += 1;
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn least_used(&self) -> (Option<Arc<Connection>>, bool) {
        let mut state = self.state();
        state.connections.retain(|connection| !connection.has_ended());
        let least = state.connections.iter().min_by_key(|connection| Arc::strong_count(connection)).cloned();
        (least, state.connections.len() < state.most)
    }

    fn add(&self, connection: Arc<Connection>) -> Arc<Connection> {
        self.state().connections.push(Arc::clone(&connection));
        connection
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use tokio::time::Instant;

    use super::*;

    /// A server that refuses all connections, and how many were tried.
    fn refusing() -> (Arc<Pool>, Arc<AtomicU32>) {
        let tried = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&tried);
        let pool = Pool::new(move || {
            count.fetch_add(1, SeqCst);
            Box::pin(async { Err(Lost::Closed) })
        });
        (Arc::new(pool), tried)
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_away_is_known_to_all_who_wait_at_the_same_time() {
        let ((pool, tried), began) = (refusing(), Instant::now());
        let waiting: Vec<_> =
            (0..16).map(|_| Arc::clone(&pool)).map(|pool| tokio::spawn(async move { pool.get().await })).collect();
        for waiting in waiting {
            assert!(matches!(waiting.await.unwrap(), Err(Lost::Closed)));
        }
        assert_eq!(tried.load(SeqCst), ATTEMPTS);
        assert_eq!(began.elapsed(), PAUSE * 7, "the time of one who waits");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_asks_later_tries_again() {
        let (pool, tried) = refusing();
        for round in 1..4 {
            assert!(pool.get().await.is_err());
            assert_eq!(tried.load(SeqCst), round * ATTEMPTS);
        }
    }
}
