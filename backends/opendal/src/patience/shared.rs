//! What all requests to one storage share of their waiting.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use towpath_backend::{WaitObserver, WaitReason};

use super::waits::Waits;
use crate::http::{CredentialsId, Gate};

/// How long a server that is away is waited for, if the wait is reported.
const AWAY_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Credentials that can be read again.
pub(crate) trait Renewal: fmt::Debug + Send + Sync {
    /// Reads them again, unless others than the rejected ones are there already. Whether there are others now.
    fn renew(&self, rejected: Option<CredentialsId>) -> Renewing<'_>;
}

/// The future of [`Renewal::renew`]: whether there are other credentials.
pub(crate) type Renewing<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// What all requests to one storage share of their waiting.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    pub(crate) gate: Arc<Gate>,
    pub(super) waits: Waits,
    renewal: Mutex<Option<Arc<dyn Renewal>>>,
}

impl Patience {
    /// Where new credentials come from.
    #[allow(dead_code, reason = "other services than S3 refresh theirs by themselves")]
    pub(crate) fn set_renewal(&self, renewal: Arc<dyn Renewal>) {
        *self.renewal.lock().unwrap_or_else(PoisonError::into_inner) = Some(renewal);
    }

    pub(super) fn renewal(&self) -> Option<Arc<dyn Renewal>> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
