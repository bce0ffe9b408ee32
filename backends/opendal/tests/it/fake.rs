//! A server of objects in memory, as far as the tests need it: what it does with keys that end with a slash can be chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use towpath_backend::registry::{Location, Settings};
use towpath_opendal::OpendalTree;
use towpath_opendal::services::S3;

/// How a key that ends with a slash is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markers {
    Kept,
    /// Answered with this status.
    Rejected(u16),
    /// Accepted, and not there.
    Lost,
    /// Rejected this often, then kept.
    RejectedFirst(usize),
}

#[derive(Default)]
struct State {
    /// Content and mtime by key.
    objects: BTreeMap<String, (Vec<u8>, Option<String>)>,
    /// Keys whose `HEAD` is denied.
    denied: BTreeSet<String>,
    /// Keys of objects that are marked as folders.
    folders: BTreeSet<String>,
    /// Method and key of each request; `LIST` and its prefix.
    requests: Vec<(String, String)>,
}

/// Its threads end with the test.
pub struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start(markers: Markers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = Arc::clone(&server.state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                thread::spawn(move || serve(client, &state, markers));
            }
        });
        server
    }

    /// The bucket, opened with these options too.
    pub fn tree(&self, options: &[(&'static str, &str)]) -> OpendalTree {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let own = [("endpoint", endpoint.as_str()), ("access_key_id", "id"), ("secret_access_key", "key")];
        let all: Vec<_> = own.iter().chain(options).map(|(name, value)| (*name, (*value).to_owned())).collect();
        S3.tree(&Location::parse("s3://bucket".as_ref()).unwrap(), &Settings::of(all)).unwrap()
    }

    pub fn put(&self, key: &str, content: &str) {
        self.state.lock().unwrap().objects.insert(key.to_owned(), (content.as_bytes().to_vec(), None));
    }

    /// Puts an empty object with the mark of a folder.
    pub fn put_folder(&self, key: &str) {
        self.put(key, "");
        self.state.lock().unwrap().folders.insert(key.to_owned());
    }

    pub fn deny_head(&self, key: &str) {
        self.state.lock().unwrap().denied.insert(key.to_owned());
    }

    pub fn keys(&self) -> Vec<String> {
        self.state.lock().unwrap().objects.keys().cloned().collect()
    }

    /// Keys that end with a slash and were sent, in their order.
    pub fn sent_markers(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let sent = state.requests.iter().filter(|(method, key)| method == "PUT" && key.ends_with('/'));
        sent.map(|(_, key)| key.clone()).collect()
    }

    pub fn forget_requests(&self) {
        self.state.lock().unwrap().requests.clear();
    }
}

/// Answers the requests of one connection.
fn serve(client: TcpStream, state: &Mutex<State>, markers: Markers) {
    let mut client = BufReader::new(client);
    while let Some(request) = Request::read(&mut client) {
        let (status, headers, body) = answer(&request, &mut state.lock().unwrap(), markers);
        let length = if request.method == "HEAD" && status == 200 { String::new() } else { body.len().to_string() };
        let length = if length.is_empty() { headers.clone() } else { format!("{headers}Content-Length: {length}\r\n") };
        let head = format!("HTTP/1.1 {status} Answer\r\n{length}\r\n");
        let body = if request.method == "HEAD" { &[] } else { body.as_slice() };
        if client.get_mut().write_all(&[head.as_bytes(), body].concat()).is_err() {
            return;
        }
    }
}

struct Request {
    method: String,
    key: String,
    query: BTreeMap<String, String>,
    mtime: Option<String>,
    body: Vec<u8>,
}

impl Request {
    fn read(client: &mut BufReader<TcpStream>) -> Option<Self> {
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
        let header = |name: &str| {
            let mut headers = lines.iter().filter_map(|line| line.split_once(": "));
            headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let mut body = vec![0; header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
        client.read_exact(&mut body).ok()?;
        let mut first = lines.first()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let query = pairs.map(|(key, value)| (key.to_owned(), decoded(value))).collect();
        let key = decoded(path.strip_prefix("/bucket").unwrap_or_default().trim_start_matches('/'));
        Some(Self { method, key, query, mtime: header("x-amz-meta-mtime"), body })
    }
}

pub fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let byte = after.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => (bytes.push(byte), rest = &after[2..]).1,
            None => (bytes.push(first), rest = after).1,
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn answer(request: &Request, state: &mut State, markers: Markers) -> (u16, String, Vec<u8>) {
    let plain = |status: u16| (status, String::new(), Vec::new());
    if request.query.contains_key("list-type") {
        let prefix = request.query.get("prefix").cloned().unwrap_or_default();
        state.requests.push(("LIST".to_owned(), prefix.clone()));
        return (200, String::new(), listed(state, &prefix, request).into_bytes());
    }
    state.requests.push((request.method.clone(), request.key.clone()));
    match request.method.as_str() {
        "PUT" => {
            let sent = state.requests.iter().filter(|(method, key)| method == "PUT" && key.ends_with('/')).count();
            let is_marker = request.key.ends_with('/');
            match markers {
                Markers::Rejected(status) if is_marker => return rejected(status),
                Markers::RejectedFirst(count) if is_marker && sent <= count => return rejected(500),
                Markers::Lost if is_marker => return plain(200),
                _ => {}
            }
            state.objects.insert(request.key.clone(), (request.body.clone(), request.mtime.clone()));
            (200, "ETag: \"0\"\r\n".to_owned(), Vec::new())
        }
        "DELETE" => {
            state.objects.remove(&request.key);
            plain(204)
        }
        "HEAD" if state.denied.contains(&request.key) => plain(403),
        _ => match state.objects.get(&request.key) {
            None => plain(404),
            Some((body, mtime)) => {
                let mtime = mtime.as_ref().map(|time| format!("x-amz-meta-mtime: {time}\r\n")).unwrap_or_default();
                let length = if request.method == "HEAD" {
                    format!("Content-Length: {}\r\n", body.len())
                } else {
                    String::new()
                };
                let folder =
                    if state.folders.contains(&request.key) { "x-amz-meta-hdi_isfolder: true\r\n" } else { "" };
                let headers =
                    format!("Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: \"0\"\r\n{mtime}{folder}{length}");
                (200, headers, body.clone())
            }
        },
    }
}

fn rejected(status: u16) -> (u16, String, Vec<u8>) {
    let code = if status == 403 { "AccessDenied" } else { "InternalError" };
    let body = format!("<Error><Code>{code}</Code><Message>is a directory</Message></Error>");
    (status, String::new(), body.into_bytes())
}

fn listed(state: &State, prefix: &str, request: &Request) -> String {
    let delimiter = request.query.get("delimiter").filter(|text| !text.is_empty());
    let most = request.query.get("max-keys").and_then(|keys| keys.parse().ok()).unwrap_or(1000);
    let (mut contents, mut prefixes) = (String::new(), BTreeSet::new());
    let after = request.query.get("start-after").map_or("", String::as_str);
    let listed = state.objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
    for (key, (body, _)) in listed.take(most) {
        let below = delimiter.and_then(|delimiter| key[prefix.len()..].split_once(delimiter.as_str()));
        if let Some((name, _)) = below {
            prefixes.insert(format!("{prefix}{name}/"));
        } else {
            contents += &format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 </Contents>",
                body.len()
            );
        }
    }
    let prefixes: String =
        prefixes.iter().map(|prefix| format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>")).collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}{prefixes}</ListBucketResult>")
}
