//! Credentials of AWS that are not given as options: environment, profiles, `credential_process`, web identity, containers and
//! instances. They are read again when they change, expire, or are rejected.

mod profile;
mod sources;

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use reqsign_aws_v4::Credential;
use reqsign_core::time::Timestamp;
use reqsign_core::{CommandExecute, CommandOutput, Context, Error, ProvideCredential, ProvideCredentialChain, Result};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::http::{Answer, CredentialsId};
use crate::patience::{Explaining, Renewal, Renewing};
pub(super) use profile::check_profile;
use sources::Sources;

/// How often credentials without an end are read again: a job may have renewed the file.
const REREAD_AFTER: Duration = Duration::from_secs(5 * 60);
/// How long before their end others are read.
const RENEWED_BEFORE_END: Duration = Duration::from_secs(2 * 60);
/// How often credentials that were rejected are read again, by whichever request asks first.
const REJECTED_REREAD_AFTER: Duration = Duration::from_secs(4);
/// The signer asks again for credentials that end within two minutes: each of its requests goes through here.
const SHOWN_VALIDITY: Duration = Duration::from_secs(60);
/// How long `credential_process` may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the credentials of one storage come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    sources: Sources,
    current: Option<Credential>,
    read: Option<Instant>,
    /// Those that the service rejected last.
    rejected: Option<CredentialsId>,
    /// Why there are none. The signer goes on to other sources, of which there are none, and drops it.
    problem: Option<Problem>,
    /// What reading takes: the file system, the environment and the HTTP client of the signer.
    context: Option<Context>,
}

impl Credentials {
    /// As the signer takes them.
    pub(super) fn chain(&self) -> ProvideCredentialChain<Credential> {
        ProvideCredentialChain::new().push(self.clone())
    }

    /// Those that requests are signed with now, without reading any.
    pub(super) fn current(&self) -> Current {
        Current(Arc::clone(&self.0))
    }
}

/// The credentials that were read last.
#[derive(Debug)]
pub(super) struct Current(Arc<Mutex<State>>);

impl ProvideCredential for Current {
    type Credential = Credential;

    async fn provide_credential(&self, _: &Context) -> Result<Option<Credential>> {
        Ok(self.0.lock().await.current.clone().map(shown))
    }
}

/// As the signer takes them: it asks again for each request.
fn shown(credential: Credential) -> Credential {
    Credential { expires_in: Some(Timestamp::now() + SHOWN_VALIDITY), ..credential }
}

fn id(credential: &Credential) -> CredentialsId {
    CredentialsId::of(&credential.access_key_id, credential.session_token.as_deref())
}

impl State {
    /// Whether they need not be read again.
    fn is_fresh(&self, credential: &Credential) -> bool {
        let age = self.read.map_or(Duration::MAX, |read| read.elapsed());
        match credential.expires_in {
            _ if self.rejected == Some(id(credential)) => age < REJECTED_REREAD_AFTER,
            Some(end) => end > Timestamp::now() + RENEWED_BEFORE_END,
            None => age < REREAD_AFTER,
        }
    }

    async fn read(&mut self) -> Result<Option<Credential>> {
        self.read = Some(Instant::now());
        let Some(context) = self.context.clone() else { return Ok(None) };
        let read = self.sources.read(&context.with_command_execute(Shell)).await?;
        if let Some(read) = &read {
            self.current = Some(read.clone());
        }
        Ok(read)
    }

    async fn provide(&mut self) -> Result<Option<Credential>> {
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
            (Some(current), _) if current.expires_in.is_none_or(|end| end > Timestamp::now() + SHOWN_VALIDITY) => {
                Ok(Some(current.clone()))
            }
            (Some(current), problem) => {
                let cause = problem.map_or_else(|| "there are none".to_owned(), |problem| problem.to_string());
                let answer = Answer::not_renewed(&cause, id(current));
                Err(Error::credential_invalid("the credentials have expired").with_source(answer))
            }
            (None, Some(problem)) => Err(problem),
            (None, None) => Ok(None),
        }
    }

    async fn renew(&mut self, rejected: Option<CredentialsId>) -> bool {
        let is_other =
            |current: &Option<Credential>| current.as_ref().is_some_and(|current| Some(id(current)) != rejected);
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

impl ProvideCredential for Credentials {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> Result<Option<Credential>> {
        let mut state = self.0.lock().await;
        state.context = Some(context.clone());
        let provided = state.provide().await;
        state.problem = provided.as_ref().err().map(Problem::of);
        Ok(provided?.map(shown))
    }
}

impl Renewal for Credentials {
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

/// Runs `credential_process`: a line for a shell, as other clients of AWS run it.
#[derive(Debug)]
struct Shell;

impl CommandExecute for Shell {
    async fn command_execute<'a>(&'a self, program: &'a str, arguments: &'a [&'a str]) -> Result<CommandOutput> {
        let line = [&[program], arguments].concat().join(" ");
        let failed = |cause: String| Error::unexpected(format!("credential_process {line}: {cause}"));
        let mut command = Command::new("sh");
        command.arg("-c").arg(&line).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(COMMAND_TIMEOUT, command.output()).await;
        let output = output.map_err(|_elapsed| failed(format!("no end after {} s", COMMAND_TIMEOUT.as_secs())))?;
        let output = output.map_err(|error| failed(error.to_string()))?;
        let status = output.status.code().unwrap_or(-1);
        Ok(CommandOutput { status, stdout: output.stdout, stderr: output.stderr })
    }
}
