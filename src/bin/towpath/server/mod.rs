//! The control server of a run: HTTP/1.1 with JSON on a Unix socket beside the database and, on request, on TCP. It
//! knows no migration: it serves the trait [`Api`].
//!
//! Nothing here can hold up the run: each connection has a task, calls of the run have blocking threads, everything has
//! a bound in number, size and time, and events are dropped for clients that do not take them.

mod access;
mod answer;
mod api;
pub(crate) mod client;
mod events;
mod limits;
mod listener;
mod page;
mod request;
mod router;
mod socket;
mod stalling;
mod starting;
#[cfg(test)]
pub(crate) mod tests;
mod token;

use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use access::Access;
pub(crate) use api::{Api, ErrorsPage, ErrorsRequest, Failure, LimitChange, Requester, Steered, Stop};
pub(crate) use events::EventFeed;
use limits::Limits;
use listener::{Listener, Tasks, listen};
use router::Router;
use socket::BoundSocket;
pub(crate) use socket::socket_files;
pub(crate) use starting::Starting;
use token::Token;

/// Where to listen.
#[derive(Clone, Debug)]
pub(crate) struct ServerOptions {
    /// The Unix socket is beside it.
    pub(crate) database: PathBuf,
    /// `--listen`
    pub(crate) listen: Option<SocketAddr>,
    /// `--listen-token-file`
    pub(crate) token_file: Option<PathBuf>,
}

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct ServerHandle {
    socket: Option<BoundSocket>,
    tcp: Option<SocketAddr>,
    notes: Vec<String>,
    tracker: TaskTracker,
    end: CancellationToken,
}

/// Starts a server in the current runtime, which has several threads.
///
/// # Errors
/// One line: the address or the token file of TCP cannot be used. A run does without a Unix socket: why is a note.
pub(crate) fn start(options: &ServerOptions, api: Arc<dyn Api>) -> Result<ServerHandle, String> {
    start_with(options, api, Limits::default())
}

fn start_with(options: &ServerOptions, api: Arc<dyn Api>, limits: Limits) -> Result<ServerHandle, String> {
    let mut handle = ServerHandle {
        socket: None,
        tcp: None,
        notes: Vec::new(),
        tracker: TaskTracker::new(),
        end: CancellationToken::new(),
    };
    if let Some(address) = options.listen {
        let (listener, access) = block_in_place(|| bind_tcp(address, options.token_file.as_deref()))?;
        handle.tcp = Some(access.listen);
        handle.notes.extend(access.note());
        handle.spawn(Listener::Tcp(listener), Some(access), Arc::clone(&api), limits);
    }
    match block_in_place(|| bind_unix(&options.database)) {
        Ok((socket, listener)) => {
            handle.socket = Some(socket);
            handle.spawn(Listener::Unix(listener), None, api, limits);
        }
        Err(problem) => handle.notes.push(format!("this run has no control socket: {problem}")),
    }
    Ok(handle)
}

fn bind_unix(database: &Path) -> Result<(BoundSocket, UnixListener), String> {
    let socket = BoundSocket::create(database)?;
    let listener = socket.listener.try_clone().and_then(UnixListener::from_std).map_err(|error| error.to_string())?;
    Ok((socket, listener))
}

fn bind_tcp(address: SocketAddr, token_file: Option<&Path>) -> Result<(TcpListener, Access), String> {
    let token = token_file.map(Token::read).transpose()?;
    if token.is_none() && !address.ip().to_canonical().is_loopback() {
        return Err(format!(
            "--listen {address}: other machines could connect: give --listen-token-file, or listen to 127.0.0.1"
        ));
    }
    let failed = |error: std::io::Error| format!("cannot listen to {address}: {error}");
    let listener = StdTcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    let listen = listener.local_addr().map_err(failed)?;
    let host_name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    Ok((listener, Access { listen, token, host_name }))
}

impl ServerHandle {
    /// The path of the Unix socket, if there is one.
    #[cfg(test)]
    pub(crate) fn socket(&self) -> Option<&Path> {
        self.socket.as_ref().map(|socket| socket.path.as_path())
    }

    /// The address of the TCP listener, if there is one.
    pub(crate) fn tcp(&self) -> Option<SocketAddr> {
        self.tcp
    }

    /// What the user should know: one line each.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    fn spawn(&self, listener: Listener, access: Option<Access>, api: Arc<dyn Api>, limits: Limits) {
        let router = Arc::new(Router::new(api, access, limits, self.end.clone()));
        let tasks = Tasks { router, limits, tracker: self.tracker.clone(), end: self.end.clone() };
        self.tracker.spawn(listen(listener, tasks));
    }

    /// Ends the server: no new connections, a moment for answers that are being sent.
    pub(crate) async fn end(mut self) {
        drop(self.socket.take());
        self.end.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.end.cancel();
    }
}
