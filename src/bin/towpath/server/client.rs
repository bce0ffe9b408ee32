//! Asks a run by its Unix socket.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::process::geteuid;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::task::block_in_place;
use tokio::time::timeout;

use super::socket::socket_paths;
use super::starting::Starting;
use crate::format::escape;

/// How long an answer is waited for: a change takes effect within a second.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a run that is starting is waited for.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked for.
const START_INTERVAL: Duration = Duration::from_millis(50);
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// What a run answered.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

/// Why there is no answer.
#[derive(Debug, PartialEq)]
pub(crate) enum ClientError {
    /// No run uses the database.
    NoRun,
    /// A run has begun, and does not listen yet.
    Starting,
    /// One line: a run may exist, and cannot be asked.
    Failed(String),
}

/// Reads a route of the run that uses a database.
///
/// # Errors
/// No run answers, or it cannot be asked. An answer that reports an error is an answer.
pub(crate) async fn get(database: &Path, route: &str) -> Result<Answer, ClientError> {
    ask(database, Method::GET, route, None).await
}

/// Asks the run that uses a database for a change.
///
/// # Errors
/// As [`get`].
pub(crate) async fn change(
    database: &Path,
    method: Method,
    route: &str,
    request: &Value,
) -> Result<Answer, ClientError> {
    ask(database, method, route, Some(request)).await
}

async fn ask(database: &Path, method: Method, route: &str, request: Option<&Value>) -> Result<Answer, ClientError> {
    let stream = connect_once_started(database).await?;
    let failed = |error: String| ClientError::Failed(format!("ask the run for {route}: {error}"));
    match timeout(PATIENCE, exchange(stream, method, route, request)).await {
        Ok(answer) => answer.map_err(failed),
        Err(_) => Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

/// Connects to a run; waits for one that is starting.
async fn connect_once_started(database: &Path) -> Result<UnixStream, ClientError> {
    let began = Instant::now();
    loop {
        // In this order: a run listens before it is no longer starting.
        let is_starting = block_in_place(|| Starting::is_announced(database));
        match connect(database).await {
            Err(ClientError::NoRun) if !is_starting => return Err(ClientError::NoRun),
            Err(ClientError::NoRun) if began.elapsed() >= START_PATIENCE => return Err(ClientError::Starting),
            Err(ClientError::NoRun) => tokio::time::sleep(START_INTERVAL).await,
            connected => return connected,
        }
    }
}

/// Connects to the first socket at which a run of a trusted user answers.
async fn connect(database: &Path) -> Result<UnixStream, ClientError> {
    for path in socket_paths(database) {
        let failed = |problem: String| {
            let shown = escape(path.as_os_str().as_bytes());
            ClientError::Failed(format!("connect to the control socket {shown}: {problem}"))
        };
        let stream = match timeout(PATIENCE, UnixStream::connect(&path)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if is_absence(&error) => continue,
            Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(failed("it belongs to another user: run this as that user or as root".to_owned()));
            }
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("the run accepts no connections".to_owned())),
        };
        let (owner, me) = (stream.peer_cred().map_err(|error| failed(error.to_string()))?.uid(), geteuid().as_raw());
        // Root may ask everybody's run; nobody else is answered by a stranger.
        if owner != me && owner != 0 && me != 0 {
            return Err(failed(format!("the process behind it is of user {owner}, not of user {me}")));
        }
        return Ok(stream);
    }
    Err(ClientError::NoRun)
}

/// Whether nothing listens: there is no such file, or only that of a killed run.
fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | ConnectionRefused)
}

async fn exchange(stream: UnixStream, method: Method, route: &str, request: Option<&Value>) -> Result<Answer, String> {
    let shown = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(shown)?;
    // Ends with the sender.
    tokio::spawn(connection);
    let content = request.map(|request| Bytes::from(request.to_string())).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(route)
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(content))
        .map_err(|error| error.to_string())?;
    let (head, content) = sender.send_request(request).await.map_err(shown)?.into_parts();
    let content = Limited::new(content, MAX_ANSWER_BYTES).collect().await.map_err(|error| error.to_string())?;
    let body =
        serde_json::from_slice(&content.to_bytes()).map_err(|error| format!("the answer is not JSON: {error}"))?;
    Ok(Answer { status: head.status, body })
}
