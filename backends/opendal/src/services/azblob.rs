//! Azure Blob Storage.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use towpath_backend::ByteSet;
use towpath_backend::registry::{OpenError, OptionSpec, Settings, Url};

use super::check::{bucket, endpoint, given, wrong};
use super::operator::{objects, with};
use super::options::{DIRECTORIES, METADATA, MTIMES, OBJECTS, secret, text};
use super::service::Service;
use crate::handle::OpendalTree;

/// `azblob://container/prefix`.
pub const AZBLOB: Service = Service {
    name: "azblob",
    about: "Azure Blob Storage",
    schemes: &["azblob"],
    options: OPTIONS,
    credentials: &["account_name", "account_key", "sas_token"],
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
    builder = with(builder, settings.text("sas_token"), |b, value| b.sas_token(value));
    if let Some(key) = given(settings, "encryption_key") {
        let key = STANDARD.decode(key).ok().filter(|key| key.len() == ENCRYPTION_KEY_BYTES);
        let none = || wrong(url, "the encryption key is not 256 bits in base64", OPTIONS, "encryption_key");
        builder = builder.server_side_encryption_with_customer_key(&key.ok_or_else(none)?);
    }
    // The service takes a backslash for a slash.
    let tree = objects(url, builder, Some(&endpoint), settings)?;
    Ok(tree.without_names_of(ByteSet::of(b"\\")))
}
