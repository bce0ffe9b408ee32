//! How long something that fails for a while is attempted again.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long something that fails for a while is attempted again, and the pauses between the attempts: half a second at
/// first, twice as long each time, five seconds at most.
///
/// ```
/// # async fn example(connect: impl AsyncFn() -> Option<u32>, stop: towpath::CancellationToken) -> Option<u32> {
/// let mut patience = towpath::Patience::new(std::time::Duration::from_secs(30));
/// loop {
///     if let Some(connection) = connect().await {
///         return Some(connection);
///     }
///     if !patience.pause(&stop).await {
///         return None;
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Patience {
    began: Instant,
    total: Duration,
    pause: Duration,
}

impl Patience {
    const FIRST_PAUSE: Duration = Duration::from_millis(500);
    const LONGEST_PAUSE: Duration = Duration::from_secs(5);

    /// Begins now, and ends after `total`.
    pub fn new(total: Duration) -> Self {
        Self { began: Instant::now(), total, pause: Self::FIRST_PAUSE }
    }

    /// The time since the first attempt.
    pub fn waited(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits for the next attempt; the last one begins when the time ends. Returns whether there is one: not after that
    /// time, and not once `stop` is cancelled.
    pub async fn pause(&mut self, stop: &CancellationToken) -> bool {
        let left = self.total.saturating_sub(self.waited());
        if left.is_zero() || stop.is_cancelled() {
            return false;
        }
        let pause = self.pause.min(left);
        self.pause = (self.pause * 2).min(Self::LONGEST_PAUSE);
        tokio::select! {
            () = stop.cancelled() => false,
            () = sleep(pause) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the attempts of something that never succeeds take place.
    async fn attempts(total: Duration, stop: &CancellationToken) -> Vec<u128> {
        let (mut patience, mut at) = (Patience::new(total), vec![0]);
        while patience.pause(stop).await {
            at.push(patience.waited().as_millis());
        }
        at
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_the_last_attempt_is_at_the_end() {
        let at = attempts(Duration::from_secs(20), &CancellationToken::new()).await;
        assert_eq!(at, [0, 500, 1_500, 3_500, 7_500, 12_500, 17_500, 20_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_patience_there_is_one_attempt() {
        assert_eq!(attempts(Duration::ZERO, &CancellationToken::new()).await, [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_a_pause_and_allows_no_other() {
        let stop = CancellationToken::new();
        let (mut patience, began) = (Patience::new(Duration::from_secs(60)), Instant::now());
        let stopping = async {
            sleep(Duration::from_millis(100)).await;
            stop.cancel();
        };
        let (paused, ()) = tokio::join!(patience.pause(&stop), stopping);
        assert!(!paused && !patience.pause(&stop).await);
        assert_eq!(began.elapsed(), Duration::from_millis(100));
    }
}
