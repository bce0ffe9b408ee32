//! Amazon S3 and compatible servers.

use towpath_backend::registry::{OpenError, OptionSpec, Settings, Url};

use super::check::{bucket, endpoint, given, wrong};
use super::operator::{objects, with};
use super::options::{DIRECTORIES, MTIMES, OBJECTS, flag, secret, text};
use super::service::Service;
use crate::handle::OpendalTree;

/// `s3://bucket/prefix`.
pub const S3: Service = Service {
    name: "s3",
    about: "Amazon S3 and compatible servers",
    schemes: &["s3"],
    options: OPTIONS,
    credentials: &["access_key_id", "secret_access_key", "anonymous"],
    capabilities: OBJECTS,
    build,
};

const OPTIONS: &[OptionSpec] = &[
    text("endpoint", "the server, if it is not Amazon's", &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
    text("region", "the bucket's region", &["AWS_REGION", "AWS_DEFAULT_REGION"]),
    text("access_key_id", "the access key", &["AWS_ACCESS_KEY_ID"]),
    secret("secret_access_key", "the secret key", &["AWS_SECRET_ACCESS_KEY"]),
    secret("session_token", "the token of temporary keys", &["AWS_SESSION_TOKEN"]),
    text("storage_class", "the storage class of written objects", &[]),
    flag("virtual_host", "put the bucket's name into the host name"),
    flag("anonymous", "send requests without keys"),
    MTIMES,
    DIRECTORIES,
];

fn build(url: &Url, settings: &Settings) -> Result<OpendalTree, OpenError> {
    let endpoint = endpoint(url, settings, OPTIONS)?;
    let endpoint = endpoint.as_deref();
    let mut builder = opendal::services::S3::default().bucket(bucket(url, "bucket")?).root(url.path());
    builder = with(builder, endpoint, |b, value| b.endpoint(value));
    // Other servers have no regions, but a signature needs one.
    let region = match given(settings, "region").or(endpoint.map(|_| "us-east-1")) {
        None => return Err(wrong(url, "the bucket's region is missing", OPTIONS, "region")),
        Some(region) if region.chars().any(|c| !c.is_ascii_alphanumeric() && c != '-') => {
            return Err(wrong(url, "the region is not of the form eu-central-1", OPTIONS, "region"));
        }
        Some(region) => region,
    };
    for (one, other) in [("access_key_id", "secret_access_key"), ("secret_access_key", "access_key_id")] {
        if given(settings, one).is_some() && given(settings, other).is_none() {
            return Err(wrong(url, &format!("{one} is given, and {other} is missing"), OPTIONS, other));
        }
    }
    builder = builder.region(region);
    builder = with(builder, settings.text("access_key_id"), |b, value| b.access_key_id(value));
    builder = with(builder, settings.text("secret_access_key"), |b, value| b.secret_access_key(value));
    builder = with(builder, settings.text("session_token"), |b, value| b.session_token(value));
    builder = with(builder, settings.text("storage_class"), |b, value| b.default_storage_class(value));
    if settings.flag("virtual_host", false) {
        builder = builder.enable_virtual_host_style();
    }
    if settings.flag("anonymous", false) {
        builder = builder.skip_signature();
    }
    objects(url, builder, endpoint, settings)
}
