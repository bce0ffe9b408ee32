//! Credentials that are read again when they change, expire, or are rejected, wherever they come from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqsign_core::time::Timestamp;
use reqsign_core::{Context, Error, ProvideCredential, ProvideCredentialChain, Result, SigningCredential};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::http::{Answer, CredentialsId};
use crate::patience::{Explaining, Renewal, Renewing};

/// How often credentials without an end are read again: a job may have renewed the file.
const REREAD_AFTER: Duration = Duration::from_secs(5 * 60);
/// How long before their end others are read.
const RENEWED_BEFORE_END: Duration = Duration::from_secs(2 * 60);
/// How often credentials that were rejected are read again, by whichever request asks first.
const REJECTED_REREAD_AFTER: Duration = Duration::from_secs(4);
/// Credentials that end sooner are not used any more if there are no others.
const LEAST_VALIDITY: Duration = Duration::from_secs(60);

/// Where credentials of one kind come from.
pub(super) trait CredentialSource: fmt::Debug + Send + Sync + 'static {
    /// What requests are signed with.
    type Credential: SigningCredential;

    /// Reads them. The context has the file system, the environment and the HTTP client of the signer.
    fn read(&mut self, context: &Context) -> impl Future<Output = Result<Option<Self::Credential>>> + Send;

    fn id(credential: &Self::Credential) -> CredentialsId;

    /// When they end, if that is known.
    fn end(credential: &Self::Credential) -> Option<Timestamp>;

    /// With an end that is so near that the signer asks again before its next request.
    fn shown(credential: Self::Credential) -> Self::Credential;
}

/// The credentials of one storage.
pub(super) struct Renewed<S: CredentialSource>(Arc<Mutex<State<S>>>);

impl<S: CredentialSource> Clone for Renewed<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: CredentialSource> fmt::Debug for Renewed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").finish_non_exhaustive()
    }
}

struct State<S: CredentialSource> {
    source: S,
    current: Option<S::Credential>,
    read: Option<Instant>,
    /// Those that the service rejected last.
    rejected: Option<CredentialsId>,
    /// Why there are none. The signer goes on to other sources, of which there are none, and drops it.
    problem: Option<Problem>,
    /// What reading takes.
    context: Option<Context>,
}

impl<S: CredentialSource> Renewed<S> {
    pub(super) fn from(source: S) -> Self {
        let (current, read, rejected, problem, context) = (None, None, None, None, None);
        Self(Arc::new(Mutex::new(State { source, current, read, rejected, problem, context })))
    }

    /// As the signer takes them.
    pub(super) fn chain(&self) -> ProvideCredentialChain<S::Credential> {
        ProvideCredentialChain::new().push(self.clone())
    }

    /// Those that requests are signed with now, without reading any.
    #[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "S3 signs some requests twice"))]
    pub(super) fn current(&self) -> Current<S> {
        Current(Arc::clone(&self.0))
    }
}

/// The credentials that were read last.
#[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "S3 signs some requests twice"))]
pub(super) struct Current<S: CredentialSource>(Arc<Mutex<State<S>>>);

impl<S: CredentialSource> fmt::Debug for Current<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

impl<S: CredentialSource> ProvideCredential for Current<S> {
    type Credential = S::Credential;

    async fn provide_credential(&self, _: &Context) -> Result<Option<S::Credential>> {
        Ok(self.0.lock().await.current.clone().map(S::shown))
    }
}

impl<S: CredentialSource> State<S> {
    /// Whether they need not be read again.
    fn is_fresh(&self, credential: &S::Credential) -> bool {
        let age = self.read.map_or(Duration::MAX, |read| read.elapsed());
        match S::end(credential) {
            _ if self.rejected == Some(S::id(credential)) => age < REJECTED_REREAD_AFTER,
            Some(end) => end > Timestamp::now() + RENEWED_BEFORE_END,
            None => age < REREAD_AFTER,
        }
    }

    async fn read(&mut self) -> Result<Option<S::Credential>> {
        self.read = Some(Instant::now());
        let Some(context) = self.context.clone() else { return Ok(None) };
        let read = self.source.read(&context).await?;
        if let Some(read) = &read {
            self.current = Some(read.clone());
        }
        Ok(read)
    }

    async fn provide(&mut self) -> Result<Option<S::Credential>> {
        if let Some(current) = self.current.as_ref().filter(|current| self.is_fresh(current)) {
            return Ok(Some(current.clone()));
        }
        let problem = match self.read().await {
            Ok(Some(read)) => return Ok(Some(read)),
            Ok(None) => None,
            Err(problem) => Some(problem),
        };
        // Those at hand may last until there are others.
        match (&self.current, problem) {
            (Some(current), _) if S::end(current).is_none_or(|end| end > Timestamp::now() + LEAST_VALIDITY) => {
                Ok(Some(current.clone()))
            }
            (Some(current), problem) => {
                let cause = problem.map_or_else(|| "there are none".to_owned(), |problem| problem.to_string());
                let answer = Answer::not_renewed(&cause, S::id(current));
                Err(Error::credential_invalid("the credentials have expired").with_source(answer))
            }
            (None, Some(problem)) => Err(problem),
            (None, None) => Ok(None),
        }
    }

    async fn renew(&mut self, rejected: Option<CredentialsId>) -> bool {
        let is_other =
            |current: &Option<S::Credential>| current.as_ref().is_some_and(|current| Some(S::id(current)) != rejected);
        if rejected.is_some() && is_other(&self.current) {
            return true;
        }
        let was_read = self.read.is_some_and(|read| read.elapsed() < REJECTED_REREAD_AFTER);
        if self.rejected == rejected && was_read {
            return false;
        }
        self.rejected = rejected;
        self.read().await.is_ok_and(|read| is_other(&read))
    }
}

impl<S: CredentialSource> ProvideCredential for Renewed<S> {
    type Credential = S::Credential;

    async fn provide_credential(&self, context: &Context) -> Result<Option<S::Credential>> {
        let mut state = self.0.lock().await;
        state.context = Some(context.clone());
        let provided = state.provide().await;
        state.problem = provided.as_ref().err().map(Problem::of);
        Ok(provided?.map(S::shown))
    }
}

impl<S: CredentialSource> Renewal for Renewed<S> {
    fn renew(&self, rejected: Option<CredentialsId>) -> Renewing<'_> {
        Box::pin(async move { self.0.lock().await.renew(rejected).await })
    }

    fn problem(&self) -> Explaining<'_> {
        Box::pin(async move { self.0.lock().await.problem.clone().map(Problem::into_error) })
    }
}

/// Why there are no credentials.
#[derive(Clone, Debug)]
struct Problem {
    text: String,
    /// What a service answered that was asked for them.
    answer: Option<Answer>,
}

impl Problem {
    fn of(error: &Error) -> Self {
        Self { text: error.to_string(), answer: Answer::among_causes(error).cloned() }
    }

    fn into_error(self) -> opendal::Error {
        match self.answer {
            Some(answer) => answer.into_error(),
            None => opendal::Error::new(opendal::ErrorKind::ConfigInvalid, self.text),
        }
    }
}
