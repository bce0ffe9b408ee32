//! Amazon S3 and compatible servers.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqsign_aws_v4::{Credential, StaticCredentialProvider};
use reqsign_core::Signer;
use towpath_backend::registry::{OpenError, OptionSpec, Settings, Url};

use super::aws;
use super::check::{bucket, endpoint, given, wrong};
use super::operator::{objects, with};
use super::option_keys::{OfOptions, of_file};
use super::options::{DIRECTORIES, METADATA, MTIMES, OBJECTS, flag, secret, text};
use super::renewed::{CredentialSource, Renewed};
use super::service::Service;
use crate::handle::{Checks, OpendalTree};
use crate::http::CredentialsId;
use crate::integrity;

/// The length of a key of AES-256.
const CUSTOMER_KEY_BYTES: usize = 32;

/// The options that hold keys.
const KEYS: &[&str] = &["access_key_id", "secret_access_key", "session_token"];

/// `s3://bucket/prefix`.
pub const S3: Service = Service {
    name: "s3",
    about: "Amazon S3 and compatible servers",
    schemes: &["s3"],
    options: OPTIONS,
    credentials: &["access_key_id", "secret_access_key", "session_token", "anonymous"],
    read_again: KEYS,
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
    text("acl", "the canned ACL of written objects", &[]),
    text("checksum", "of uploads: `md5` (the default), `crc32c` or `none`", &[]),
    text("server_side_encryption", "`AES256`, `aws:kms` or `aws:kms:dsse`", &[]),
    text("sse_kms_key_id", "the key of `aws:kms`, if it is not the account's own", &[]),
    secret("sse_customer_key", "an encryption key of 256 bits that the server does not keep, in base64", &[]),
    flag("requester_pays", "pay for the requests to another account's bucket"),
    flag("virtual_host", "put the bucket's name into the host name"),
    flag("anonymous", "send requests without keys"),
    MTIMES,
    METADATA,
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
    builder = written_as(builder, url, settings)?;
    if settings.flag("virtual_host", false) {
        builder = builder.enable_virtual_host_style();
    }
    if settings.flag("anonymous", false) {
        builder = builder.skip_signature();
    }
    if settings.flag("requester_pays", false) {
        builder = builder.enable_request_payer();
    }
    let checksum = given(settings, "checksum").unwrap_or("md5");
    if checksum == "crc32c" {
        builder = builder.checksum_algorithm(checksum);
    }
    let is_anonymous = settings.flag("anonymous", false);
    let (tree, signer) = if let Some(keys) = of_file::<Credential>(settings).filter(|_| !is_anonymous) {
        renewed(url, builder, (endpoint, region), settings, keys)?
    } else if is_anonymous || given(settings, "access_key_id").is_some() {
        builder = with(builder, settings.text("access_key_id"), |b, value| b.access_key_id(value));
        builder = with(builder, settings.text("secret_access_key"), |b, value| b.secret_access_key(value));
        builder = with(builder, settings.text("session_token"), |b, value| b.session_token(value));
        (objects(url, builder, endpoint, settings)?, integrity::signer(region, keys(settings)))
    } else {
        aws::check_profile(url)?;
        renewed(url, builder, (endpoint, region), settings, Renewed::from(aws::Sources::default()))?
    };
    match checksum {
        "none" => Ok(tree),
        "crc32c" => Ok(tree.with_checks(Checks::Requests)),
        "md5" => Ok(tree.over(|inner| integrity::checked(inner, signer.clone())).with_checks(Checks::Requests)),
        _ => Err(wrong(url, "the checksum is neither md5 nor crc32c nor none", OPTIONS, "checksum")),
    }
}

/// The tree whose credentials are read again, and what signs its requests again.
fn renewed(
    url: &Url,
    builder: opendal::services::S3,
    (endpoint, region): (Option<&str>, &str),
    settings: &Settings,
    credentials: Renewed<impl CredentialSource<Credential = Credential>>,
) -> Result<(OpendalTree, Signer<Credential>), OpenError> {
    let tree = objects(url, builder.credential_provider_chain(credentials.chain()), endpoint, settings)?;
    let signer = integrity::signer(region, credentials.current());
    tree.patience().set_renewal(Arc::new(credentials));
    Ok((tree, signer))
}

impl OfOptions for Credential {
    // Another secret alone is not told apart.
    const OPTIONS: &[&str] = &["access_key_id", "session_token"];

    fn of(settings: &Settings) -> Option<Self> {
        let key = |name| given(settings, name).map(str::to_owned);
        Some(Self {
            access_key_id: key("access_key_id")?,
            secret_access_key: key("secret_access_key")?,
            session_token: key("session_token"),
            expires_in: None,
        })
    }

    fn id(&self) -> CredentialsId {
        aws::Sources::id(self)
    }

    fn shown(self) -> Self {
        aws::Sources::shown(self)
    }
}

/// The keys that are given as options.
fn keys(settings: &Settings) -> StaticCredentialProvider {
    let key = |name| given(settings, name).unwrap_or_default();
    let keys = StaticCredentialProvider::new(key("access_key_id"), key("secret_access_key"));
    with(keys, given(settings, "session_token"), |keys, token| keys.with_session_token(token))
}

/// The options of what is written.
fn written_as(
    mut builder: opendal::services::S3,
    url: &Url,
    settings: &Settings,
) -> Result<opendal::services::S3, OpenError> {
    builder = with(builder, settings.text("storage_class"), |b, value| b.default_storage_class(value));
    builder = with(builder, settings.text("acl"), |b, value| b.default_acl(value));
    let encryption = given(settings, "server_side_encryption");
    builder = with(builder, encryption, |b, value| b.server_side_encryption(value));
    if let Some(key) = given(settings, "sse_kms_key_id") {
        if !encryption.is_some_and(|kind| kind.starts_with("aws:kms")) {
            let problem = "sse_kms_key_id is given, and server_side_encryption is not aws:kms";
            return Err(wrong(url, problem, OPTIONS, "server_side_encryption"));
        }
        builder = builder.server_side_encryption_aws_kms_key_id(key);
    }
    let Some(key) = given(settings, "sse_customer_key") else { return Ok(builder) };
    match STANDARD.decode(key).ok().filter(|key| key.len() == CUSTOMER_KEY_BYTES) {
        Some(key) => Ok(builder.server_side_encryption_with_customer_key("AES256", &key)),
        None => Err(wrong(url, "the customer's key is not 256 bits in base64", OPTIONS, "sse_customer_key")),
    }
}
