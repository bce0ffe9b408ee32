//! Uploads to S3 with their MD5, and the server's own MD5 of what it stored.
//!
//! This transport adds `Content-MD5` to `PutObject` and `UploadPart`: the server refuses a content that arrived as
//! another one, and buckets with Object Lock take uploads with a checksum only. S3 answers 403 (`AccessDenied`,
//! `HeadersNotSigned`) where the header is sent and not signed, so that such a request is signed again. The answer's `ETag`
//! is the MD5 of what was stored, unless the object is encrypted with a key of KMS or of the customer. If it is another
//! one, the upload has failed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, ETAG, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport, HttpTransporter, Result};
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::{Context, ProvideCredential, Signer};

use crate::checksum::{Mismatch, md5_of};

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
/// What the signer adds, beside `Authorization`.
const OF_SIGNATURE: [&str; 2] = ["x-amz-date", "x-amz-security-token"];
/// The token of a directory bucket's session, which has a signer of its own; such buckets take no `Content-MD5`.
const DIRECTORY_BUCKET: &str = "x-amz-s3session-token";
const ENCRYPTION: &str = "x-amz-server-side-encryption";
const CUSTOMER_KEY: &str = "x-amz-server-side-encryption-customer-algorithm";

/// What signs requests to S3 in a region again, with the keys that they were signed with.
pub(crate) fn signer(region: &str, keys: impl ProvideCredential<Credential = Credential>) -> Signer<Credential> {
    Signer::new(Context::new(), keys, RequestSigner::new("s3", region))
}

/// The transport that adds and compares checksums, over that of the requests.
pub(crate) fn checked(inner: HttpTransporter, signer: Signer<Credential>) -> HttpTransporter {
    HttpTransporter::new(Checked { inner, signer })
}

struct Checked {
    inner: HttpTransporter,
    signer: Signer<Credential>,
}

impl HttpTransport for Checked {
    async fn fetch(&self, request: Request<Buffer>) -> Result<Response<HttpBody>> {
        if !is_upload(&request) {
            return self.inner.fetch(request).await;
        }
        let sent = md5_of(request.body().clone()).await?;
        let request = self.with_md5(request, &sent).await?;
        let answer = self.inner.fetch(request).await?;
        match stored_md5(answer.headers()) {
            Some(stored) if answer.status().is_success() && stored != sent => {
                Err(Error::new(ErrorKind::Unexpected, Mismatch.to_string()).set_source(Mismatch))
            }
            _ => Ok(answer),
        }
    }
}

impl Checked {
    /// The request with the MD5 of its content, and signed with it, unless nothing signs it.
    async fn with_md5(&self, request: Request<Buffer>, md5: &[u8]) -> Result<Request<Buffer>> {
        let (mut head, content) = request.into_parts();
        let value = HeaderValue::from_str(&STANDARD.encode(md5));
        let value =
            value.map_err(|error| Error::new(ErrorKind::Unexpected, "building http request").set_source(error))?;
        head.headers.insert(CONTENT_MD5, value);
        if head.headers.remove(AUTHORIZATION).is_some() {
            // The keys may be others by now.
            OF_SIGNATURE.iter().for_each(|name| drop(head.headers.remove(*name)));
            self.signer.sign(&mut head, None).await.map_err(|error| {
                let is_temporary = error.is_retryable();
                let error = Error::new(ErrorKind::Unexpected, "signing http request").set_source(error);
                error.with_temporary(is_temporary)
            })?;
            // The client sets it.
            head.headers.remove(HOST);
        }
        Ok(Request::from_parts(head, content))
    }
}

/// Whether a request carries a content without a checksum. A copy has none.
fn is_upload(request: &Request<Buffer>) -> bool {
    let is_other = |name: &HeaderName| {
        let name = name.as_str();
        name == CONTENT_MD5
            || name == DIRECTORY_BUCKET
            || name == "x-amz-copy-source"
            || name.starts_with("x-amz-checksum-")
    };
    request.method() == Method::PUT && !request.headers().keys().any(is_other)
}

/// The MD5 that the server reports of what it stored, if it does.
fn stored_md5(headers: &HeaderMap) -> Option<[u8; 16]> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text(CUSTOMER_KEY).is_some() || text(ENCRYPTION).is_some_and(|kind| kind.starts_with("aws:")) {
        return None;
    }
    let digits = text(ETAG.as_str())?.trim().strip_prefix('"')?.strip_suffix('"')?;
    if digits.len() != 32 {
        return None;
    }
    let mut md5 = [0; 16];
    for (at, byte) in md5.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(md5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use md5::{Digest as _, Md5};

    #[test]
    fn an_etag_is_the_md5_unless_the_object_is_encrypted_with_a_key_of_its_own() {
        let of = |headers: &[(&'static str, &'static str)]| {
            let headers =
                headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            stored_md5(&headers.collect())
        };
        let md5 = ("etag", "\"5d41402abc4b2a76b9719d911017c592\"");
        assert_eq!(of(&[md5]), Some(Md5::digest("hello").into()));
        assert_eq!(of(&[md5, (ENCRYPTION, "AES256")]), Some(Md5::digest("hello").into()));
        for encrypted in ["aws:kms", "aws:kms:dsse"] {
            assert_eq!(of(&[md5, (ENCRYPTION, encrypted)]), None);
        }
        assert_eq!(of(&[md5, (CUSTOMER_KEY, "AES256")]), None);
        for other in [
            "\"5d41402abc4b2a76b9719d911017c592-2\"",
            "\"0\"",
            "\"0x8DB\"",
            "",
            "W/\"5d41402abc4b2a76b9719d911017c592\"",
        ] {
            assert_eq!(of(&[("etag", other)]), None, "{other}");
        }
        assert_eq!(of(&[]), None);
    }
}
