//! Errors of OpenDAL as those of a backend.

use std::{fmt, io};

use opendal::ErrorKind as Theirs;
use towpath_backend::{Error, ErrorKind, RelPath};

/// Errors of servers for a missing bucket: they do not mean that a file is absent.
const NO_BUCKET: [&str; 4] = ["NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "bucket does not exist"];

/// The error of `operation` on `path`.
pub(crate) fn of(operation: &'static str, path: &RelPath, error: &opendal::Error) -> Error {
    let connection = is_lost_connection(error);
    let kind = if connection || names_no_bucket(error) { ErrorKind::Unavailable } else { kind_of(error) };
    // Unavailable would be temporary by itself.
    Error::new(kind, operation, path, cause(error)).with_temporary(connection || error.is_temporary())
}

fn kind_of(error: &opendal::Error) -> ErrorKind {
    match error.kind() {
        Theirs::NotFound => ErrorKind::NotFound,
        Theirs::PermissionDenied => ErrorKind::PermissionDenied,
        Theirs::IsADirectory => ErrorKind::IsADirectory,
        Theirs::NotADirectory => ErrorKind::NotADirectory,
        Theirs::AlreadyExists => ErrorKind::AlreadyExists,
        Theirs::Unsupported => ErrorKind::Unsupported,
        // A server that cannot be reached, or answers that it cannot answer.
        Theirs::Unexpected | Theirs::RateLimited if error.is_temporary() => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

/// Temporary failures that OpenDAL reports as permanent: SSH servers reject connections while many are being opened; a name node
/// has no data node, or not all of them yet.
const TEMPORARY: [&str; 5] = [
    "ssh error",
    "Connection closed",
    "data transfer error",
    "SafeModeException",
    "could only be replicated to 0 nodes",
];

/// Whether a later attempt may succeed, although OpenDAL does not report that.
fn is_lost_connection(error: &opendal::Error) -> bool {
    let Some(cause) = std::error::Error::source(error).map(root) else { return false };
    let is_lost = cause.downcast_ref::<io::Error>().is_some_and(|error| {
        use io::ErrorKind as Kind;
        matches!(
            error.kind(),
            Kind::ConnectionRefused
                | Kind::ConnectionReset
                | Kind::ConnectionAborted
                | Kind::BrokenPipe
                | Kind::HostUnreachable
                | Kind::NetworkUnreachable
                | Kind::NotConnected
                | Kind::TimedOut
                | Kind::UnexpectedEof
        )
    });
    let message = cause.to_string();
    error.kind() == Theirs::Unexpected && (is_lost || TEMPORARY.iter().any(|words| message.contains(words)))
}

fn names_no_bucket(error: &opendal::Error) -> bool {
    error.kind() == Theirs::NotFound && NO_BUCKET.iter().any(|words| error.message().contains(words))
}

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
            Self::Server(text) => text,
        })
    }
}

impl std::error::Error for Cause {}

/// The cause of an error. The whole error would show request headers and URLs with their signatures.
pub(crate) fn cause(error: &opendal::Error) -> Cause {
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
            // Some repeat the same text.
            if cause.contains(&message) { cause } else { format!("{message}: {cause}") }
        }
        None if message.is_empty() => match http_status(error) {
            Some(status) => format!("the server answered with HTTP status {status}, and no message"),
            None => error.kind().to_string(),
        },
        None => message,
    }
}

/// The status of a server's answer, which OpenDAL keeps in what it shows of an error alone.
fn http_status(error: &opendal::Error) -> Option<u16> {
    let shown = error.to_string();
    let (_, status) = shown.split_once("response: Parts { status: ")?;
    status.split_once(',')?.0.parse().ok()
}

/// Whether a server has rejected a request for good: not only for the moment (too many requests, a gateway without its
/// server), and not for lack of permission.
pub(crate) fn is_rejection(error: &opendal::Error) -> bool {
    const OTHER: [u16; 8] = [401, 403, 404, 408, 429, 502, 503, 504];
    error.kind() == Theirs::Unsupported
        || http_status(error).is_some_and(|status| (400..600).contains(&status) && !OTHER.contains(&status))
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
fn root<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of_kind(kind: Theirs, message: &str) -> Error {
        of("open", &RelPath::root(), &opendal::Error::new(kind, message))
    }

    #[test]
    fn a_missing_bucket_is_no_missing_file() {
        assert_eq!(of_kind(Theirs::NotFound, "S3Error { code: \"NoSuchKey\" }").kind(), ErrorKind::NotFound);
        let bucket = of_kind(Theirs::NotFound, "S3Error { code: \"NoSuchBucket\" }");
        assert_eq!((bucket.kind(), bucket.is_temporary()), (ErrorKind::Unavailable, false));
    }

    #[test]
    fn server_errors_are_temporary_and_denied_access_is_not() {
        let error = opendal::Error::new(Theirs::Unexpected, "503").set_temporary();
        let error = of("read", &RelPath::root(), &error);
        assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::Unavailable, true));
        assert!(!of_kind(Theirs::PermissionDenied, "no").is_temporary());
        assert_ne!(of_kind(Theirs::PermissionDenied, "no").kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_connection_that_is_lost_is_temporary_and_a_key_that_is_missing_is_not() {
        let of = |kind: io::ErrorKind| {
            let error = opendal::Error::new(Theirs::Unexpected, "no answer").set_source(io::Error::from(kind));
            of("read", &RelPath::root(), &error).is_temporary()
        };
        assert!(of(io::ErrorKind::ConnectionRefused) && of(io::ErrorKind::UnexpectedEof));
        assert!(!of(io::ErrorKind::NotFound) && !of(io::ErrorKind::PermissionDenied));
    }

    #[test]
    fn the_message_and_code_of_a_server_are_shown() {
        let error = of_kind(Theirs::NotFound, r#"S3Error { code: "NoSuchKey", message: "It is gone.", resource: "" }"#);
        assert!(error.to_string().ends_with(": It is gone. (NoSuchKey)"), "{error}");
        assert!(of_kind(Theirs::Unexpected, "").to_string().ends_with("Unexpected"));
    }

    #[test]
    fn of_an_html_page_only_the_title_is_shown() {
        for page in [
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD\">\n<html><head>\n<title>400 Bad Request</title>\n</head><p>Your browser…",
            "<html><title> 400 Bad Request </title></html>",
        ] {
            let error = of_kind(Theirs::Unexpected, page).to_string();
            assert!(error.ends_with(": 400 Bad Request"), "{error}");
        }
        for other in ["no page with a <title>x</title>", "<html><title></title></html>"] {
            assert!(of_kind(Theirs::Unexpected, other).to_string().ends_with(other), "{other}");
        }
    }

    #[test]
    fn internals_of_a_library_are_translated() {
        for (theirs, plain) in [
            ("signing http request: failed to load signing credential", "no credentials"),
            ("building http request: invalid uri character", "check the URL"),
            ("the request failed: failed to lookup address information: x", "cannot be resolved"),
        ] {
            let error = of_kind(Theirs::Unexpected, theirs).to_string();
            assert!(error.ends_with(plain) || error.contains(plain), "{error}");
        }
    }

    #[test]
    fn an_answer_without_a_text_is_shown_by_its_status() {
        let response = "Parts { status: 507, version: HTTP/1.1, headers: {} }";
        let error = opendal::Error::new(Theirs::Unexpected, "").with_context("response", response);
        let error = of("write", &RelPath::root(), &error).to_string();
        assert!(error.ends_with("HTTP status 507, and no message"), "{error}");
    }

    #[test]
    fn a_stack_trace_is_left_out_and_nothing_is_repeated() {
        let text = "Name node is in safe mode.\n\tat org.apache.A(A.java:1)\n\tat org.apache.B(B.java:2)\n";
        let error = opendal::Error::new(Theirs::Unexpected, text).set_source(io::Error::other(text));
        let text = of("write", &RelPath::root(), &error).to_string();
        assert!(text.ends_with(": Name node is in safe mode."), "{text}");
    }

    #[test]
    fn signatures_are_not_shown() {
        let error = of_kind(Theirs::Unexpected, "GET https://host/key?X-Amz-Signature=hunter2 failed");
        let text = error.to_string();
        assert!(text.contains("https://host/key?…") && !text.contains("hunter2"), "{text}");
    }
}
