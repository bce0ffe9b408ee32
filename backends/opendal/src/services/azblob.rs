//! Azure Blob Storage.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqsign_azure_storage::Credential;
use reqsign_core::time::Timestamp;
use towpath_backend::ByteSet;
use towpath_backend::registry::{OpenError, OptionSpec, Settings, Url};

use super::check::{bucket, endpoint, given, wrong};
use super::operator::{objects, with};
use super::option_keys::{OfOptions, of_file};
use super::options::{DIRECTORIES, METADATA, MTIMES, OBJECTS, secret, text};
use super::service::Service;
use crate::handle::OpendalTree;
use crate::http::CredentialsId;

/// `azblob://container/prefix`.
pub const AZBLOB: Service = Service {
    name: "azblob",
    about: "Azure Blob Storage",
    schemes: &["azblob"],
    options: OPTIONS,
    credentials: &["account_name", "account_key", "sas_token"],
    read_again: Credential::OPTIONS,
    capabilities: OBJECTS,
    build,
};

const OPTIONS: &[OptionSpec] = &[
    text(
        "endpoint",
        "the server: https://ACCOUNT.blob.core.windows.net",
        &["AZURE_STORAGE_ENDPOINT", "AZBLOB_ENDPOINT"],
    ),
    text("account_name", "the storage account", &["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"]),
    secret("account_key", "its key", &["AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY"]),
    secret("sas_token", "a shared access signature, instead of the key", &["AZURE_STORAGE_SAS_TOKEN"]),
    secret("encryption_key", "an encryption key of 256 bits that the service does not keep, in base64", &[]),
    MTIMES,
    METADATA,
    DIRECTORIES,
];

/// The signer asks again for a signature that ends within 20 s: each of its requests does.
const SHOWN_VALIDITY: Duration = Duration::from_secs(10);
/// The length of a key of AES-256.
const ENCRYPTION_KEY_BYTES: usize = 32;

fn build(url: &Url, settings: &Settings) -> Result<OpendalTree, OpenError> {
    let account = given(settings, "account_name");
    let own = account.map(|name| format!("https://{name}.blob.core.windows.net"));
    let Some(endpoint) = endpoint(url, settings, OPTIONS)?.or(own) else {
        return Err(wrong(url, "the storage account is missing", OPTIONS, "account_name"));
    };
    let container = bucket(url, "container")?;
    let mut builder = opendal::services::Azblob::default().container(container).root(url.path()).endpoint(&endpoint);
    builder = with(builder, account, |b, value| b.account_name(value));
    builder = with(builder, settings.text("account_key"), |b, value| b.account_key(value));
    let of_file = of_file::<Credential>(settings);
    builder = match &of_file {
        Some(signature) => builder.credential_provider_chain(signature.chain()),
        None => with(builder, settings.text("sas_token"), |b, value| b.sas_token(value)),
    };
    if let Some(key) = given(settings, "encryption_key") {
        let key = STANDARD.decode(key).ok().filter(|key| key.len() == ENCRYPTION_KEY_BYTES);
        let none = || wrong(url, "the encryption key is not 256 bits in base64", OPTIONS, "encryption_key");
        builder = builder.server_side_encryption_with_customer_key(&key.ok_or_else(none)?);
    }
    let tree = objects(url, builder, Some(&endpoint), settings)?;
    if let Some(signature) = of_file {
        tree.patience().set_renewal(Arc::new(signature));
    }
    // The service takes a backslash for a slash.
    Ok(tree.without_names_of(ByteSet::of(b"\\")))
}

/// A shared access signature. Keys of an account do not expire.
impl OfOptions for Credential {
    const OPTIONS: &[&str] = &["sas_token"];

    fn of(settings: &Settings) -> Option<Self> {
        given(settings, "sas_token").map(Self::with_sas_token)
    }

    fn id(&self) -> CredentialsId {
        let token = if let Self::SasToken { token, .. } = self { token.as_str() } else { "" };
        CredentialsId::of_signature(token).unwrap_or_else(|| CredentialsId::of("sig", Some(token)))
    }

    fn shown(self) -> Self {
        match self {
            Self::SasToken { token, .. } => {
                Self::SasToken { token, expires_at: Some(Timestamp::now() + SHOWN_VALIDITY) }
            }
            other => other,
        }
    }
}
