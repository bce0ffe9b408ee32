//! Where credentials of AWS come from, in the order of other clients; when none of them has any, the one that failed says
//! why.

use std::time::Duration;

use http::{Request, Response, Uri};
use reqsign_aws_v4::{
    AssumeRoleWithWebIdentityCredentialProvider, Credential, ECSCredentialProvider, EnvCredentialProvider,
    IMDSv2CredentialProvider, ProcessCredentialProvider, ProfileCredentialProvider, SSOCredentialProvider,
};
use reqsign_core::{Context, Error, HttpSend, ProvideCredentialDyn, Result};
use towpath_backend::Bytes;

/// The endpoint of STS, if it is not Amazon's own.
const STS_ENDPOINT: &str = "AWS_ENDPOINT_URL_STS";
/// Instances and containers answer at addresses of this network at once, and other machines not at all.
const METADATA_NETWORK: &str = "169.254.";
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

type Source = Box<dyn ProvideCredentialDyn<Credential = Credential>>;

/// All sources, with their names.
#[derive(Debug)]
pub(in crate::services) struct Sources {
    configured: Vec<(&'static str, Source)>,
    /// Asked last: it is there for all processes of an instance, and for none elsewhere.
    instance: IMDSv2CredentialProvider,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            configured: vec![
                ("the environment", Box::new(EnvCredentialProvider::new())),
                ("the profile", Box::new(ProfileCredentialProvider::new())),
                ("the SSO session", Box::new(SSOCredentialProvider::new())),
                ("the web identity", Box::new(AssumeRoleWithWebIdentityCredentialProvider::new())),
                ("credential_process", Box::new(ProcessCredentialProvider::new())),
                ("the container", Box::new(ECSCredentialProvider::new())),
            ],
            instance: IMDSv2CredentialProvider::new(),
        }
    }
}

impl Sources {
    /// The credentials of the first source that has any.
    ///
    /// # Errors
    /// Of a source that is set up and fails, if no other one has any.
    pub(super) async fn first(&self, context: &Context) -> Result<Option<Credential>> {
        let context = context.clone().with_http_send(Endpoints(context.clone()));
        let mut failed = None;
        for (name, source) in &self.configured {
            match source.provide_credential_dyn(&context).await {
                Ok(Some(credential)) => return Ok(Some(credential)),
                Ok(None) => {}
                Err(error) => failed = failed.or(Some(described(name, error))),
            }
        }
        // Without another source, that there is no instance means that there are no credentials.
        let of_instance = self.instance.provide_credential_dyn(&context).await.ok().flatten();
        match (of_instance, failed) {
            (None, Some(error)) => Err(error),
            (found, _) => Ok(found),
        }
    }
}

/// The error with all of its causes in its text; what a service answered stays to be found among them.
fn described(name: &str, error: Error) -> Error {
    let mut text = format!("{name} gives no credentials: {error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        let part = error.to_string();
        if !part.is_empty() && !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    Error::credential_invalid(text).with_source(error)
}

/// Sends as the signer does: to the endpoint of STS that the environment names, and without waiting for addresses that
/// do not answer.
#[derive(Debug)]
struct Endpoints(Context);

impl HttpSend for Endpoints {
    async fn http_send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        if host.starts_with("sts.")
            && let Some(endpoint) = self.0.env_var(STS_ENDPOINT).filter(|endpoint| !endpoint.is_empty())
        {
            *request.uri_mut() = endpoint
                .parse::<Uri>()
                .map_err(|cause| Error::config_invalid(format!("{STS_ENDPOINT} is no address: {cause}")))?;
        }
        let answer = self.0.http_send(request);
        if !host.starts_with(METADATA_NETWORK) {
            return answer.await;
        }
        let timeout = tokio::time::timeout(METADATA_TIMEOUT, answer);
        timeout.await.unwrap_or_else(|_elapsed| Err(Error::unexpected(format!("{host} does not answer"))))
    }
}
