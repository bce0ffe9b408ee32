//! The stream of events.

use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(20);

/// A client of the stream.
struct Client<S> {
    stream: S,
    text: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn new(stream: S) -> Self {
        Self::with(stream, "").await
    }

    async fn with(mut stream: S, query: &str) -> Self {
        let request = format!("GET /v1/events{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        Self { stream, text: String::new() }
    }

    /// Reads until the stream has a text.
    async fn until(&mut self, expected: &str) {
        let reading = async {
            let mut buffer = vec![0; 64 << 10];
            while !self.text.contains(expected) {
                let count = self.stream.read(&mut buffer).await.unwrap();
                assert!(count > 0, "ended without {expected}");
                self.text += std::str::from_utf8(&buffer[..count]).unwrap();
            }
        };
        timeout(SOON, reading).await.unwrap_or_else(|_| panic!("no {expected}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_the_status_has_all_events_and_ends_with_the_run() {
    let mut served = Served::new();
    served.fake.feed.publish("unseen", || panic!("nobody listens"));
    let mut client = Client::new(served.unix().await).await;
    client.until("event: status\ndata: {\"state\":\"transferring\",\"files\":{\"total\":3}}\n\n").await;
    assert!(client.text.contains("content-type: text/event-stream"), "{}", client.text);
    for number in 0..3 {
        served.fake.feed.publish("failed", || json!({ "path": format!("a\n{number}") }));
    }
    client.until("event: failed\ndata: {\"path\":\"a\\n2\"}\n\n").await;
    assert_eq!(client.text.matches("event: failed").count(), 3);
    served.handle.take().unwrap().end().await;
    client.until("event: end\ndata: {}\n\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_ask_for_the_status_alone() {
    let mut served = Served::new();
    let mut client = Client::with(served.unix().await, "?only=status").await;
    client.until("event: status").await;
    for number in 0..5000 {
        served.fake.feed.publish("failed", || json!({ "number": number }));
    }
    served.fake.feed.publish("status", || json!({ "state": "finished" }));
    client.until("event: status\ndata: {\"state\":\"finished\"}\n\n").await;
    served.handle.take().unwrap().end().await;
    client.until("event: end\ndata: {}\n\n").await;
    assert!(!client.text.contains("failed") && !client.text.contains("lost"), "{}", client.text);
    for query in ["only=", "only=Status", "only=a%20b", "x=1", "only=status&x=1"] {
        let reply = Served::new().ask(&format!("GET /v1/events?{query}"), &[], "").await;
        assert_eq!(reply.error(400), "invalid_request", "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_has_signs_of_life() {
    let limits = Limits { keep_alive: Duration::from_millis(20), ..Limits::default() };
    let served = Served::with(Tcp::No, limits);
    let mut client = Client::new(served.unix().await).await;
    client.until(": alive\n\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_too_slow_learns_how_many_events_it_lost() {
    let served = Served::new();
    let mut slow = Client::new(served.unix().await).await;
    slow.until("event: status").await;
    let text = "x".repeat(512);
    for number in 0..10_000 {
        served.fake.feed.publish("sent", || json!({ "number": number, "text": text }));
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    slow.until("event: lost\ndata: {\"count\":").await;
    slow.until("{\"number\":9999,").await;
    let lost: usize = slow
        .text
        .split("event: lost\ndata: {\"count\":")
        .skip(1)
        .map(|rest| rest.split_once('}').unwrap().0.parse::<usize>().unwrap())
        .sum();
    assert_eq!(lost + slow.text.matches("event: sent\n").count(), 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_cut_off() {
    let served = Served::with(Tcp::No, short());
    let mut stalled = Client::new(served.unix().await).await;
    stalled.until("event: status").await;
    let text = "x".repeat(4 << 10);
    let cut_off = async {
        while served.fake.feed.listeners() > 0 {
            served.fake.feed.publish("sent", || json!({ "text": text }));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, cut_off).await.expect("the connection ends");
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_leave_places_for_requests() {
    let served = Served::with(Tcp::No, Limits { streams: 2, connections: 3, ..Limits::default() });
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::new(served.unix().await).await;
        client.until("event: status").await;
        clients.push(client);
    }
    assert_eq!(served.ask("GET /v1/events", &[], "").await.error(503), "busy");
    assert_eq!(served.ask("GET /v1/status", &[], "").await.status, 200);
    drop(clients);
}
