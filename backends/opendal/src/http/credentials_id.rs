//! Which credentials a request was signed with, without keeping them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use reqwest::Url;

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

    /// Of a shared access signature of Azure: a query, with or without its question mark.
    pub(crate) fn of_signature(token: &str) -> Option<Self> {
        let url = Url::parse(&format!("http://host/?{}", token.trim_start_matches('?'))).ok()?;
        let signature = url.query_pairs().find(|(name, _)| name == "sig").map(|(_, value)| value.into_owned())?;
        Some(Self::of("sig", Some(&signature)))
    }

    /// Of a request with a bearer token, a shared access signature, or signed as S3 wants it.
    pub(crate) fn of_request(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(authorization) = text(AUTHORIZATION.as_str()) else {
            return uri.query().filter(|query| query.contains("sig=")).and_then(Self::of_signature);
        };
        if let Some(token) = authorization.strip_prefix("Bearer ") {
            return Some(Self::of("Bearer", Some(token)));
        }
        let (_, rest) = authorization.split_once("Credential=")?;
        let (key, _) = rest.split_once('/')?;
        Some(Self::of(key, text("x-amz-security-token")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_its_key_and_token() {
        let (mut headers, plain) = (HeaderMap::new(), Uri::from_static("http://host/bucket/key?comp=list"));
        assert_eq!(CredentialsId::of_request(&plain, &headers), None);
        let by_signature = Uri::from_static("http://host/bucket/key?comp=list&sv=1&sig=a%2Bb%3D");
        let signature = CredentialsId::of_request(&by_signature, &headers);
        assert_eq!(signature, CredentialsId::of_signature("?sv=1&sig=a%2Bb%3D"));
        assert_ne!(signature, CredentialsId::of_signature("sv=1&sig=other"));
        assert!(signature.is_some() && CredentialsId::of_signature("sv=1").is_none());
        let signed =
            "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=1";
        headers.insert(AUTHORIZATION, signed.parse().unwrap());
        assert_eq!(CredentialsId::of_request(&plain, &headers), Some(CredentialsId::of("KEY", None)));
        headers.insert("x-amz-security-token", "T".parse().unwrap());
        assert_eq!(CredentialsId::of_request(&plain, &headers), Some(CredentialsId::of("KEY", Some("T"))));
        headers.insert(AUTHORIZATION, "Bearer T".parse().unwrap());
        assert_eq!(CredentialsId::of_request(&plain, &headers), Some(CredentialsId::of("Bearer", Some("T"))));
    }
}
