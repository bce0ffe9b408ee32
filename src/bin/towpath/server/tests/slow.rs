//! Clients that are slow, large or many: they end, the others are served, and the run goes on.

use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(20);

/// Reads until the server closes.
async fn rest(mut stream: impl AsyncRead + Unpin) -> String {
    let mut text = Vec::new();
    let _reset = timeout(SOON, stream.read_to_end(&mut text)).await.expect("the server closes the connection");
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_comes_byte_by_byte_is_not_waited_for() {
    let served = Served::with(Tcp::Local, short());
    let (mut read, mut write) = tokio::io::split(served.tcp().await);
    let dripping = tokio::spawn(async move {
        let header = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX-Drip: ".iter().chain([b'x'; 1000].iter());
        for byte in header {
            if write.write_all(&[*byte]).await.is_err() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    });
    let mut answer = Vec::new();
    let _reset = timeout(SOON, read.read_to_end(&mut answer)).await.expect("the server closes the connection");
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
    drop(read);
    assert!(dripping.await.unwrap());
    assert_eq!(served.ask_tcp("GET /v1/status", &[], "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed() {
    let served = Served::with(Tcp::Local, short());
    assert_eq!(rest(served.tcp().await).await, "");
    let mut used = served.unix().await;
    used.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(rest(used).await.ends_with("{\"status\":\"ok\"}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_an_error() {
    let served = Served::with(Tcp::No, short());
    let mut stream = served.unix().await;
    let head = "POST /v1/stop HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(Reply::parse(&rest(stream).await).error(408), "timeout");
    assert_eq!(served.asked(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_requests_are_errors() {
    let served = Served::new();
    let large = format!("{{\"until\":\"{}\"}}", "x".repeat(64 << 10));
    assert_eq!(served.ask("POST /v1/pause", &[], &large).await.error(413), "too_large");
    // Without a length that is known before.
    let mut stream = served.unix().await;
    let head =
        "POST /v1/pause HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let mut sent = 0;
    while sent < 100 && stream.write_all(chunk.as_bytes()).await.is_ok() {
        sent += 1;
    }
    assert_eq!(Reply::parse(&rest(stream).await).error(413), "too_large");
    let header = format!("X-Large: {}", "x".repeat(64 << 10));
    let reply = served.ask("GET /v1/status", &[&header], "").await;
    assert_eq!(reply.status, 431, "{reply:?}");
    let long = format!("GET /{}", "x".repeat(64 << 10));
    assert!(matches!(served.ask(&long, &[], "").await.status, 414 | 431));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_turned_away_and_do_not_close_the_unix_socket() {
    let served = Served::with(Tcp::Local, Limits { request_time: SOON, ..Limits::default() });
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(served.tcp().await);
    }
    let mut turned_away = 0;
    for stream in streams.drain(Limits::default().connections..) {
        let answer = rest(stream).await;
        assert_eq!(Reply::parse(&answer).error(503), "busy");
        turned_away += 1;
    }
    assert_eq!(turned_away, 36);
    assert_eq!(served.ask("GET /v1/status", &[], "").await.status, 200);
    drop(streams);
    let again = async {
        // The server notices the ends one after the other.
        while served.ask_tcp("GET /v1/status", &[], "").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_taken_is_given_up() {
    let served = Served::with(Tcp::No, Limits { connections: 1, ..short() });
    *served.fake.status.lock().unwrap() = Ok(json!({ "large": "x".repeat(8 << 20) }));
    let mut stream = served.unix().await;
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let again = async {
        while served.ask("GET /healthz", &[], "").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, again).await.expect("the place is free again");
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_hangs_is_not_waited_for() {
    let served = Served::with(Tcp::No, short());
    let fake = Arc::clone(&served.fake);
    let (held, hold) = (std::sync::mpsc::channel::<()>(), std::sync::mpsc::channel::<()>());
    let holder = std::thread::spawn(move || {
        let _status = fake.status.lock().unwrap();
        held.0.send(()).unwrap();
        let _released = hold.1.recv();
    });
    held.1.recv().unwrap();
    let reads = (0..Limits::default().reads + 4).map(|_| served.ask("GET /v1/status", &[], ""));
    for reply in futures(reads).await {
        assert_eq!(reply.error(503), "busy");
    }
    // Changes have places of their own.
    assert_eq!(served.ask("POST /v1/stop", &[], "{}").await.status, 200);
    drop(hold.0);
    holder.join().unwrap();
    assert_eq!(served.ask("GET /v1/status", &[], "").await.status, 200);
}

/// Waits for all, at the same time.
async fn futures<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pending: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, done) in &mut pending {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if pending.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pending.into_iter().filter_map(|(_, done)| done).collect()
}
