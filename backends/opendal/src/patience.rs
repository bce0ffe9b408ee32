//! How long requests are tried again: until a throttled service takes them, a server that is away is back, or expired
//! credentials are replaced.

mod attempts;
mod layer;
mod streams;
mod waits;
mod writer;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use towpath_backend::{WaitObserver, WaitReason};

use crate::http::CredentialsId;
use crate::http::Gate;
pub(crate) use attempts::Attempts;
pub(crate) use layer::PatientLayer;
use waits::Waits;

/// How long a server that is away is waited for, if somebody was told.
const AWAY_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Credentials that can be read again.
pub(crate) trait Renewal: fmt::Debug + Send + Sync {
    /// Reads them again, unless others than the rejected ones are there already. Whether there are others now.
    fn renew(&self, rejected: Option<CredentialsId>) -> futures_of::Renewing<'_>;
}

/// The future of [`Renewal::renew`].
pub(crate) mod futures_of {
    use std::pin::Pin;

    /// Whether there are other credentials.
    pub(crate) type Renewing<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
}

/// What all requests to one storage share of their waiting.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    pub(crate) gate: Arc<Gate>,
    waits: Waits,
    renewal: Mutex<Option<Arc<dyn Renewal>>>,
}

impl Patience {
    /// Where new credentials come from.
    #[allow(dead_code, reason = "other services than S3 refresh theirs by themselves")]
    pub(crate) fn set_renewal(&self, renewal: Arc<dyn Renewal>) {
        *self.renewal.lock().unwrap_or_else(PoisonError::into_inner) = Some(renewal);
    }

    fn renewal(&self) -> Option<Arc<dyn Renewal>> {
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
    fn away(&self) -> Duration {
        if self.waits.are_observed() { AWAY_PATIENCE } else { Duration::ZERO }
    }

    fn note(&self, reason: WaitReason, pause: Duration, cause: &opendal::Error) {
        self.waits.note(reason, pause, || crate::error::cause(cause).to_string());
    }
}
