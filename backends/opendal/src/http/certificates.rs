//! Which certificates of servers are trusted, and errors of those that are not.
//!
//! The system's certificates are trusted, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, which the TLS library reads.

mod names;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use http::Uri;
use reqwest::redirect::Policy;
use reqwest::tls::TlsInfo;
use reqwest::{Certificate, ClientBuilder};

use names::Names;

/// The variable that names further certificates, as for the clients of AWS.
const BUNDLE_VARIABLE: &str = "AWS_CA_BUNDLE";
/// How long a server is asked for the certificate that was rejected.
const PRESENTED_WITHIN: Duration = Duration::from_secs(10);

/// A client that also trusts the certificates that the environment names.
///
/// # Errors
/// One line: the file cannot be read, or contains none.
pub(super) fn trusted_by(builder: ClientBuilder) -> Result<ClientBuilder, String> {
    match std::env::var_os(BUNDLE_VARIABLE).filter(|file| !file.is_empty()) {
        Some(file) => Ok(builder.tls_certs_merge(read_bundle(Path::new(&file))?)),
        None => Ok(builder),
    }
}

fn read_bundle(file: &Path) -> Result<Vec<Certificate>, String> {
    let shown = file.display();
    let bundle = std::fs::read(file).map_err(|error| format!("{BUNDLE_VARIABLE}: open {shown}: {error}"))?;
    let certificates = Certificate::from_pem_bundle(&bundle)
        .map_err(|error| format!("{BUNDLE_VARIABLE}: {shown} is not a file of PEM certificates: {error}"))?;
    if certificates.is_empty() {
        return Err(format!("{BUNDLE_VARIABLE}: {shown} contains no PEM certificates"));
    }
    Ok(certificates)
}

/// Whether a request failed because the certificate of the server is not trusted, has expired, or is another server's.
pub(super) fn is_rejected(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // The text of rustls, whose types reqwest does not export.
        if error.to_string().starts_with("invalid peer certificate") {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whose certificate was rejected, and what to do about it.
pub(super) async fn advice(uri: &Uri) -> String {
    let host = uri.host().unwrap_or("the server");
    let named = match presented_at(uri).await {
        Some(Names { subject, issuer }) => format!("subject {subject}, issuer {issuer}; "),
        None => String::new(),
    };
    format!(
        "the certificate of {host} is rejected ({named}{BUNDLE_VARIABLE} or SSL_CERT_FILE can name a file with its issuer)"
    )
}

/// The names in the certificate that the server presents. The error of the TLS library does not hold it: another request,
/// which carries nothing and whose answer is not used, asks for it.
async fn presented_at(uri: &Uri) -> Option<Names> {
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).tls_info(true);
    let client = client.redirect(Policy::none()).timeout(PRESENTED_WITHIN).build().ok()?;
    let root = format!("{}://{}/", uri.scheme_str()?, uri.authority()?);
    let answer = client.head(root).send().await.ok()?;
    Names::of(answer.extensions().get::<TlsInfo>()?.peer_certificate()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed certificate for `localhost`.
    pub(super) const PEM: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBmzCCAUGgAwIBAgIUOnag56GM9BDyC353bbiTl4vcY5swCgYIKoZIzj0EAwIw\n\
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODEwMDUzMloYDzIxMjYxMTA0\n\
MTAwNTMyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n\
PQMBBwNCAATU9aDTIV8m1nQujjvSSyt+CiEx3Gtd3PpvwzyEMcPbENaMre8bX57y\n\
JB7xdYYki2zefpUeEbP13qpdbITiyEqVo28wbTAdBgNVHQ4EFgQUfiKBxJyKgBo8\n\
6O6QCwTd0SqoUmowHwYDVR0jBBgwFoAUfiKBxJyKgBo86O6QCwTd0SqoUmowDwYD\n\
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI\n\
zj0EAwIDSAAwRQIhAP2oxJVywWNR8lnb3uTKuReJ7Ws+FbRtbQ5Q6Z3/4tLsAiB4\n\
zS45UXTgHlLu7DGcdlfu+cMPaC/BbpNTHAz2oQvN0g==\n\
-----END CERTIFICATE-----\n";

    #[test]
    fn a_bundle_without_certificates_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let at = |content: &str| {
            let file = folder.path().join("bundle.pem");
            std::fs::write(&file, content).unwrap();
            file
        };
        assert_eq!(read_bundle(&at(PEM)).unwrap().len(), 1);
        assert_eq!(read_bundle(&at(&[PEM, PEM].concat())).unwrap().len(), 2);
        for content in ["", "no certificate"] {
            let error = read_bundle(&at(content)).unwrap_err();
            assert!(error.contains("bundle.pem contains no PEM certificates"), "{error}");
        }
        let error = read_bundle(&folder.path().join("missing")).unwrap_err();
        assert!(error.starts_with("AWS_CA_BUNDLE: open ") && error.contains("No such file"), "{error}");
    }

    #[test]
    fn a_rejected_certificate_is_recognized_in_a_chain_of_causes() {
        let rejected = std::io::Error::other(std::io::Error::other("invalid peer certificate: UnknownIssuer"));
        assert!(is_rejected(&rejected));
        assert!(!is_rejected(&std::io::Error::other("connection reset")));
    }
}
