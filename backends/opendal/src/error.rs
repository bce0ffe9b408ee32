//! Errors of OpenDAL as those of a backend.

use opendal::ErrorKind as Theirs;
use towpath_backend::{Error, ErrorKind, RelPath};

/// What servers say when the bucket itself is not there, or not any more: no file is absent
/// by that.
const NO_BUCKET: [&str; 4] = ["NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "bucket does not exist"];

/// The error of `operation` on `path`.
pub(crate) fn of(operation: &'static str, path: &RelPath, error: &opendal::Error) -> Error {
    let connection = is_lost_connection(error);
    let kind = if connection || names_no_bucket(error) { ErrorKind::Unavailable } else { kind_of(error) };
    // Unavailable would be temporary by itself.
    Error::new(kind, operation, path, text(error)).with_temporary(connection || error.is_temporary())
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

/// SSH servers refuse connections while many are being made, and OpenDAL takes that for final.
fn is_lost_connection(error: &opendal::Error) -> bool {
    let cause = std::error::Error::source(error).map(root_cause).unwrap_or_default();
    error.kind() == Theirs::Unexpected && (cause.contains("ssh error") || cause.contains("Connection closed"))
}

fn names_no_bucket(error: &opendal::Error) -> bool {
    error.kind() == Theirs::NotFound && NO_BUCKET.iter().any(|words| error.message().contains(words))
}

/// What is said of it. The whole error would show request headers and URLs with their signatures.
pub(crate) fn text(error: &opendal::Error) -> String {
    let message = plain(error.message().trim());
    // Signatures travel in queries.
    let message: String = message.split_whitespace().map(without_query).collect::<Vec<_>>().join(" ");
    match std::error::Error::source(error) {
        Some(source) => format!("{message}: {}", without_query(&root_cause(source))),
        None if message.is_empty() => match http_status(error) {
            Some(status) => format!("the server answered with HTTP status {status}, and said no more"),
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

/// What a server of objects said in its XML: OpenDAL shows it as it holds it,
/// `S3Error { code: "…", message: "…", … }`.
fn plain(message: &str) -> String {
    let field = |name: &str| {
        let (_, rest) = message.split_once(&format!("{name}: \""))?;
        rest.split_once('"').map(|(value, _)| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    match (message.contains("Error {"), field("message"), field("code")) {
        (true, Some(text), Some(code)) => format!("{text} ({code})"),
        (true, Some(text), None) | (true, None, Some(text)) => text,
        _ => message.to_owned(),
    }
}

/// The last of a chain of causes: `connection refused` rather than `error sending request`.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
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
    fn what_passes_by_itself_is_temporary() {
        let error = opendal::Error::new(Theirs::Unexpected, "503").set_temporary();
        let error = of("read", &RelPath::root(), &error);
        assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::Unavailable, true));
        assert!(!of_kind(Theirs::PermissionDenied, "no").is_temporary());
        assert_ne!(of_kind(Theirs::PermissionDenied, "no").kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_a_server_said_is_told_plainly() {
        let error = of_kind(Theirs::NotFound, r#"S3Error { code: "NoSuchKey", message: "It is gone.", resource: "" }"#);
        assert!(error.to_string().ends_with(": It is gone. (NoSuchKey)"), "{error}");
        assert!(of_kind(Theirs::Unexpected, "").to_string().ends_with("Unexpected"));
    }

    #[test]
    fn a_server_that_says_nothing_is_shown_by_its_status() {
        let response = "Parts { status: 507, version: HTTP/1.1, headers: {} }";
        let error = opendal::Error::new(Theirs::Unexpected, "").with_context("response", response);
        let error = of("write", &RelPath::root(), &error).to_string();
        assert!(error.ends_with("HTTP status 507, and said no more"), "{error}");
    }

    #[test]
    fn signatures_are_not_shown() {
        let error = of_kind(Theirs::Unexpected, "GET https://host/key?X-Amz-Signature=hunter2 failed");
        let text = error.to_string();
        assert!(text.contains("https://host/key?…") && !text.contains("hunter2"), "{text}");
    }
}
