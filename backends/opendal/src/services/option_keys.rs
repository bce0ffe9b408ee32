//! Credentials that are options of the configuration file: somebody may replace them there during a run.

use std::marker::PhantomData;

use reqsign_core::time::Timestamp;
use reqsign_core::{Context, Error, Result, SigningCredential};
use towpath_backend::registry::Settings;

use super::renewed::{CredentialSource, Renewed};
use crate::http::CredentialsId;

/// What credentials of a service are in its options.
pub(super) trait OfOptions: SigningCredential {
    /// The options that tell them apart.
    const OPTIONS: &[&str];

    /// Those of these settings, if there are any.
    fn of(settings: &Settings) -> Option<Self>;

    fn id(&self) -> CredentialsId;

    /// With an end that is so near that the signer asks again before its next request.
    fn shown(self) -> Self;
}

/// The options of the configuration file as a source of credentials.
#[derive(Debug)]
pub(super) struct OptionKeys<K> {
    settings: Settings,
    of: PhantomData<K>,
}

/// The credentials of these options, if they are in the configuration file.
pub(super) fn of_file<K: OfOptions>(settings: &Settings) -> Option<Renewed<OptionKeys<K>>> {
    let may_change = K::OPTIONS.iter().any(|name| settings.may_change(name)) && K::of(settings).is_some();
    may_change.then(|| Renewed::from(OptionKeys { settings: settings.clone(), of: PhantomData }))
}

/// The settings as the configuration file has them now.
pub(super) async fn read_again(settings: &Settings) -> Result<Settings> {
    let settings = settings.clone();
    let read = tokio::task::spawn_blocking(move || settings.read_again()).await;
    let read = read.map_err(|panicked| Error::unexpected(panicked.to_string()))?;
    read.map_err(Error::config_invalid)
}

impl<K: OfOptions> CredentialSource for OptionKeys<K> {
    type Credential = K;

    async fn read(&mut self, _: &Context) -> Result<Option<K>> {
        Ok(K::of(&read_again(&self.settings).await?))
    }

    fn id(credential: &K) -> CredentialsId {
        credential.id()
    }

    fn end(_: &K) -> Option<Timestamp> {
        None
    }

    fn shown(credential: K) -> K {
        credential.shown()
    }
}
