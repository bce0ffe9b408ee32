//! Accepts connections, and serves each in a task of its own.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::TcpStream as StdTcpStream;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access::Peer;
use super::answer::Refusal;
use super::limits::Limits;
use super::router::Router;
use super::stalling::Stalling;

/// After an error, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(super) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Unix(listener) => {
                let (stream, _unnamed) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                Ok((Stream::Unix(stream), Peer::Unix { uid }))
            }
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                let to = stream.local_addr()?;
                Ok((Stream::Tcp(stream), Peer::Tcp { from, to }))
            }
        }
    }
}

/// The listener's tasks.
pub(super) struct Tasks {
    pub(super) router: Arc<Router>,
    pub(super) limits: Limits,
    pub(super) tracker: TaskTracker,
    pub(super) end: CancellationToken,
}

/// Accepts connections until the run ends.
pub(super) async fn listen(listener: Listener, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(tasks.limits.connections));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = tasks.end.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "accept a connection");
                sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            turn_away(stream);
            continue;
        };
        let (router, limits, end) = (Arc::clone(&tasks.router), tasks.limits, tasks.end.clone());
        tasks.tracker.spawn(async move {
            let _place = place;
            match stream {
                Stream::Unix(stream) => serve(stream, peer, router, limits, end).await,
                Stream::Tcp(stream) => serve(stream, peer, router, limits, end).await,
            }
        });
    }
}

/// Answers a connection without a place, if its socket takes the answer at once.
fn turn_away(stream: Stream) {
    let text = Refusal::busy("too many connections").to_text();
    let _unread = match stream {
        Stream::Unix(stream) => {
            stream.into_std().and_then(|mut stream: StdUnixStream| stream.write_all(text.as_bytes()))
        }
        Stream::Tcp(stream) => stream.into_std().and_then(|mut stream: StdTcpStream| stream.write_all(text.as_bytes())),
    };
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: Arc<Router>,
    limits: Limits,
    end: CancellationToken,
) {
    let service = service_fn(|request| {
        let router = Arc::clone(&router);
        async move { Ok::<_, Infallible>(router.serve(request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request_time)
        .max_buf_size(limits.header_bytes)
        .serve_connection(TokioIo::new(Stalling::new(stream, limits.write_time)), service);
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = end.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(limits.grace, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, ?peer, "serve a connection");
    }
}
