//! The cause of an error, in terms that a user knows.

use std::fmt;

use towpath_backend::Error;

use super::status::http_status;
use crate::http::{Answer, Class};

/// Why an operation failed, in terms that a user knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing to sign requests with.
    NoCredentials,
    /// DNS does not know the server.
    NotResolved,
    /// The address of a request is none.
    InvalidAddress,
    /// Azure's key is not what the service issues.
    InvalidAccountKey,
    /// The credentials have expired or are not known, and there are no others; what the service answered.
    Credentials(String),
    /// The server's or client's own words.
    Server(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCredentials => "there are no credentials, or none that can be used",
            Self::NotResolved => "the name of the server cannot be resolved",
            Self::InvalidAddress => "the request's address is not valid: check the URL and the endpoint",
            Self::InvalidAccountKey => "account_key is not base64 text, as the service issues it",
            Self::Credentials(text) | Self::Server(text) => text,
        })
    }
}

impl std::error::Error for Cause {}

impl Cause {
    /// Of an error of this crate.
    pub(crate) fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }
}

/// The cause of an error. The whole error would show request headers and URLs with their signatures.
pub(crate) fn cause(error: &opendal::Error) -> Cause {
    if let Some(answer) = Answer::of_error(error) {
        let text = answer.to_string();
        return match answer.class {
            Class::Expired | Class::UnknownKey => Cause::Credentials(text),
            _ => Cause::Server(text),
        };
    }
    let message = plain(without_stack(error.message()).trim());
    // Signatures travel in queries.
    let message: String = message.split_whitespace().map(without_query).collect::<Vec<_>>().join(" ");
    let message = message_of(error, message);
    match KNOWN.iter().find(|(theirs, _)| message.contains(theirs)) {
        Some((_, cause)) => cause.clone(),
        None => Cause::Server(message),
    }
}

/// Texts of OpenDAL and its signer that name their own internals, and what they mean.
const KNOWN: [(&str, Cause); 4] = [
    ("failed to load signing credential", Cause::NoCredentials),
    ("failed to lookup address information", Cause::NotResolved),
    ("building http request: ", Cause::InvalidAddress),
    ("cannot decode as base64", Cause::InvalidAccountKey),
];

fn message_of(error: &opendal::Error, message: String) -> String {
    match std::error::Error::source(error) {
        Some(source) => {
            let cause = root(source).to_string();
            let cause = without_query(without_stack(&cause).trim());
            // Some repeat the same text, and what was to be signed is of no interest.
            if cause.contains(&message) || message == "signing http request" {
                cause
            } else {
                format!("{message}: {cause}")
            }
        }
        None if message.is_empty() => match http_status(error) {
            Some(status) => format!("the server answered with HTTP status {status}, and no message"),
            None => error.kind().to_string(),
        },
        None => message,
    }
}

/// The message in an object store's XML error, which OpenDAL shows as
/// `S3Error { code: "…", message: "…", … }`.
fn plain(message: &str) -> String {
    let field = |name: &str| {
        let (_, rest) = message.split_once(&format!("{name}: \""))?;
        rest.split_once('"').map(|(value, _)| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    match (message.contains("Error {"), field("message"), field("code")) {
        (true, Some(text), Some(code)) => format!("{text} ({code})"),
        (true, Some(text), None) | (true, None, Some(text)) => text,
        _ => title(message).unwrap_or(message).to_owned(),
    }
}

/// The title of an error page for browsers.
fn title(message: &str) -> Option<&str> {
    let is_page = |prefix: &str| message.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let (_, rest) = message.split_once("<title>").filter(|_| is_page("<!doctype html") || is_page("<html"))?;
    rest.split_once("</title>").map(|(title, _)| title.trim()).filter(|title| !title.is_empty())
}

/// Without the stack trace that a server in Java sends.
fn without_stack(message: &str) -> &str {
    message.split_once("\n\tat ").map_or(message, |(text, _)| text)
}

/// The last of a chain of causes: `connection refused` rather than `error sending request`.
pub(super) fn root<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
}

fn without_query(word: &str) -> String {
    match word.split_once('?') {
        Some((url, _)) if url.contains("://") => format!("{url}?…"),
        _ => word.to_owned(),
    }
}
