//! Each route, and the form of its answers, as docs/control-api.md has them.

use super::*;

const TIME: &str = "2999-12-24T18:00:00Z";

/// Answers are `expected`, where `"*"` stands for any text.
#[track_caller]
fn is_like(found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let keys = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(found), keys(expected));
            found.iter().for_each(|(key, value)| is_like(value, &expected[key]));
        }
        (Value::String(_), Value::String(any)) if any == "*" => {}
        _ => assert_eq!(found, expected),
    }
}

fn running() -> Value {
    json!({
        "state": "running",
        "limit": { "kind": "off", "bytes_per_s": null, "max_bytes_per_s": null, "set_by": "option", "until": null },
        "next_limit": null,
        "pause": null,
        "stop": null,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_routes_answer() {
    let served = Served::new();
    let status = served.ask("GET /v1/status", &[], "").await;
    assert_eq!((status.status, status.json()), (200, json!({ "state": "transferring", "files": { "total": 3 } })));
    for header in ["cache-control: no-store", "x-content-type-options: nosniff", "content-security-policy: default-src"]
    {
        assert!(status.head.contains(header), "{status:?}");
    }
    let health = served.ask("GET /healthz", &[], "").await;
    assert_eq!((health.status, health.json()), (200, json!({ "status": "ok" })));
    let metrics = served.ask("GET /metrics", &[], "").await;
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{metrics:?}");
    assert!(metrics.body.ends_with("# TYPE towpath_sent_bytes_total counter\ntowpath_sent_bytes_total 7\n"));
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let metrics = served.ask("GET /metrics", &[accept], "").await;
    let content_type = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(metrics.head.contains(content_type), "{metrics:?}");
    assert!(
        metrics.body.ends_with("# UNIT towpath_sent_bytes bytes\ntowpath_sent_bytes_total 7\n# EOF\n"),
        "{metrics:?}"
    );
    let page = served.ask("GET /", &[], "").await;
    assert!(page.head.contains("content-type: text/html") && page.body.starts_with("<!doctype html>"), "{page:?}");
    let head = served.ask("HEAD /v1/status", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_come_in_pages() {
    let served = Served::new();
    let first = served.ask("GET /v1/errors?limit=1", &[], "").await.json();
    assert_eq!(first, json!({ "errors": [{ "path": "a/b", "status": "failed" }], "next": "7" }));
    let last = served.ask("GET /v1/errors?after=7", &[], "").await.json();
    assert_eq!(last, json!({ "errors": [], "next": null }));
    for query in ["limit=0", "limit=1001", "limit=x", "limit", "after=", "after=%20", "after=8", "from=1"] {
        let reply = served.ask(&format!("GET /v1/errors?{query}"), &[], "").await;
        assert_eq!(reply.error(400), "invalid_request", "{query}");
    }
    assert_eq!(served.ask("GET /v1/status?x=1", &[], "").await.error(400), "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_has_a_window() {
    let served = Served::new();
    for (query, window) in [("", "1h"), ("?window=1h", "1h"), ("?window=1d", "1d"), ("?window=all", "all")] {
        let reply = served.ask(&format!("GET /v1/history{query}"), &[], "").await;
        assert_eq!(reply.json(), json!({ "window": window }), "{query}");
    }
    for query in ["window=", "window=2h", "window", "window=1h&x=1", "after=1"] {
        let reply = served.ask(&format!("GET /v1/history?{query}"), &[], "").await;
        assert_eq!(reply.error(400), "invalid_request", "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_answer_with_what_is_in_force() {
    let served = Served::new();
    let paused = served.ask("POST /v1/pause", &[], &format!("{{\"until\":\"{TIME}\"}}")).await;
    let mut expected = running();
    expected["state"] = "paused".into();
    expected["pause"] = json!({ "since": "2026-12-24T12:00:00Z", "until": TIME, "by": "*" });
    is_like(&paused.json(), &expected);
    is_like(&served.ask("POST /v1/resume", &[], "").await.json(), &running());

    let limited = served.ask("PUT /v1/limit", &[], &format!("{{\"rate\":\"20M\",\"until\":\"{TIME}\"}}")).await;
    let mut expected = running();
    expected["limit"] = json!({
        "kind": "fixed", "bytes_per_s": 20 << 20, "max_bytes_per_s": null, "set_by": "control", "until": TIME
    });
    is_like(&limited.json(), &expected);
    is_like(&served.ask("PUT /v1/limit", &[], "{\"reset\":true}").await.json(), &running());

    let mut expected = running();
    expected["state"] = "stopping".into();
    expected["stop"] = json!({ "after_current": true, "by": "*" });
    is_like(&served.ask("POST /v1/stop", &[], "{\"after_current\":true}").await.json(), &expected);
    assert_eq!(served.ask("POST /v1/stop", &[], "{}").await.error(409), "conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_the_user_of_the_process_at_the_other_end() {
    let served = Served::new();
    served.ask("POST /v1/resume", &[], "{}").await;
    assert_eq!(served.asked(), [format!("resume by {}", this_user())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_bytes_or_text_as_on_the_command_line() {
    let served = Served::new();
    for (rate, expected) in [
        ("20971520", "Fixed(20971520)"),
        ("\"20M\"", "Fixed(20971520)"),
        ("\"off\"", "Off"),
        ("\"auto\"", "Auto { max: None }"),
        ("\"auto:20M\"", "Auto { max: Some(20971520) }"),
        ("\"pause\"", "Pause"),
    ] {
        let reply = served.ask("PUT /v1/limit", &[], &format!("{{\"rate\":{rate}}}")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let asked = served.asked();
        assert!(asked[0].starts_with(&format!("limit Set {{ rate: {expected}, until: None }} by ")), "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_changes_change_nothing() {
    let served = Served::new();
    for (line, body) in [
        ("POST /v1/pause", "x"),
        ("POST /v1/pause", "[]"),
        ("POST /v1/pause", "{\"util\":\"2999-12-24T18:00:00Z\"}"),
        ("POST /v1/pause", "{\"until\":\"18:00\"}"),
        ("POST /v1/pause", "{\"until\":7}"),
        ("POST /v1/pause", "{\"until\":\"2001-12-24T18:00:00Z\"}"),
        ("POST /v1/resume", "{\"until\":null}"),
        ("POST /v1/stop", "{\"after_current\":1}"),
        ("PUT /v1/limit", ""),
        ("PUT /v1/limit", "{}"),
        ("PUT /v1/limit", "{\"reset\":false}"),
        ("PUT /v1/limit", "{\"reset\":true,\"rate\":\"off\"}"),
        ("PUT /v1/limit", "{\"reset\":true,\"until\":\"2999-12-24T18:00:00Z\"}"),
        ("PUT /v1/limit", "{\"rate\":0}"),
        ("PUT /v1/limit", "{\"rate\":-1}"),
        ("PUT /v1/limit", "{\"rate\":2048.5}"),
        ("PUT /v1/limit", "{\"rate\":18446744073709551615}"),
        ("PUT /v1/limit", "{\"rate\":null}"),
        ("PUT /v1/limit", "{\"rate\":\"20Q\"}"),
        ("PUT /v1/limit", "{\"rate\":\"08:00,5M 18:00,off\"}"),
    ] {
        assert_eq!(served.ask(line, &[], body).await.error(400), "invalid_request", "{line} {body}");
    }
    for headers in [&["Content-Type!"][..], &["Content-Type: text/plain"], &["Content-Type: application/jsonx"]] {
        assert_eq!(served.ask("POST /v1/stop", headers, "{}").await.error(415), "not_json");
    }
    assert_eq!(served.asked(), [""; 0]);
    let reply = served.ask("POST /v1/resume", &["Content-Type: Application/JSON; charset=utf-8"], "").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_routes_and_methods_are_errors() {
    let served = Served::new();
    for path in ["/v2/status", "/v1/", "/v1/status/", "//", "/../v1/status", "/V1/status"] {
        assert_eq!(served.ask(&format!("GET {path}"), &[], "").await.error(404), "not_found", "{path}");
    }
    for (line, allow) in [
        ("POST /v1/status", "GET, HEAD"),
        ("HEAD /v1/events", "GET"),
        ("GET /v1/pause", "POST"),
        ("POST /v1/limit", "PUT"),
        ("DELETE /v1/limit", "PUT"),
        ("OPTIONS /v1/limit", "PUT"),
    ] {
        let reply = served.ask(line, &[], "").await;
        assert_eq!(reply.status, 405, "{line}");
        assert!(reply.head.contains(&format!("allow: {}\r\n", allow.to_ascii_lowercase())), "{reply:?}");
        if !line.starts_with("HEAD") {
            reply.error(405);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_answer_is_an_error() {
    let served = Served::new();
    *served.fake.status.lock().unwrap() = Err(Failure::Unavailable("the database is busy".to_owned()));
    assert_eq!(served.ask("GET /v1/status", &[], "").await.error(503), "unavailable");
    *served.fake.status.lock().unwrap() = Ok(Value::Null);
    assert_eq!(served.ask("GET /v1/status", &[], "").await.error(500), "internal");
    assert_eq!(served.ask("GET /healthz", &[], "").await.status, 200);
}
