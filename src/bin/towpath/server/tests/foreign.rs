//! Requests of others: on TCP without a token, of pages in a browser, with another `Host`.

use super::*;

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_over_tcp_need_a_token_always() {
    let without = Served::with(Tcp::Local, Limits::default());
    assert_eq!(without.ask_tcp("GET /v1/status", &[], "").await.status, 200);
    assert_eq!(without.ask_tcp("POST /v1/stop", &[], "{}").await.error(403), "no_token_configured");
    assert_eq!(without.ask_tcp("POST /v1/stop", &[&bearer(TOKEN)], "{}").await.error(403), "no_token_configured");
    let with = Served::with(Tcp::LocalWithToken, Limits::default());
    assert_eq!(with.ask_tcp("GET /v1/status", &[], "").await.status, 200);
    for headers in [&[][..], &["Authorization: Basic 0123"], &["Authorization: Bearer"], &["Authorization: Bearer x"]] {
        let reply = with.ask_tcp("PUT /v1/limit", headers, "{\"rate\":\"off\"}").await;
        assert_eq!(reply.error(401), "unauthorized");
        assert!(reply.head.contains("www-authenticate: bearer"), "{reply:?}");
    }
    assert_eq!((without.asked(), with.asked()), (vec![], vec![]));
    let reply = with.ask_tcp("PUT /v1/limit", &[&bearer(TOKEN)], "{\"rate\":\"off\"}").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(with.asked()[0].ends_with(" by token holder at 127.0.0.1"));
    // The Unix socket needs none.
    assert_eq!(without.ask("POST /v1/stop", &[], "{}").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_reach_needs_a_token_for_all_but_the_page() {
    let served = Served::with(Tcp::Open, Limits::default());
    assert!(served.handle().notes()[0].contains("without encryption"), "{:?}", served.handle().notes());
    for route in ["/healthz", "/metrics", "/v1/status", "/v1/errors", "/v1/events", "/unknown"] {
        let line = format!("GET {route}");
        assert_eq!(served.ask_tcp(&line, &[], "").await.error(401), "unauthorized", "{route}");
        assert_eq!(served.ask_tcp(&line, &[&bearer("wrong")], "").await.error(401), "unauthorized", "{route}");
    }
    assert_eq!(served.ask_tcp("GET /v1/status", &[&bearer(TOKEN)], "").await.status, 200);
    let two = [&*bearer(TOKEN), &*bearer("wrong")];
    assert_eq!(served.ask_tcp("GET /v1/status", &two, "").await.error(400), "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_never_accepted() {
    let served = Served::with(Tcp::LocalWithToken, Limits::default());
    assert_eq!(served.ask_tcp("GET /healthz", &[&bearer("wrong")], "").await.error(401), "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_address_without_a_token_is_not_listened_to() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::new();
    let api = || Arc::clone(&served.fake) as Arc<dyn Api>;
    let options = |listen: &str, token_file: Option<PathBuf>| ServerOptions {
        database: folder.path().join("a.db"),
        listen: Some(listen.parse().unwrap()),
        token_file,
    };
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let problem = start(&options(listen, None), api()).unwrap_err();
        assert!(problem.contains("--listen-token-file"), "{problem}");
    }
    let missing = start(&options("127.0.0.1:0", Some(folder.path().join("missing"))), api()).unwrap_err();
    assert!(missing.contains("cannot read the token file"), "{missing}");
    let taken = served_port();
    let problem = start(&options(&taken.1, None), api()).unwrap_err();
    assert!(problem.contains("cannot listen to 127.0.0.1"), "{problem}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no socket is left");
}

fn served_port() -> (StdTcpListener, String) {
    let listener = StdTcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_another_name_is_rejected() {
    let served = Served::with(Tcp::Local, Limits::default());
    let port = served.port();
    for host in ["localhost", "LocalHost", "127.0.0.1", "[::1]"] {
        for host in [host.to_owned(), format!("{host}:{port}"), format!("{host}:80")] {
            let reply = served.ask_tcp("GET /v1/status", &[&format!("Host: {host}")], "").await;
            assert_eq!(reply.status, 200, "{host}");
        }
    }
    for host in
        ["evil.example", "evil.example:9464", "127.0.0.1.evil.example", "192.0.2.1", "localhost@evil.example", "["]
    {
        let reply = served.ask_tcp("GET /v1/status", &[&format!("Host: {host}")], "").await;
        assert_eq!(reply.error(421), "wrong_host", "{host}");
        assert_eq!(served.ask("GET /v1/status", &[&format!("Host: {host}")], "").await.status, 200, "{host}");
    }
    for headers in [&["Host!"][..], &["Host: localhost", "Host: localhost"], &["Host: evil.example", "Host: localhost"]]
    {
        assert_eq!(served.ask_tcp("GET /v1/status", headers, "").await.error(400), "invalid_request");
    }
    let absolute = served.ask_tcp("GET http://evil.example/v1/status", &[], "").await;
    assert_eq!(absolute.error(421), "wrong_host");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_alone_is_served_without_the_token() {
    let served = Served::with(Tcp::Open, Limits::default());
    let page = served.ask_tcp("GET /", &[], "").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.body, Served::new().ask("GET /", &[], "").await.body, "it has nothing of the run");
    for route in ["/v1/status", "/v1/history", "/v1/events", "/v1/errors", "/metrics", "/healthz", "//", "/?x"] {
        let reply = served.ask_tcp(&format!("GET {route}"), &[], "").await;
        assert!(reply.status == 401 || (route == "/?x" && reply.status == 400), "{route}: {reply:?}");
    }
    assert_eq!(served.ask_tcp("POST /", &[], "").await.error(401), "unauthorized");
    assert_eq!(served.ask_tcp("GET /", &[&bearer("x")], "").await.error(401), "unauthorized");
    assert_eq!(served.ask_tcp("GET /", &["Host: evil.example"], "").await.error(421), "wrong_host");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_address_knows_its_own_names() {
    let served = Served::with(Tcp::Open, Limits::default());
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for host in [name.trim(), "127.0.0.1", "0.0.0.0"] {
        let headers = [&*bearer(TOKEN), &*format!("Host: {host}:9464")];
        assert_eq!(served.ask_tcp("GET /v1/status", &headers, "").await.status, 200, "{host}");
    }
    let headers = [&*bearer(TOKEN), "Host: evil.example"];
    assert_eq!(served.ask_tcp("GET /v1/status", &headers, "").await.error(421), "wrong_host");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_are_not_served() {
    let served = Served::with(Tcp::LocalWithToken, Limits::default());
    let port = served.port();
    let (host, own) = (format!("Host: localhost:{port}"), format!("Origin: http://localhost:{port}"));
    let foreign = [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: http://localhost:1",
        "Origin: http://localhost",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ];
    for origin in foreign {
        for (line, body) in [("GET /v1/status", ""), ("POST /v1/stop", "{}")] {
            let headers = [&*host, &*bearer(TOKEN), origin];
            assert_eq!(served.ask_tcp(line, &headers, body).await.error(403), "cross_site", "{line} {origin}");
            assert_eq!(served.ask(line, &headers, body).await.error(403), "cross_site", "{line} {origin}");
        }
    }
    // A link to the page may be followed, which a form with a change may not.
    let link = [&*host, &*bearer(TOKEN), "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"];
    assert_eq!(served.ask_tcp("GET /", &link, "").await.status, 200);
    assert_eq!(served.ask_tcp("POST /v1/stop", &link, "{}").await.error(403), "cross_site");
    assert_eq!(served.asked(), [""; 0]);
    let own = [&*host, &*bearer(TOKEN), &*own, "Sec-Fetch-Site: same-origin"];
    assert_eq!(served.ask_tcp("POST /v1/resume", &own, "{}").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_ends_its_connection_alone() {
    let served = Served::with(Tcp::Local, short());
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v1/status HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /v1/status HTTP/1.0\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: \xff\r\nConnection: close\r\n\r\n",
    ] {
        let mut stream = served.tcp().await;
        stream.write_all(garbage).await.unwrap();
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.contains(" 4"), "{:?}: {answer}", String::from_utf8_lossy(garbage));
    }
    assert_eq!(served.ask_tcp("GET /healthz", &[], "").await.status, 200);
    assert_eq!(served.asked(), [""; 0]);
}
