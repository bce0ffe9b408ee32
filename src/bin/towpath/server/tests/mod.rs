//! Tests: a run that is a fake, and real sockets.

mod events;
mod foreign;
mod life;
mod routes;
mod slow;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::*;
use crate::metrics::{Figures, Kind, Metric};
use crate::status::history::Window;
use crate::steering::{InForce, Pause, SetBy};
use crate::timetable::Rate;

const TOKEN: &str = "0123456789abcdef0123";

static SENT: Metric =
    Metric { kind: Kind::Counter, stem: "sent", unit: Some("bytes"), labels: &[], help: "Bytes sent" };

/// A run that remembers what it was asked.
pub(crate) struct Fake {
    feed: EventFeed,
    pub(crate) asked: Mutex<Vec<String>>,
    force: Mutex<Steered>,
    status: Mutex<Result<Value, Failure>>,
}

impl Fake {
    fn ask(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

impl Api for Fake {
    fn status(&self) -> Result<Value, Failure> {
        let status = self.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*status {
            Ok(Value::Null) => panic!("a bug of the run"),
            status => status.clone(),
        }
    }

    fn errors(&self, request: &ErrorsRequest) -> Result<ErrorsPage, Failure> {
        match &request.after {
            Some(after) if after != "7" => Err(Failure::Invalid(format!("after {after} is unknown"))),
            Some(_) => Ok(ErrorsPage::default()),
            None => Ok(ErrorsPage {
                errors: vec![json!({ "path": "a/b", "status": "failed" }); request.limit.min(3)],
                next: Some("7".to_owned()),
            }),
        }
    }

    fn history(&self, window: Window) -> Result<Value, Failure> {
        Ok(json!({ "window": window }))
    }

    fn metrics(&self) -> Result<Figures, Failure> {
        let mut figures = Figures::default();
        figures.add(&SENT, 7_u64);
        Ok(figures)
    }

    fn events(&self) -> EventFeed {
        self.feed.clone()
    }

    fn steered(&self) -> Steered {
        self.force.lock().unwrap().clone()
    }

    fn pause(&self, until: Option<jiff::Timestamp>, by: &Requester) -> Result<(), Failure> {
        self.ask(format!("pause until {until:?} by {by}"));
        let since = "2026-12-24T12:00:00Z".parse().unwrap();
        self.force.lock().unwrap().in_force.pause = Some(Pause { since, until, by: by.to_string() });
        Ok(())
    }

    fn resume(&self, by: &Requester) -> Result<(), Failure> {
        self.ask(format!("resume by {by}"));
        self.force.lock().unwrap().in_force.pause = None;
        Ok(())
    }

    fn stop(&self, after_current: bool, by: &Requester) -> Result<(), Failure> {
        self.ask(format!("stop {after_current} by {by}"));
        let mut force = self.force.lock().unwrap();
        if force.stop.is_some() {
            return Err(Failure::Conflict("the run is stopping already".to_owned()));
        }
        force.stop = Some(Stop { after_current, by: by.to_string() });
        Ok(())
    }

    fn limit(&self, change: &LimitChange, by: &Requester) -> Result<(), Failure> {
        self.ask(format!("limit {change:?} by {by}"));
        let mut force = self.force.lock().unwrap();
        let force = &mut force.in_force;
        (force.rate, force.set_by, force.until) = match *change {
            LimitChange::Set { rate, until } => (rate, SetBy::Control, until),
            LimitChange::Reset => (Rate::Off, SetBy::Option, None),
        };
        Ok(())
    }
}

/// A server on real sockets.
pub(crate) struct Served {
    folder: tempfile::TempDir,
    pub(crate) fake: Arc<Fake>,
    handle: Option<ServerHandle>,
}

/// Where to listen on TCP.
#[derive(Clone, Copy)]
enum Tcp {
    No,
    Local,
    LocalWithToken,
    /// All addresses, with a token.
    Open,
}

impl Served {
    pub(crate) fn new() -> Self {
        Self::with(Tcp::No, Limits::default())
    }

    fn with(tcp: Tcp, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let force = InForce { rate: Rate::Off, set_by: SetBy::Option, until: None, next: None, pause: None };
        let force = Steered { in_force: force, stop: None };
        let fake = Arc::new(Fake {
            feed: EventFeed::new(),
            asked: Mutex::default(),
            force: Mutex::new(force),
            status: Mutex::new(Ok(json!({ "state": "transferring", "files": { "total": 3 } }))),
        });
        let token_file = folder.path().join("token");
        private_file(&token_file, TOKEN);
        let options = ServerOptions {
            database: folder.path().join("a.db"),
            listen: match tcp {
                Tcp::No => None,
                Tcp::Local | Tcp::LocalWithToken => Some(([127, 0, 0, 1], 0).into()),
                Tcp::Open => Some(([0, 0, 0, 0], 0).into()),
            },
            token_file: matches!(tcp, Tcp::LocalWithToken | Tcp::Open).then_some(token_file),
        };
        let handle = start_with(&options, Arc::clone(&fake) as Arc<dyn Api>, limits).unwrap();
        Self { folder, fake, handle: Some(handle) }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    fn handle(&self) -> &ServerHandle {
        self.handle.as_ref().unwrap()
    }

    async fn unix(&self) -> UnixStream {
        UnixStream::connect(self.handle().socket().unwrap()).await.unwrap()
    }

    fn port(&self) -> u16 {
        self.handle().tcp().unwrap().port()
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port())).await.unwrap()
    }

    /// Sends a request with these further header lines over the Unix socket.
    async fn ask(&self, line: &str, headers: &[&str], body: &str) -> Reply {
        exchange(self.unix().await, line, headers, body).await
    }

    /// As [`Served::ask`], over TCP.
    async fn ask_tcp(&self, line: &str, headers: &[&str], body: &str) -> Reply {
        exchange(self.tcp().await, line, headers, body).await
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.fake.asked.lock().unwrap())
    }
}

/// This user, as the log names it.
pub(crate) fn this_user() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let name = nix::unistd::User::from_uid(uid.into()).unwrap().map(|user| user.name);
    name.map_or_else(|| format!("uid {uid}"), |name| format!("user {name} (uid {uid})"))
}

fn private_file(path: &Path, content: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// An answer.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self { status: status.unwrap(), head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn json(&self) -> Value {
        assert!(self.head.contains("content-type: application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code of an error that has this status, and the documented form.
    #[track_caller]
    fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let json = self.json();
        let message = json["error"]["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.contains('\n'));
        assert_eq!(json, json!({ "error": { "code": json["error"]["code"], "message": message } }));
        json["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// A request of its own connection; a `Host` and a `Content-Type` are added unless `headers` has them.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, line: &str, headers: &[&str], body: &str) -> Reply {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, default) in [("Host", "localhost"), ("Content-Type", "application/json")] {
        if !headers.iter().any(|header| header.starts_with(name)) {
            text += &format!("{name}: {default}\r\n");
        }
    }
    headers.iter().filter(|header| !header.ends_with('!')).for_each(|header| text += &format!("{header}\r\n"));
    // The server may answer, and close, before it has read all.
    let _closed = stream.write_all(format!("{text}\r\n{body}").as_bytes()).await;
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    Reply::parse(&String::from_utf8(answer).unwrap())
}

/// Limits that a test can wait for.
fn short() -> Limits {
    let time = Duration::from_millis(300);
    Limits { request_time: time, write_time: time, call_time: time, ..Limits::default() }
}
