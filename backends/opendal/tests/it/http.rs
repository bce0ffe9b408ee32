//! An HTTP server of one function, for servers written for a test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request that was read.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    /// Percent-decoded.
    pub path: String,
    pub query: BTreeMap<String, String>,
    /// By names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What is answered, if the status is not 0: without `Content-Length`, and without a content to `HEAD`, if it is set among the headers.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// This answer, or none if the request asks for it.
    pub fn to(self, request: &Request) -> Self {
        if request.headers.contains_key(LOST) { Self::default() } else { self }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A header of requests whose answer is lost.
const LOST: &str = "lost-answer";

/// Starts a server; returns its port. Its threads end with the test.
pub fn serve(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, answer) = (listener.local_addr().unwrap().port(), Arc::new(answer));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || converse(client, &*answer));
        }
    });
    port
}

/// What a store in memory has.
pub trait Contents: Default + Send + 'static {
    fn answer(&mut self, request: &Request) -> Answer;
}

/// What a store has, and what it was asked for.
#[derive(Default)]
pub struct State<C> {
    contents: C,
    pub requests: Vec<Request>,
}

impl<C> Deref for State<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.contents
    }
}

impl<C> DerefMut for State<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.contents
    }
}

/// A store in memory.
pub struct Store<C> {
    port: u16,
    pub state: Arc<Mutex<State<C>>>,
}

impl<C: Contents> Store<C> {
    /// `fault` may change a request, or answer it.
    pub fn start(fault: impl Fn(&mut Request) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let state = Arc::new(Mutex::new(State::<C>::default()));
        let shared = Arc::clone(&state);
        let port = serve(move |request| {
            let mut request = request.clone();
            shared.lock().unwrap().requests.push(request.clone());
            fault(&mut request).unwrap_or_else(|| shared.lock().unwrap().answer(&request).to(&request))
        });
        Self { port, state }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Answers the requests of one connection.
pub fn converse(client: impl Read + Write, answer: &dyn Fn(&Request) -> Answer) {
    let mut client = BufReader::new(client);
    while let Some(request) = Request::read(&mut client) {
        let Answer { status, headers, body } = answer(&request);
        if status == 0 {
            return;
        }
        let mut head = format!("HTTP/1.1 {status} Answer\r\n");
        for (name, value) in &headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !headers.iter().any(|(name, _)| *name == "Content-Length" || *name == "Connection") {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let body = if request.method == "HEAD" { &[] } else { body.as_slice() };
        let sent = client.get_mut().write_all(&[head.as_bytes(), b"\r\n", body].concat());
        if sent.is_err() || headers.iter().any(|(name, _)| *name == "Connection") {
            return;
        }
    }
}

impl Request {
    /// The next request of a connection; `None` at its end.
    pub fn read(client: &mut impl BufRead) -> Option<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if client.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let headers = lines.iter().skip(1).filter_map(|line| line.split_once(": "));
        let headers: BTreeMap<_, _> =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let mut body = vec![0; headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
        client.read_exact(&mut body).ok()?;
        let mut first = lines.first()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?);
        // To a proxy, the whole address is sent.
        let target = target.strip_prefix("http://").map_or(target, |rest| rest.find('/').map_or("/", |at| &rest[at..]));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = pairs.map(|(key, value)| (decoded(key), decoded(value))).collect();
        Some(Self { method, path: decoded(path), query, headers, body })
    }

    /// It is served, and the connection is closed without an answer.
    pub fn lose_answer(&mut self) {
        self.headers.insert(LOST.to_owned(), String::new());
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// What is asked for of `content`.
    pub fn ranged(&self, content: &[u8]) -> Answer {
        let range = self.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let Some((first, last)) = range else { return Answer::new(200, content) };
        let first: usize = first.parse().unwrap();
        if first >= content.len() {
            return Answer::new(416, "").with("Content-Range", format!("bytes */{}", content.len()));
        }
        let last = last.parse().unwrap_or(usize::MAX).min(content.len() - 1);
        let shown = format!("bytes {first}-{last}/{}", content.len());
        Answer::new(206, &content[first..=last]).with("Content-Range", shown)
    }
}

/// Percent-decodes; what is no UTF-8 becomes U+FFFD.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let byte = after.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => (bytes.push(byte), rest = &after[2..]).1,
            None => (bytes.push(first), rest = after).1,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
