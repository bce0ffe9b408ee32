//! Answers of servers that concern the whole storage rather than one file: too many requests, no space, expired
//! credentials, another region. OpenDAL has no kinds for them, and drops the headers that say how long to wait.

use std::fmt;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, Response, StatusCode};

use super::credentials_id::CredentialsId;

/// What an answer asks of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Fewer requests.
    Throttled,
    /// No more content: the storage or a quota is full.
    Full,
    /// Other credentials: these were valid, and have expired.
    Expired,
    /// Other credentials: these are not known.
    UnknownKey,
    /// Another region or endpoint.
    OtherRegion,
    /// The answer to a `HEAD` request, which has no body and thus no code.
    Unexplained,
}

/// An answer that concerns the whole storage.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) class: Class,
    pub(crate) status: u16,
    /// The service's own code: `SlowDown`.
    code: Option<String>,
    message: Option<String>,
    /// The bucket's region, if the answer names it.
    region: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// What the request was signed with.
    pub(crate) signed_by: Option<CredentialsId>,
}

impl Answer {
    /// The class of an error's answer, if the HTTP client gave it one.
    pub(crate) fn of_error(error: &opendal::Error) -> Option<&Self> {
        // It is deeper where credentials are asked for over HTTP.
        Self::among_causes(error)
    }

    /// The answer among the causes of an error.
    pub(crate) fn among_causes<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(answer) = error.downcast_ref() {
                return Some(answer);
            }
            cause = error.source();
        }
        None
    }

    /// Classifies an answer; `None`: it concerns one file, or OpenDAL knows better.
    pub(crate) fn classify<T>(method: &Method, answer: &Response<T>, body: &[u8]) -> Option<Self> {
        let (status, headers) = (answer.status(), answer.headers());
        let text = String::from_utf8_lossy(body);
        let code = code(headers, &text);
        let class = class(method, status, headers, code.as_deref(), &text)?;
        // Azure says in it what is wrong with a signature.
        let detail = xml(&text, "AuthenticationErrorDetail").filter(|_| class == Class::Expired);
        Some(Self {
            class,
            status: status.as_u16(),
            message: detail.or_else(|| xml(&text, "Message")).or_else(|| json(&text, "message")),
            region: header(headers, "x-amz-bucket-region").or_else(|| xml(&text, "Region")),
            code,
            retry_after: retry_after(headers),
            signed_by: None,
        })
    }

    /// Credentials that have expired and could not be read again.
    #[cfg(any(feature = "s3", feature = "azblob", feature = "gcs"))]
    pub(crate) fn not_renewed(cause: &str, of: CredentialsId) -> Self {
        Self {
            class: Class::Expired,
            status: 0,
            code: None,
            message: Some(format!("the credentials have expired, and new ones could not be read: {cause}")),
            region: None,
            retry_after: None,
            signed_by: Some(of),
        }
    }

    /// The OpenDAL error that carries it.
    pub(crate) fn into_error(self) -> opendal::Error {
        let kind = match self.class {
            Class::Throttled => opendal::ErrorKind::RateLimited,
            Class::Expired | Class::UnknownKey => opendal::ErrorKind::PermissionDenied,
            Class::OtherRegion => opendal::ErrorKind::ConfigInvalid,
            Class::Unexplained if self.status == 403 => opendal::ErrorKind::PermissionDenied,
            Class::Full | Class::Unexplained => opendal::ErrorKind::Unexpected,
        };
        let passes = matches!(self.class, Class::Throttled | Class::Expired | Class::UnknownKey);
        opendal::Error::new(kind, "").with_temporary(passes).set_source(self)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match (self.class, &self.message) {
            (Class::OtherRegion, _) => self.region.as_ref().map_or_else(
                || "the bucket is in another region or at another endpoint".to_owned(),
                |region| format!("the bucket is in the region {region}"),
            ),
            (_, Some(message)) => message.split_whitespace().collect::<Vec<_>>().join(" "),
            (Class::Full, None) => "the storage is full".to_owned(),
            (Class::Throttled, None) => "the service receives too many requests".to_owned(),
            (Class::Expired | Class::UnknownKey, None) => "the credentials are not valid any more".to_owned(),
            (Class::Unexplained, None) => "the server does not say why".to_owned(),
        };
        match &self.code {
            None if self.status == 0 => f.write_str(&said),
            Some(code) if *code != said => write!(f, "{said} ({code}, HTTP status {})", self.status),
            _ => write!(f, "{said} (HTTP status {})", self.status),
        }
    }
}

impl std::error::Error for Answer {}

/// Codes for too many requests, of S3, Azure, Google and compatible servers.
const THROTTLED: [&str; 14] = [
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "ServerBusy",
    "RequestLimitExceeded",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequests",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
    "rateLimitExceeded",
    "userRateLimitExceeded",
];

/// Codes for a storage, bucket or account that takes no more.
const FULL: [&str; 12] = [
    "InsufficientStorage",
    "QuotaExceeded",
    "quotaExceeded",
    "StorageQuotaExceeded",
    "storageQuotaExceeded",
    "BucketQuotaExceeded",
    "DiskQuotaExceeded",
    "StorageFull",
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
    "AccountStorageCapacityExceeded",
    "storage_cap_exceeded",
];

/// Codes for credentials that were valid.
const EXPIRED: [&str; 6] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "InvalidToken",
    "InvalidSecurityToken",
    "RequestExpired",
];

fn class(method: &Method, status: StatusCode, headers: &HeaderMap, code: Option<&str>, text: &str) -> Option<Class> {
    let is_code = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    let writes = !matches!(*method, Method::GET | Method::HEAD);
    Some(match status.as_u16() {
        429 => Class::Throttled,
        503 if is_code(&THROTTLED) || headers.contains_key(RETRY_AFTER) => Class::Throttled,
        507 => Class::Full,
        400..=599 if is_code(&FULL) && writes => Class::Full,
        400..=599 if is_code(&THROTTLED) => Class::Throttled,
        400..=403 if is_code(&EXPIRED) || says_expired(code, text) => Class::Expired,
        400..=403 if is_code(&["InvalidAccessKeyId", "InvalidClientTokenId"]) => Class::UnknownKey,
        301 | 307 | 400 if is_other_region(status, headers, code) => Class::OtherRegion,
        400 if *method == Method::HEAD && code.is_none() => Class::Unexplained,
        403 if *method == Method::HEAD && code.is_none_or(|code| code == "AuthenticationFailed") => Class::Unexplained,
        _ => return None,
    })
}

/// Azure has one code for each wrong signature, and Google one for each wrong token: only the text tells them apart.
fn says_expired(code: Option<&str>, text: &str) -> bool {
    match code {
        Some("AuthenticationFailed") => {
            text.contains("not valid in the specified time frame") || text.contains("expired")
        }
        Some("InvalidAuthenticationInfo") => text.contains("expired"),
        Some("authError") => text.contains("Invalid Credentials"),
        _ => false,
    }
}

fn is_other_region(status: StatusCode, headers: &HeaderMap, code: Option<&str>) -> bool {
    match code {
        Some("PermanentRedirect" | "IllegalLocationConstraintException" | "AuthorizationHeaderMalformed") => true,
        Some(_) => false,
        None => status == StatusCode::MOVED_PERMANENTLY || headers.contains_key("x-amz-bucket-region"),
    }
}

/// How long the server wants to be left alone: it says so in seconds, or names a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = header(headers, RETRY_AFTER.as_str())?;
    match value.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let at = opendal::raw::Timestamp::parse_rfc2822(value.trim()).ok()?.into_inner();
            let now = opendal::raw::Timestamp::now().into_inner();
            Duration::try_from(at.duration_since(now)).ok()
        }
    }
}

fn code(headers: &HeaderMap, text: &str) -> Option<String> {
    let code = xml(text, "Code").or_else(|| header(headers, "x-ms-error-code")).or_else(|| json(text, "reason"));
    // Backblaze names its own in capitals nowhere else.
    code.or_else(|| json(text, "code").filter(|code| code.parse::<u16>().is_err()))
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The content of the first element of this name.
fn xml(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    Some(unescaped(value.trim())).filter(|value| !value.is_empty())
}

/// The first string of this name.
fn json(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("\"{name}\""))?;
    let (value, _) = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?.split_once('"')?;
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

/// The five entities that XML defines.
pub(crate) fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

#[cfg(test)]
mod tests;
