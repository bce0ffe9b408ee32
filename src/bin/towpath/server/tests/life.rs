//! Start and end of a server, and the client of the Unix socket.

use hyper::Method;
use tokio::time::timeout;

use super::client::{Answer, ClientError, change, get};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_client_finds_the_run_by_its_database() {
    let mut served = Served::new();
    let database = served.database();
    let Answer { status, body } = get(&database, "/v1/status").await.unwrap();
    assert_eq!((status.as_u16(), &body["state"]), (200, &json!("transferring")));
    let paused = change(&database, Method::POST, "/v1/pause", &json!({})).await.unwrap();
    assert_eq!((paused.status.as_u16(), &paused.body["state"]), (200, &json!("paused")));
    let wrong = change(&database, Method::POST, "/v1/pause", &json!({ "x": 1 })).await.unwrap();
    assert_eq!((wrong.status.as_u16(), &wrong.body["error"]["code"]), (400, &json!("invalid_request")));
    served.handle.take().unwrap().end().await;
    assert_eq!(get(&database, "/v1/status").await, Err(ClientError::NoRun));
    assert_eq!(get(&database.join("missing/a.db"), "/v1/status").await, Err(ClientError::NoRun));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_of_a_killed_run_is_no_run_and_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("a.db.sock")).unwrap());
    assert_eq!(get(&database, "/v1/status").await, Err(ClientError::NoRun));
    let served = Served::new();
    let options = ServerOptions { database: database.clone(), listen: None, token_file: None };
    let handle = start(&options, Arc::clone(&served.fake) as Arc<dyn Api>).unwrap();
    assert_eq!(handle.notes(), [""; 0]);
    assert_eq!(get(&database, "/healthz").await.unwrap().status, 200);
    // A second one does not take it away.
    let second = start(&options, Arc::clone(&served.fake) as Arc<dyn Api>).unwrap();
    assert!(second.socket().is_none() && second.notes()[0].contains("another run answers"), "{:?}", second.notes());
    drop(second);
    assert_eq!(get(&database, "/healthz").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_socket_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.db.sock"), "precious").unwrap();
    let served = Served::new();
    let options = ServerOptions { database: folder.path().join("a.db"), listen: None, token_file: None };
    let handle = start(&options, Arc::clone(&served.fake) as Arc<dyn Api>).unwrap();
    assert!(handle.notes()[0].contains("this run has no control socket"), "{:?}", handle.notes());
    handle.end().await;
    assert!(folder.path().join("a.db.sock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_no_client() {
    let mut served = Served::with(Tcp::Local, Limits { request_time: Duration::from_secs(600), ..Limits::default() });
    let (mut header, idle, mut body, mut stream) =
        (served.tcp().await, served.tcp().await, served.unix().await, served.unix().await);
    header.write_all(b"GET /v1/sta").await.unwrap();
    let head = "POST /v1/stop HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    body.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(served.ask_tcp("GET /v1/status", &[], "").await.status, 200);
    let socket = served.handle().socket().unwrap().to_owned();
    timeout(Duration::from_secs(10), served.handle.take().unwrap().end()).await.expect("it ends");
    assert!(!socket.exists());
    drop((header, idle, body, stream));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_server_ends() {
    let mut served = Served::with(Tcp::Local, Limits::default());
    let (tracker, socket) = (served.handle().tracker.clone(), served.handle().socket().unwrap().to_owned());
    drop(served.handle.take());
    tracker.close();
    timeout(Duration::from_secs(10), tracker.wait()).await.expect("it ends");
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_serve_several_requests() {
    let served = Served::new();
    let mut stream = served.unix().await;
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut text = String::new();
        while !text.ends_with('}') {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).await.unwrap();
            text += std::str::from_utf8(&buffer[..count]).unwrap();
        }
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    }
}
