//! Google Cloud Storage.

mod key_file;

use std::fs::File;
use std::sync::Arc;

use towpath_backend::registry::{OpenError, OptionSpec, Settings, Url};

use super::check::{bucket, endpoint, given, wrong};
use super::operator::{objects, with};
use super::options::{DIRECTORIES, METADATA, MTIMES, OBJECTS, flag, secret, text};
use super::service::Service;
use crate::handle::OpendalTree;

/// `gcs://bucket/prefix`, or `gs://…`.
pub const GCS: Service = Service {
    name: "gcs",
    about: "Google Cloud Storage",
    schemes: &["gcs", "gs"],
    options: OPTIONS,
    credentials: &["credential_path", "credential", "anonymous"],
    read_again: key_file::OPTIONS,
    capabilities: OBJECTS,
    build,
};

const OPTIONS: &[OptionSpec] = &[
    text("endpoint", "the server, if it is not Google's", &["STORAGE_EMULATOR_HOST"]),
    text("credential_path", "the file with the service account's key", &["GOOGLE_APPLICATION_CREDENTIALS"]),
    secret("credential", "that file's content, in base64", &[]),
    text("storage_class", "the storage class of written objects", &[]),
    text("acl", "the predefined ACL of written objects", &[]),
    flag("anonymous", "send requests without a key"),
    MTIMES,
    METADATA,
    DIRECTORIES,
];

fn build(url: &Url, settings: &Settings) -> Result<OpendalTree, OpenError> {
    let endpoint = endpoint(url, settings, OPTIONS)?;
    let endpoint = endpoint.as_deref();
    if let Some(path) = given(settings, "credential_path") {
        File::open(path).map_err(|error| {
            wrong(url, &format!("the key file {path} cannot be opened ({error})"), OPTIONS, "credential_path")
        })?;
    }
    let mut builder = opendal::services::Gcs::default().bucket(bucket(url, "bucket")?).root(url.path());
    builder = with(builder, endpoint, |b, value| b.endpoint(value));
    let is_anonymous = settings.flag("anonymous", false);
    let renewed = key_file::renewed(settings).filter(|_| !is_anonymous);
    builder = match &renewed {
        Some(tokens) => builder.credential_provider_chain(tokens.chain()),
        None => with(builder, settings.text("credential"), |b, value| b.credential(value)),
    };
    builder = with(builder, settings.text("storage_class"), |b, value| b.default_storage_class(value));
    builder = with(builder, settings.text("acl"), |b, value| b.predefined_acl(value));
    if is_anonymous {
        builder = builder.skip_signature().disable_vm_metadata().disable_config_load();
    }
    let tree = objects(url, builder, endpoint, settings)?;
    if let Some(tokens) = renewed {
        tree.patience().set_renewal(Arc::new(tokens));
    }
    Ok(tree)
}
