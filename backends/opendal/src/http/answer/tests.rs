use super::*;

fn answer(method: &Method, status: u16, headers: &[(&'static str, &str)], body: &str) -> Option<Answer> {
    let mut answer = Response::new(());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        answer.headers_mut().insert(*name, value.parse().unwrap());
    }
    Answer::classify(method, &answer, body.as_bytes())
}

fn s3(code: &str) -> String {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Of {code}.</Message></Error>")
}

fn class_of(method: Method, status: u16, body: &str) -> Option<Class> {
    answer(&method, status, &[], body).map(|answer| answer.class)
}

#[test]
fn services_that_want_fewer_requests_are_recognized() {
    let google = r#"{"error": {"code": 403, "message": "Too many.", "errors": [{"reason": "rateLimitExceeded"}]}}"#;
    for (status, body) in
        [(503, s3("SlowDown")), (429, String::new()), (503, s3("ServerBusy")), (403, google.to_owned())]
    {
        assert_eq!(class_of(Method::PUT, status, &body), Some(Class::Throttled), "{status} {body}");
    }
    // It is away rather than busy.
    assert_eq!(class_of(Method::GET, 503, ""), None);
    assert_eq!(class_of(Method::GET, 503, &s3("ServiceUnavailable")), None);
}

#[test]
fn how_long_to_wait_is_taken_from_the_answer() {
    let after = |value: &str| answer(&Method::GET, 503, &[("retry-after", value)], "").unwrap().retry_after;
    assert_eq!(after("120"), Some(Duration::from_secs(120)));
    assert_eq!(after("soon"), None);
    assert!(after("Fri, 31 Dec 2100 23:59:59 GMT").unwrap() > Duration::from_secs(1 << 20));
    assert_eq!(after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
}

#[test]
fn full_storages_and_quotas_are_full_for_what_is_written() {
    for body in [s3("QuotaExceeded"), s3("XMinioStorageFull"), s3("InsufficientStorage")] {
        assert_eq!(class_of(Method::PUT, 403, &body), Some(Class::Full), "{body}");
    }
    assert_eq!(class_of(Method::PUT, 507, ""), Some(Class::Full));
    assert_eq!(class_of(Method::GET, 403, &s3("QuotaExceeded")), None);
}

#[test]
fn expired_credentials_are_told_apart_from_wrong_ones() {
    let azure = "<Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate.</Message>\
                 <AuthenticationErrorDetail>Signature not valid in the specified time frame</AuthenticationErrorDetail></Error>";
    assert_eq!(class_of(Method::GET, 400, &s3("ExpiredToken")), Some(Class::Expired));
    assert_eq!(class_of(Method::GET, 403, azure), Some(Class::Expired));
    assert_eq!(class_of(Method::GET, 403, &s3("AuthenticationFailed")), None);
    assert_eq!(class_of(Method::GET, 403, &s3("SignatureDoesNotMatch")), None);
    assert_eq!(class_of(Method::GET, 403, &s3("AccessDenied")), None);
    assert_eq!(class_of(Method::GET, 403, &s3("InvalidAccessKeyId")), Some(Class::UnknownKey));
    assert_eq!(class_of(Method::HEAD, 400, ""), Some(Class::Unexplained));
    assert_eq!(class_of(Method::HEAD, 403, ""), Some(Class::Unexplained));
}

#[test]
fn what_concerns_one_file_is_left_to_opendal() {
    for status in [200, 206, 304, 401, 403, 404, 405, 409, 412, 416, 423, 500, 502, 504] {
        assert_eq!(class_of(Method::PUT, status, ""), None, "{status}");
    }
}

#[test]
fn the_message_has_the_services_code_and_region() {
    let text = |status, headers: &[(&'static str, &str)], body: &str| {
        answer(&Method::GET, status, headers, body).unwrap().to_string()
    };
    assert_eq!(text(503, &[], &s3("SlowDown")), "Of SlowDown. (SlowDown, HTTP status 503)");
    assert_eq!(text(400, &[], &s3("ExpiredToken")), "Of ExpiredToken. (ExpiredToken, HTTP status 400)");
    let region = [("x-amz-bucket-region", "eu-west-3")];
    assert_eq!(text(301, &region, ""), "the bucket is in the region eu-west-3 (HTTP status 301)");
    let malformed =
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-west-3</Region></Error>";
    assert!(text(400, &[], malformed).starts_with("the bucket is in the region eu-west-3 (Authorization"));
}
