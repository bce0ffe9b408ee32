//! Whether one operation is tried again, and when.

use std::sync::Arc;
use std::time::Duration;

use opendal::{Error, Result};
use tokio::time::Instant;
use towpath_backend::WaitReason;

use super::shared::Patience;
use crate::error;
use crate::http::{Answer, Class, GateClosed, jitter};
use crate::streams;

/// Attempts of an operation that fails for no reason that is known to pass, the first included: a part of a large object is not
/// to be lost by one dropped connection. What lasts longer is tried again with the whole file.
const ATTEMPTS: u32 = 4;
/// How long a service may answer one operation with nothing but "too many requests".
const THROTTLED_PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Between two attempts: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_THROTTLED_PAUSE: Duration = Duration::from_secs(30);
/// Before the error of credentials that cannot be renewed.
const REJECTED_PAUSE: Duration = Duration::from_secs(1);
/// How often credentials that have expired are read again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);

/// The attempts of one operation.
#[derive(Debug)]
pub(crate) struct Attempts {
    patience: Arc<Patience>,
    /// Failures so far.
    failures: u32,
    first_failure: Option<Instant>,
    first_throttled: Option<Instant>,
    /// The error of the last try.
    previous: Option<Error>,
    /// Whether a failed try may have taken effect all the same: its answer is not known.
    pub(crate) may_be_done: bool,
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The service asks for fewer requests, and may say how long.
    Throttled {
        says_when: bool,
    },
    /// The credentials have expired or are not known.
    Credentials,
    /// The server does not answer, or says that it cannot.
    Away,
    /// It may go well the next time.
    Passing,
    /// The server does not say why, and nothing else fails.
    Unexplained,
    Permanent,
}

impl Cause {
    fn of(error: &Error) -> Self {
        match Answer::of_error(error).map(|answer| (answer.class, answer)) {
            Some((Class::Throttled, answer)) => Self::Throttled { says_when: answer.retry_after.is_some() },
            Some((Class::Expired | Class::UnknownKey, _)) => Self::Credentials,
            // More often it is the object that may not be read.
            Some((Class::Unexplained, answer)) if answer.status == 403 => Self::Permanent,
            Some((Class::Unexplained, _)) => Self::Unexplained,
            Some(_) => Self::Permanent,
            None if error::has_no_credentials(error) => Self::Credentials,
            None if GateClosed::is_source_of(error) => Self::Throttled { says_when: true },
            None if !error::is_temporary(error) => Self::Permanent,
            None => match error::http_status(error) {
                None | Some(502..=504) => Self::Away,
                Some(_) => Self::Passing,
            },
        }
    }
}

impl Attempts {
    pub(crate) fn new(patience: &Arc<Patience>) -> Self {
        let patience = Arc::clone(patience);
        Self { patience, failures: 0, first_failure: None, first_throttled: None, previous: None, may_be_done: false }
    }

    /// Before the first try: no request is signed that would wait.
    pub(crate) async fn begin(&self) {
        self.patience.gate.opened().await;
    }

    /// Waits for the next try.
    ///
    /// # Errors
    /// With the error of the last one, if there is none.
    pub(crate) async fn failed(&mut self, error: Error) -> Result<()> {
        if let Some(previous) = self.previous.take().filter(|_| streams::is_sent_twice(&error)) {
            return Err(previous);
        }
        let error = self.patience.with_problem_of_credentials(error).await;
        let now = Instant::now();
        let cause = Cause::of(&error);
        self.failures += 1;
        self.may_be_done |= matches!(cause, Cause::Away | Cause::Passing);
        let since = *self.first_failure.get_or_insert(now);
        let is_over = self.failures >= ATTEMPTS;
        match cause {
            _ if self.patience.gate.is_stopped() => return Err(error),
            Cause::Permanent => return Err(error),
            Cause::Away if is_over && now >= since + self.patience.away() => return Err(error),
            Cause::Passing if is_over => return Err(error),
            Cause::Throttled { says_when } if !self.throttled(&error, says_when).await => return Err(error),
            Cause::Credentials if !self.credentials(&error).await => return Err(error),
            // Another lane may have renewed the credentials meanwhile.
            Cause::Unexplained if self.failures > 1 => return Err(error),
            Cause::Throttled { .. } | Cause::Credentials | Cause::Unexplained => {}
            Cause::Away | Cause::Passing => {
                let pause = self.pause(LONGEST_PAUSE);
                self.patience.note(WaitReason::Unavailable, pause, &error);
                self.patience.gate.sleep_until(now + pause).await;
            }
        }
        if self.patience.gate.is_stopped() {
            return Err(error);
        }
        self.previous = Some(error);
        Ok(())
    }

    /// Whether to find out what the server has, now that the operation has failed: a try whose answer is not known may have
    /// taken effect.
    pub(crate) fn may_be_checked(&self) -> bool {
        self.may_be_done && !self.patience.gate.is_stopped()
    }

    /// The operation succeeded.
    pub(crate) fn end(&self) {
        if self.failures > 0 {
            self.patience.waits.ended();
        }
    }

    /// Waits until the service may take it; not if it has refused for too long.
    async fn throttled(&mut self, error: &Error, says_when: bool) -> bool {
        let now = Instant::now();
        if now >= *self.first_throttled.get_or_insert(now) + THROTTLED_PATIENCE {
            return false;
        }
        let pause = if says_when { Duration::ZERO } else { self.pause(LONGEST_THROTTLED_PAUSE) };
        let opens = self.patience.gate.opens().unwrap_or(now).max(now + pause);
        self.patience.note(WaitReason::Throttled, opens - now, error);
        self.patience.gate.sleep_until(now + pause).await;
        self.patience.gate.opened().await;
        true
    }

    /// Waits for other credentials without a limit, since the wait is reported. Does not wait where there can be none, or
    /// where nothing reports it.
    async fn credentials(&self, error: &Error) -> bool {
        let Some(renewal) = self.patience.renewal() else {
            // Otherwise the lanes would try much of the backlog until the run ends.
            if self.patience.waits.are_observed() {
                self.patience.gate.sleep_until(Instant::now() + REJECTED_PAUSE).await;
            }
            return false;
        };
        let answer = Answer::of_error(error);
        let (rejected, expired) =
            answer.map_or((None, false), |answer| (answer.signed_by, answer.class == Class::Expired));
        // What is new and wrong ends as what passes does.
        if self.failures > 2 * ATTEMPTS {
            return false;
        }
        while !renewal.renew(rejected).await {
            if !expired || !self.patience.waits.are_observed() || self.patience.gate.is_stopped() {
                return false;
            }
            self.patience.note(WaitReason::Credentials, RENEWAL_PAUSE, error);
            self.patience.gate.sleep_until(Instant::now() + RENEWAL_PAUSE).await;
        }
        true
    }

    /// From a half to all of a pause that doubles with each failure.
    fn pause(&self, longest: Duration) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures.saturating_sub(1)));
        doubled.min(longest).mul_f64(0.5 + jitter() / 2.0)
    }
}
