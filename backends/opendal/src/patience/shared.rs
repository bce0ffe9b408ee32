//! What all requests to one storage share of their waiting.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use towpath_backend::{WaitObserver, WaitReason};

use super::waits::Waits;
use crate::http::{CredentialsId, Gate};

/// How long a server that is away is waited for, if the wait is reported.
const AWAY_PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How long credentials that were taken are not asked for again when requests are denied: one by one they may be.
const EXPLAINED_FOR: Duration = Duration::from_secs(1);

/// Credentials that can be read again.
pub(crate) trait Renewal: fmt::Debug + Send + Sync {
    /// Reads them again, unless others than the rejected ones are there already. Whether there are others now.
    fn renew(&self, rejected: Option<CredentialsId>) -> Renewing<'_>;

    /// Why there are none.
    fn problem(&self) -> Explaining<'_>;
}

/// The future of [`Renewal::problem`].
pub(crate) type Explaining<'a> = Pin<Box<dyn Future<Output = Option<opendal::Error>> + Send + 'a>>;

/// The future of [`Renewal::renew`]: whether there are other credentials.
pub(crate) type Renewing<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// What all requests to one storage share of their waiting.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    pub(crate) gate: Arc<Gate>,
    pub(super) waits: Waits,
    renewal: Mutex<Option<Arc<dyn Renewal>>>,
    /// When a denied request was found not to be the fault of the credentials.
    explained: Mutex<Option<Instant>>,
}

impl Patience {
    /// Where new credentials come from.
    #[allow(dead_code, reason = "other services than S3 refresh theirs by themselves")]
    pub(crate) fn set_renewal(&self, renewal: Arc<dyn Renewal>) {
        *self.renewal.lock().unwrap_or_else(PoisonError::into_inner) = Some(renewal);
    }

    /// Whether credentials can be read again.
    pub(crate) fn can_renew(&self) -> bool {
        self.renewal().is_some()
    }

    pub(super) fn renewal(&self) -> Option<Arc<dyn Renewal>> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The error, or why there are no credentials if it says no more than that: the signer drops the reason.
    pub(super) async fn with_problem_of_credentials(&self, error: opendal::Error) -> opendal::Error {
        match self.renewal() {
            Some(renewal) if crate::error::has_no_credentials(&error) => renewal.problem().await.unwrap_or(error),
            _ => error,
        }
    }

    /// Whether another request may be sent to find out what a denied one does not say.
    pub(super) fn may_explain(&self) -> bool {
        let explained = *self.explained.lock().unwrap_or_else(PoisonError::into_inner);
        explained.is_none_or(|at| at.elapsed() >= EXPLAINED_FOR)
    }

    /// Another request has shown that it is not the credentials.
    pub(super) fn explained(&self) {
        *self.explained.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Reports to `observer`, and waits for minutes from now on.
    pub(crate) fn observe(&self, observer: Arc<dyn WaitObserver>) {
        self.waits.observe(observer);
        self.gate.set_stopped(false);
    }

    /// Ends all waiting.
    pub(crate) fn stop(&self) {
        self.gate.set_stopped(true);
    }

    /// How long a server that is away is waited for.
    pub(super) fn away(&self) -> Duration {
        if self.waits.are_observed() { AWAY_PATIENCE } else { Duration::ZERO }
    }

    pub(super) fn note(&self, reason: WaitReason, pause: Duration, cause: &opendal::Error) {
        self.waits.note(reason, pause, || crate::error::cause(cause).to_string());
    }
}
