use std::io;

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
