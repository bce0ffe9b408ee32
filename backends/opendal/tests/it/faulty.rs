//! A store of objects in memory whose faults are functions: each request is shown to one before it is served.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use towpath_backend::registry::{Location, Settings};
use towpath_opendal::OpendalTree;
use towpath_opendal::services::S3;

use crate::http;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub key: String,
    pub query: BTreeMap<String, String>,
    /// Names are in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub at: Instant,
}

impl Request {
    pub fn is_listing(&self) -> bool {
        self.method == "GET" && self.query.contains_key("list-type")
    }
}

/// What a fault does to a request.
pub enum Outcome {
    /// Serve it.
    Serve,
    /// Answer this instead.
    Answer(Answer),
    /// Serve it, and close the connection without an answer.
    LoseAnswer,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Answer {
    pub fn of(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    /// An error as S3 has them.
    pub fn error(status: u16, code: &str) -> Self {
        let body = format!("<Error><Code>{code}</Code><Message>Message of {code}.</Message></Error>");
        Self { body, ..Self::of(status) }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn instead(self) -> Outcome {
        Outcome::Answer(self)
    }
}

type Fault = Arc<dyn Fn(&Request, &Store) -> Outcome + Send + Sync>;

/// An object: content and mtime.
pub type Object = (Vec<u8>, Option<String>);

/// A multipart upload: key, mtime, and parts by number.
type Upload = (String, Option<String>, BTreeMap<u32, Vec<u8>>);

#[derive(Default)]
pub struct Store {
    pub objects: BTreeMap<String, Object>,
    /// By id.
    uploads: BTreeMap<String, Upload>,
    pub requests: Vec<Request>,
}

impl Store {
    /// How many requests of this method there were.
    pub fn count(&self, method: &str) -> usize {
        self.requests.iter().filter(|request| request.method == method).count()
    }
}

/// Its threads end with the test.
pub struct Server {
    pub port: u16,
    store: Arc<Mutex<Store>>,
}

impl Server {
    pub fn start(fault: impl Fn(&Request, &Store) -> Outcome + Send + Sync + 'static) -> Self {
        Self::start_at(TcpListener::bind("127.0.0.1:0").unwrap(), fault)
    }

    pub fn start_at(
        listener: TcpListener,
        fault: impl Fn(&Request, &Store) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        let server = Self { port: listener.local_addr().unwrap().port(), store: Arc::default() };
        let (store, fault): (_, Fault) = (Arc::clone(&server.store), Arc::new(fault));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (store, fault) = (Arc::clone(&store), Arc::clone(&fault));
                thread::spawn(move || serve(client, &store, &fault));
            }
        });
        server
    }

    pub fn with(self, objects: impl IntoIterator<Item = (String, &'static str)>) -> Self {
        let objects = objects.into_iter().map(|(key, content)| (key, (content.as_bytes().to_vec(), None)));
        self.store().objects.extend(objects);
        self
    }

    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The bucket.
    pub fn tree(&self) -> OpendalTree {
        self.tree_with(&[("access_key_id", "id"), ("secret_access_key", "key")])
    }

    /// The bucket, with these options.
    pub fn tree_with(&self, options: &[(&'static str, &str)]) -> OpendalTree {
        S3.tree(&location(), &self.settings(options)).unwrap()
    }

    pub fn settings(&self, options: &[(&'static str, &str)]) -> Settings {
        let endpoint = [("endpoint", self.url())];
        let options = options.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Settings::of(endpoint.into_iter().chain(options).collect::<Vec<_>>())
    }
}

pub fn location() -> Location {
    Location::parse("s3://bucket".as_ref()).unwrap()
}

fn serve(client: TcpStream, store: &Mutex<Store>, fault: &Fault) {
    let mut client = BufReader::new(client);
    while let Some(request) = read(&mut client) {
        let outcome = {
            let mut store = store.lock().unwrap();
            store.requests.push(request.clone());
            fault(&request, &store)
        };
        let (status, headers, body) = match outcome {
            Outcome::Answer(Answer { status, headers, body }) => (status, headers, body.into_bytes()),
            Outcome::Serve => answer(&request, &mut store.lock().unwrap()),
            Outcome::LoseAnswer => {
                answer(&request, &mut store.lock().unwrap());
                let _closed = client.get_mut().shutdown(std::net::Shutdown::Both);
                return;
            }
        };
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {status} Answer\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        let body = if request.method == "HEAD" { &[] } else { body.as_slice() };
        if client.get_mut().write_all(&[head.as_bytes(), body].concat()).is_err() {
            return;
        }
    }
}

fn read(client: &mut BufReader<TcpStream>) -> Option<Request> {
    let http::Request { method, path, query, headers, body } = http::Request::read(client)?;
    let key = path.strip_prefix("/bucket").unwrap_or(&path).trim_start_matches('/').to_owned();
    Some(Request { method, key, query, headers, body, at: Instant::now() })
}

type Raw = (u16, Vec<(&'static str, String)>, Vec<u8>);

fn answer(request: &Request, store: &mut Store) -> Raw {
    let mtime = || request.headers.get("x-amz-meta-mtime").cloned();
    let plain = |status| (status, Vec::new(), Vec::new());
    let error = |status, code| (status, Vec::new(), Answer::error(status, code).body.into_bytes());
    let upload = request.query.get("uploadId");
    match (request.method.as_str(), upload) {
        ("GET", _) if request.is_listing() => (200, Vec::new(), listed(request, store).into_bytes()),
        ("POST", None) if request.query.contains_key("uploads") => {
            let id = format!("upload-{}", store.uploads.len() + 1);
            store.uploads.insert(id.clone(), (request.key.clone(), mtime(), BTreeMap::new()));
            let body =
                format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
            (200, Vec::new(), body.into_bytes())
        }
        ("PUT", Some(id)) => match store.uploads.get_mut(id) {
            None => error(404, "NoSuchUpload"),
            Some((_, _, parts)) => {
                parts.insert(request.query["partNumber"].parse().unwrap(), request.body.clone());
                (200, vec![("ETag", "\"0\"".to_owned())], Vec::new())
            }
        },
        ("POST", Some(id)) => match store.uploads.remove(id) {
            None => error(404, "NoSuchUpload"),
            Some((key, mtime, parts)) => {
                store.objects.insert(key, (parts.into_values().flatten().collect(), mtime));
                let body = "<CompleteMultipartUploadResult><ETag>\"0-2\"</ETag></CompleteMultipartUploadResult>";
                (200, Vec::new(), body.into())
            }
        },
        ("DELETE", Some(id)) => plain(if store.uploads.remove(id).is_some() { 204 } else { 404 }),
        ("PUT", None) => {
            store.objects.insert(request.key.clone(), (request.body.clone(), mtime()));
            (200, vec![("ETag", "\"0\"".to_owned())], Vec::new())
        }
        ("DELETE", None) => plain(if store.objects.remove(&request.key).is_some() { 204 } else { 404 }),
        _ => match store.objects.get(&request.key) {
            None => error(404, "NoSuchKey"),
            Some((content, mtime)) => {
                let mut headers =
                    vec![("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT".to_owned()), ("ETag", "\"0\"".to_owned())];
                headers.extend(mtime.clone().map(|mtime| ("x-amz-meta-mtime", mtime)));
                ranged(request, headers, content)
            }
        },
    }
}

fn ranged(request: &Request, mut headers: Vec<(&'static str, String)>, content: &[u8]) -> Raw {
    let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((from, to)) = range else { return (200, headers, content.to_vec()) };
    let from: usize = from.parse().unwrap();
    let to = to.parse().map_or(content.len(), |to: usize| (to + 1).min(content.len()));
    if from >= content.len() {
        return (416, headers, Vec::new());
    }
    headers.push(("Content-Range", format!("bytes {from}-{}/{}", to - 1, content.len())));
    (206, headers, content[from..to].to_vec())
}

fn listed(request: &Request, store: &Store) -> String {
    let prefix = request.query.get("prefix").map(String::as_str).unwrap_or_default();
    let delimiter = request.query.get("delimiter").filter(|text| !text.is_empty());
    let (mut contents, mut prefixes) = (String::new(), std::collections::BTreeSet::new());
    for (key, (content, _)) in store.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
        match delimiter.and_then(|delimiter| key[prefix.len()..].split_once(delimiter.as_str())) {
            Some((name, _)) => _ = prefixes.insert(format!("{prefix}{name}/")),
            None => contents += &listed_object(key, content.len()),
        }
    }
    let prefixes: String =
        prefixes.iter().map(|prefix| format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>")).collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}{prefixes}</ListBucketResult>")
}

/// An object in a listing.
pub fn listed_object(key: &str, bytes: usize) -> String {
    let time = "<LastModified>2026-01-01T00:00:00.000Z</LastModified>";
    format!("<Contents><Key>{key}</Key><Size>{bytes}</Size>{time}<ETag>\"0\"</ETag></Contents>")
}
