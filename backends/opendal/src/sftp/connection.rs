//! One connection: requests go out in their order, and each answer finds its request.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter};
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use towpath_backend::Bytes;

use super::failure::Failure;
use super::ssh::Target;
use super::wire::{Answer, FSYNC, Fields, Request, answer, request, status};

/// How long a connection may stand still while an answer is due.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest answer that is taken: servers send no more than 256 KiB.
const MOST_BYTES: u32 = 1 << 20;
/// How much of what `ssh` says is kept, for the error.
const SAID_BYTES: u64 = 4096;

/// A connection, over which any number of requests travel at a time.
pub(super) struct Connection {
    requests: mpsc::UnboundedSender<Vec<u8>>,
    shared: Arc<Shared>,
    extensions: HashSet<String>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("extensions", &self.extensions).finish_non_exhaustive()
    }
}

/// What the connection and its tasks share.
struct Shared {
    waiting: Mutex<Waiting>,
    /// When bytes last went out or came in.
    moved: Mutex<Instant>,
}

#[derive(Default)]
struct Waiting {
    last_number: u32,
    answers: HashMap<u32, oneshot::Sender<Answer>>,
    /// Why there will be no answers any more.
    ended: Option<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn moved(&self) {
        *lock(&self.moved) = Instant::now();
    }

    fn end(&self, reason: impl Into<String>) {
        let mut waiting = lock(&self.waiting);
        waiting.ended.get_or_insert_with(|| reason.into());
        // Whoever waits for one of them hears that there is none.
        waiting.answers.clear();
    }

    fn ended(&self) -> Option<String> {
        lock(&self.waiting).ended.clone()
    }
}

impl Connection {
    /// Starts `ssh`, and waits until the server has said what it is.
    pub(super) async fn open(target: &Target) -> Result<Self, Failure> {
        let mut child = target
            .command()
            .spawn()
            .map_err(|error| Failure::Lost(format!("the program `ssh` cannot be started: {error}")))?;
        let (Some(output), Some(input)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(Failure::Lost("ssh has no standard input and output".to_owned()));
        };
        let said = tokio::spawn(listen(child.stderr.take()));
        Self::over(output, input, Some((child, said))).await
    }

    /// A connection over any two ways.
    pub(super) async fn over(
        mut output: impl AsyncRead + Unpin + Send + 'static,
        mut input: impl AsyncWrite + Unpin + Send + 'static,
        ssh: Option<(Child, JoinHandle<String>)>,
    ) -> Result<Self, Failure> {
        let greeted = timeout(STALL_TIMEOUT, greet(&mut output, &mut input)).await;
        let extensions = match greeted {
            Ok(Ok(extensions)) => extensions,
            Ok(Err(reason)) => return Err(Failure::Lost(why(reason, ssh).await)),
            Err(_elapsed) => return Err(Failure::Lost(format!("no greeting within {} s", STALL_TIMEOUT.as_secs()))),
        };
        let shared = Arc::new(Shared { waiting: Mutex::default(), moved: Mutex::new(Instant::now()) });
        let (requests, queue) = mpsc::unbounded_channel();
        tokio::spawn(send(input, queue, Arc::clone(&shared)));
        tokio::spawn(receive(output, requests.downgrade(), Arc::clone(&shared), ssh));
        Ok(Self { requests, shared, extensions })
    }

    pub(super) fn has(&self, extension: &str) -> bool {
        self.extensions.contains(extension)
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.shared.waiting).ended.is_some()
    }

    /// Sends a request, behind those before it. The answer is waited for separately.
    pub(super) fn send(&self, request: Request) -> Pending {
        let (sender, answer) = oneshot::channel();
        let mut waiting = lock(&self.shared.waiting);
        if waiting.ended.is_none() {
            waiting.last_number = waiting.last_number.wrapping_add(1);
            let number = waiting.last_number;
            waiting.answers.insert(number, sender);
            // Waiting requests fail when the connection is lost.
            let _queued = self.requests.send(request.numbered(number));
        }
        drop(waiting);
        Pending { answer, shared: Arc::clone(&self.shared) }
    }

    /// Opens a file or a directory, and keeps the handle until it is dropped.
    pub(super) async fn handle(self: &Arc<Self>, request: Request) -> Result<Handle, Failure> {
        match self.send(request).answer().await? {
            Answer::Handle(bytes) => Ok(Handle { connection: Arc::clone(self), bytes, closed: false }),
            _ => Err(Failure::malformed()),
        }
    }
}

/// An answer that is not there yet. Dropping it gives it up, and does no harm.
#[derive(Debug)]
pub(super) struct Pending {
    answer: oneshot::Receiver<Answer>,
    shared: Arc<Shared>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl Pending {
    /// The answer, if it is not that the server refuses.
    pub(super) async fn answer(mut self) -> Result<Answer, Failure> {
        loop {
            match timeout(STALL_TIMEOUT, &mut self.answer).await {
                Ok(Ok(Answer::Status { code, text })) if code != status::OK => {
                    return Err(Failure::Refused { code, text });
                }
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(_dropped)) => {
                    let reason = self.shared.ended().unwrap_or_else(|| "the connection is over".to_owned());
                    return Err(Failure::Lost(reason));
                }
                // Under a low limit much may be queued before it; as long as something moves, all is well.
                Err(_elapsed) if lock(&self.shared.moved).elapsed() < STALL_TIMEOUT => {}
                Err(_elapsed) => self.shared.end(format!("nothing moved for {} s", STALL_TIMEOUT.as_secs())),
            }
        }
    }

    /// That it was done.
    pub(super) async fn done(self) -> Result<(), Failure> {
        match self.answer().await? {
            Answer::Status { .. } => Ok(()),
            _ => Err(Failure::malformed()),
        }
    }

    pub(super) async fn attributes(self) -> Result<super::wire::Attributes, Failure> {
        match self.answer().await? {
            Answer::Attributes(attributes) => Ok(attributes),
            _ => Err(Failure::malformed()),
        }
    }

    /// Names, or `None` at the end of a directory.
    pub(super) async fn names(self) -> Result<Option<Vec<super::wire::Name>>, Failure> {
        match self.answer().await {
            Ok(Answer::Names(names)) => Ok(Some(names)),
            Ok(_) => Err(Failure::malformed()),
            Err(Failure::Refused { code: status::EOF, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Bytes, or none at the end of a file.
    pub(super) async fn data(self) -> Result<Bytes, Failure> {
        match self.answer().await {
            Ok(Answer::Data(data)) => Ok(data),
            Ok(_) => Err(Failure::malformed()),
            Err(Failure::Refused { code: status::EOF, .. }) => Ok(Bytes::new()),
            Err(failure) => Err(failure),
        }
    }
}

/// A file or directory that the server has open. It is closed when it is dropped.
#[derive(Debug)]
pub(super) struct Handle {
    connection: Arc<Connection>,
    bytes: Bytes,
    closed: bool,
}

impl Handle {
    /// Sends a request that begins with the handle.
    pub(super) fn send(&self, kind: u8, rest: impl FnOnce(Request) -> Request) -> Pending {
        self.connection.send(rest(Request::about(kind, &self.bytes)))
    }

    /// Forces what was written to the server's disk; `None` if the server has no such request.
    pub(super) fn sync(&self) -> Option<Pending> {
        let asked = Request::extended(FSYNC).string(&self.bytes);
        self.connection.has(FSYNC).then(|| self.connection.send(asked))
    }

    /// Closes it. The server may say only now what went wrong.
    pub(super) fn close(mut self) -> Pending {
        self.closed = true;
        self.send(request::CLOSE, |request| request)
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.closed {
            drop(self.send(request::CLOSE, |request| request));
        }
    }
}

/// Says what version is spoken, and hears which extensions there are.
async fn greet(
    output: &mut (impl AsyncRead + Unpin),
    input: &mut (impl AsyncWrite + Unpin),
) -> Result<HashSet<String>, String> {
    let lost = |error: std::io::Error| error.to_string();
    input.write_all(&Request::hello()).await.map_err(lost)?;
    input.flush().await.map_err(lost)?;
    let mut fields = Fields::of(packet(output).await?);
    let (Ok(answer::VERSION), Ok(_version)) = (fields.u8(), fields.u32()) else {
        return Err("the server does not speak SFTP version 3".to_owned());
    };
    let mut extensions = HashSet::new();
    while !fields.is_empty() {
        let (Ok(name), Ok(_version)) = (fields.string(), fields.string()) else { break };
        extensions.insert(String::from_utf8_lossy(&name).into_owned());
    }
    Ok(extensions)
}

/// The next packet, without its length.
async fn packet(output: &mut (impl AsyncRead + Unpin)) -> Result<Bytes, String> {
    let length = output.read_u32().await.map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        _ => error.to_string(),
    })?;
    if length > MOST_BYTES {
        return Err("the server does not speak SFTP (does its shell print something at login?)".to_owned());
    }
    let mut packet = vec![0; length as usize];
    output.read_exact(&mut packet).await.map_err(|error| error.to_string())?;
    Ok(packet.into())
}

/// Sends requests until there are no more to come.
async fn send(input: impl AsyncWrite + Unpin, mut queue: mpsc::UnboundedReceiver<Vec<u8>>, shared: Arc<Shared>) {
    let mut input = BufWriter::with_capacity(64 << 10, input);
    while let Some(request) = queue.recv().await {
        let mut sent = input.write_all(&request).await;
        while let (Ok(()), Ok(request)) = (&sent, queue.try_recv()) {
            sent = input.write_all(&request).await;
            shared.moved();
        }
        if sent.is_ok() {
            sent = input.flush().await;
        }
        match sent {
            Ok(()) => shared.moved(),
            // The other direction knows why.
            Err(_broken) => return,
        }
    }
}

/// Hands answers out until the connection ends.
async fn receive(
    mut output: impl AsyncRead + Unpin,
    requests: mpsc::WeakUnboundedSender<Vec<u8>>,
    shared: Arc<Shared>,
    ssh: Option<(Child, JoinHandle<String>)>,
) {
    let reason = loop {
        let packet = match packet(&mut output).await {
            Ok(packet) => packet,
            Err(reason) => break reason,
        };
        shared.moved();
        let Ok((number, answer)) = Answer::parse(packet) else { break "the server's answer is malformed".to_owned() };
        let waiting = lock(&shared.waiting).answers.remove(&number);
        // What was opened for someone who does not wait any more would stay open.
        if let Some(Err(Answer::Handle(handle))) = waiting.map(|waiting| waiting.send(answer))
            && let Some(requests) = requests.upgrade()
        {
            let _queued = requests.send(Request::about(request::CLOSE, &handle).numbered(0));
        }
    };
    let reason = why(reason, ssh).await;
    shared.end(reason);
}

/// Why there is no connection: what `ssh` says of it, if it says something.
async fn why(reason: String, ssh: Option<(Child, JoinHandle<String>)>) -> String {
    let Some((mut child, said)) = ssh else { return reason };
    let said = timeout(Duration::from_secs(2), said).await;
    let _gone = child.start_kill();
    match said {
        Ok(Ok(said)) if !said.is_empty() => format!("ssh: {said}"),
        _ => reason,
    }
}

/// Keeps what `ssh` says, on one line.
async fn listen(errors: Option<tokio::process::ChildStderr>) -> String {
    let Some(mut errors) = errors else { return String::new() };
    let mut said = Vec::new();
    let _best_effort = (&mut errors).take(SAID_BYTES).read_to_end(&mut said).await;
    let _nobody_waits = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
    let said = String::from_utf8_lossy(&said);
    // `ssh: connect to host …`: who says it is added by the reader of this text.
    let lines = said.lines().map(|line| line.trim().trim_start_matches("ssh: ")).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.collect();
    lines.join("; ")
}
