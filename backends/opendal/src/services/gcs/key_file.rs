//! The key file of a service account, and what else Google calls a credential file. It is read again for each token, and
//! when the service rejects one: somebody may have replaced it.

use std::time::Duration;

use reqsign_core::time::Timestamp;
use reqsign_core::{Context, ProvideCredential as _, Result};
use reqsign_google::{
    Credential, FileCredentialProvider, ServiceAccountTokenCredentialProvider, StaticCredentialProvider, Token,
};
use towpath_backend::registry::Settings;

use crate::http::CredentialsId;
use crate::services::check::given;
use crate::services::option_keys::read_again;
use crate::services::renewed::{CredentialSource, Renewed};

/// What a token is asked for.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
/// The signer asks again for tokens that end within two minutes: each of its requests does.
const SHOWN_VALIDITY: Duration = Duration::from_secs(60);
/// The options that hold a key.
pub(super) const OPTIONS: &[&str] = &["credential_path", "credential"];

/// A key file that an option names or holds.
#[derive(Debug)]
pub(super) struct KeyFile {
    settings: Settings,
}

/// The tokens by the key file of these settings, if they name or hold one that may be replaced.
pub(super) fn renewed(settings: &Settings) -> Option<Renewed<KeyFile>> {
    let names_file = given(settings, "credential_path").is_some();
    let may_change = names_file || settings.may_change("credential") && given(settings, "credential").is_some();
    may_change.then(|| Renewed::from(KeyFile { settings: settings.clone() }))
}

impl CredentialSource for KeyFile {
    type Credential = Credential;

    async fn read(&mut self, context: &Context) -> Result<Option<Credential>> {
        let again = match OPTIONS.iter().any(|name| self.settings.may_change(name)) {
            true => read_again(&self.settings).await?,
            false => self.settings.clone(),
        };
        // The content comes first, as in the client of the service.
        let found = match (given(&again, "credential"), given(&again, "credential_path")) {
            (Some(content), _) => {
                StaticCredentialProvider::from_base64(content)?.with_scope(SCOPE).provide_credential(context).await?
            }
            (None, Some(path)) => {
                FileCredentialProvider::new(path).with_scope(SCOPE).provide_credential(context).await?
            }
            (None, None) => None,
        };
        match found.as_ref().and_then(|found| found.service_account.clone()) {
            Some(account) => {
                let tokens = ServiceAccountTokenCredentialProvider::new(account).with_scope(SCOPE);
                tokens.provide_credential(context).await
            }
            None => Ok(found),
        }
    }

    fn id(credential: &Credential) -> CredentialsId {
        CredentialsId::of("Bearer", credential.token.as_ref().map(|token| token.access_token.as_str()))
    }

    fn end(credential: &Credential) -> Option<Timestamp> {
        credential.token.as_ref()?.expires_at
    }

    fn shown(mut credential: Credential) -> Credential {
        let shown = |token: Token| {
            let end = Timestamp::now() + SHOWN_VALIDITY;
            Token { expires_at: Some(token.expires_at.map_or(end, |own| own.min(end))), ..token }
        };
        credential.token = credential.token.map(shown);
        credential
    }
}
