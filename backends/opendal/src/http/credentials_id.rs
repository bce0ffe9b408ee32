//! Which credentials a request was signed with, without keeping them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Credentials, as far as they can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CredentialsId(u64);

impl CredentialsId {
    /// Of a key and the token of its session.
    pub(crate) fn of(key: &str, token: Option<&str>) -> Self {
        let mut hasher = DefaultHasher::new();
        (key, token.unwrap_or_default()).hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Of a request that is signed as S3 wants it.
    pub(crate) fn of_request(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (_, rest) = text(AUTHORIZATION.as_str())?.split_once("Credential=")?;
        let (key, _) = rest.split_once('/')?;
        Some(Self::of(key, text("x-amz-security-token")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_its_key_and_token() {
        let mut headers = HeaderMap::new();
        assert_eq!(CredentialsId::of_request(&headers), None);
        let signed =
            "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=1";
        headers.insert(AUTHORIZATION, signed.parse().unwrap());
        assert_eq!(CredentialsId::of_request(&headers), Some(CredentialsId::of("KEY", None)));
        headers.insert("x-amz-security-token", "T".parse().unwrap());
        assert_eq!(CredentialsId::of_request(&headers), Some(CredentialsId::of("KEY", Some("T"))));
    }
}
