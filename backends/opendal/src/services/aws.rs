//! Credentials of AWS that are not given as options: environment, profiles, `credential_process`, web identity, containers and
//! instances.

mod profile;
mod sources;

use std::process::Stdio;
use std::time::Duration;

use reqsign_aws_v4::Credential;
use reqsign_core::time::Timestamp;
use reqsign_core::{CommandExecute, CommandOutput, Context, Error, Result};
use tokio::process::Command;

use super::renewed::CredentialSource;
use crate::http::CredentialsId;
pub(super) use profile::check_profile;
pub(super) use sources::Sources;

/// The signer asks again for credentials that end within two minutes: each of its requests goes through here.
const SHOWN_VALIDITY: Duration = Duration::from_secs(60);
/// How long `credential_process` may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

impl CredentialSource for Sources {
    type Credential = Credential;

    async fn read(&mut self, context: &Context) -> Result<Option<Credential>> {
        self.first(&context.clone().with_command_execute(Shell)).await
    }

    fn id(credential: &Credential) -> CredentialsId {
        CredentialsId::of(&credential.access_key_id, credential.session_token.as_deref())
    }

    fn end(credential: &Credential) -> Option<Timestamp> {
        credential.expires_in
    }

    fn shown(credential: Credential) -> Credential {
        Credential { expires_in: Some(Timestamp::now() + SHOWN_VALIDITY), ..credential }
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
