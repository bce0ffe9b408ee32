//! What a connection may have in flight and open, and what waits for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use super::super::connection::Connection;
use super::super::failure::Failure;
use super::super::file_handle::Handle;
use super::super::in_flight::{MAX_HANDLES, MAX_REQUESTS};
use super::super::lost::Lost;
use super::super::wire::{Request, answer, request, status};
use super::server::{answer_with, connect, greet, packet, status, string};

/// A connection to a server that reads nothing after the greeting, and the server's end of it.
async fn to_a_server_that_stops_reading() -> (Arc<Connection>, DuplexStream) {
    let (ours, mut theirs) = tokio::io::duplex(256);
    let (connection, ()) = tokio::join!(connect(ours), greet(&mut theirs));
    (connection.unwrap(), theirs)
}

/// A connection to a server that answers by `answers` and leaves a request without an answer where that is `None`; and
/// the type of each request that it has read.
async fn to_a_server(
    answers: impl Fn(u8, &[u8]) -> Option<(u8, Vec<u8>)> + Send + 'static,
) -> (Arc<Connection>, mpsc::UnboundedReceiver<u8>) {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let (read, kinds) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        greet(&mut theirs).await;
        while let Some(packet) = packet(&mut theirs).await {
            let _test_may_be_over = read.send(packet[0]);
            if let Some((kind, body)) = answers(packet[0], &packet[5..]) {
                answer_with(&mut theirs, kind, &[&packet[1..5], &body].concat()).await;
            }
        }
    });
    (connect(ours).await.unwrap(), kinds)
}

fn lstat() -> Request {
    Request::about(request::LSTAT, b"/a/path/of/some/length")
}

fn open() -> Request {
    Request::about(request::OPEN, b"/file")
}

/// Whether a future has to wait, after it was polled once.
async fn waits<F: Future>(future: &mut Pin<Box<F>>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

/// A future that no budget of the runtime interrupts.
fn boxed<F: Future>(future: F) -> Pin<Box<tokio::task::coop::Unconstrained<F>>> {
    Box::pin(tokio::task::coop::unconstrained(future))
}

#[tokio::test]
async fn requests_wait_while_the_server_reads_none_and_fail_when_the_connection_ends() {
    let (connection, server) = to_a_server_that_stops_reading().await;
    let mut sent = Vec::new();
    for _ in 0..MAX_REQUESTS {
        sent.push(connection.send(lstat()).await);
    }
    let mut waiting: Vec<_> = (0..100).map(|_| boxed(connection.send(lstat()))).collect();
    let mut opening = boxed(Handle::open(&connection, open()));
    for request in &mut waiting {
        assert!(waits(request).await);
    }
    assert!(waits(&mut opening).await);
    assert_eq!(connection.in_flight().count(), MAX_REQUESTS);
    // A request is answered all the same when nobody waits for it: until then it counts.
    sent.truncate(1);
    assert!(waits(&mut waiting[0]).await);
    drop(server);
    let is_closed = |failure: &Failure| matches!(failure, Failure::Lost(Lost::Closed));
    assert!(is_closed(&sent.remove(0).done().await.unwrap_err()));
    for request in waiting {
        assert!(is_closed(&request.await.done().await.unwrap_err()));
    }
    assert!(is_closed(&opening.await.map(drop).unwrap_err()));
    assert!(is_closed(&connection.send(lstat()).await.done().await.unwrap_err()));
    assert_eq!(connection.in_flight().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_moves_fails_those_that_wait_for_a_permit() {
    let (connection, _server) = to_a_server_that_stops_reading().await;
    for _ in 0..MAX_REQUESTS {
        drop(connection.send(lstat()).await);
    }
    let failure = connection.send(lstat()).await.done().await.unwrap_err();
    assert!(matches!(failure, Failure::Lost(Lost::Stalled)), "{failure:?}");
}

#[tokio::test]
async fn an_answer_lets_the_next_request_go() {
    let (connection, mut kinds) = to_a_server(|_, _| Some(status(status::OK))).await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..4 * MAX_REQUESTS {
        let connection = Arc::clone(&connection);
        all.spawn(async move { connection.send(lstat()).await.done().await });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap().unwrap();
        assert!(connection.in_flight().count() <= MAX_REQUESTS);
    }
    assert_eq!((connection.in_flight().count(), kinds.len()), (0, 4 * MAX_REQUESTS));
    assert_eq!(kinds.try_recv(), Ok(request::LSTAT));
}

#[tokio::test]
async fn a_close_goes_out_while_every_request_permit_is_taken() {
    let (connection, mut kinds) = to_a_server(|kind, _| match kind {
        request::OPEN => Some((answer::HANDLE, string(b"handle"))),
        request::CLOSE => Some(status(status::OK)),
        _ => None,
    })
    .await;
    let (closed, dropped) = (Handle::open(&connection, open()).await.unwrap(), Handle::open(&connection, open()).await);
    let mut unanswered = Vec::new();
    for _ in 0..MAX_REQUESTS {
        unanswered.push(connection.send(lstat()).await);
    }
    let mut waiting = boxed(connection.send(lstat()));
    assert!(waits(&mut waiting).await);
    closed.close().done().await.unwrap();
    drop(dropped);
    let mut closes = 0;
    while closes < 2 {
        closes += usize::from(kinds.recv().await.unwrap() == request::CLOSE);
    }
    assert!(waits(&mut waiting).await);
}

#[tokio::test]
async fn no_more_files_are_open_than_may_be() {
    let (opened, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let (connection, _kinds) = to_a_server(move |kind, _| match kind {
        request::OPEN => {
            seen.fetch_max(opened.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            Some((answer::HANDLE, string(b"handle")))
        }
        request::CLOSE => {
            opened.fetch_sub(1, Ordering::Relaxed);
            Some(status(status::OK))
        }
        _ => Some(status(status::OK)),
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..MAX_HANDLES {
        held.push(Handle::open(&connection, open()).await.unwrap());
    }
    let mut next = boxed(Handle::open(&connection, open()));
    assert!(waits(&mut next).await);
    drop(held.pop());
    held.push(next.await.unwrap());
    drop(held);
    let mut all = tokio::task::JoinSet::new();
    for number in 0..10 * MAX_HANDLES {
        let connection = Arc::clone(&connection);
        all.spawn(async move {
            let handle = Handle::open(&connection, open()).await.unwrap();
            handle.send(request::READ, |request| request).await.done().await.unwrap();
            match number % 2 {
                0 => drop(handle),
                _ => handle.close().done().await.unwrap(),
            }
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    assert_eq!(most.load(Ordering::Relaxed), MAX_HANDLES);
}

#[tokio::test]
async fn an_open_that_fails_or_is_given_up_leaves_nothing_open() {
    let (count, opened) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let on_server = Arc::clone(&opened);
    let (connection, _kinds) = to_a_server(move |kind, _| match kind {
        request::OPEN if count.fetch_add(1, Ordering::Relaxed) % 2 == 0 => Some(status(status::PERMISSION_DENIED)),
        request::OPEN => {
            on_server.fetch_add(1, Ordering::Relaxed);
            Some((answer::HANDLE, string(b"handle")))
        }
        _ => {
            on_server.fetch_sub(1, Ordering::Relaxed);
            Some(status(status::OK))
        }
    })
    .await;
    for _ in 0..2 * MAX_HANDLES {
        // Given up after the answer arrived and before anyone saw it, used, and given up before the answer is there.
        let mut opening = boxed(Handle::open(&connection, open()));
        assert!(waits(&mut opening).await);
        while connection.in_flight().count() > 0 {
            tokio::task::yield_now().await;
        }
        drop(opening);
        drop(boxed(Handle::open(&connection, open())).await);
        let mut opening = boxed(Handle::open(&connection, open()));
        let _waits = waits(&mut opening).await;
    }
    let mut held = Vec::new();
    while held.len() < MAX_HANDLES {
        held.extend(Handle::open(&connection, open()).await);
    }
    assert_eq!(opened.load(Ordering::Relaxed), MAX_HANDLES);
}
