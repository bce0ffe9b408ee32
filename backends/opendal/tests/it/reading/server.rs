//! An in-memory server with the protocol of each service, which records reads and injects faults.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use towpath_backend::registry::{Location, Settings};
use towpath_opendal::OpendalTree;
use towpath_opendal::services::{AZBLOB, GCS, S3, WEBDAV};

use crate::http::Request;

/// What it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    S3,
    Azblob,
    Gcs,
    Webdav,
}

impl Speaks {
    pub const ALL: [Self; 4] = [Self::S3, Self::Azblob, Self::Gcs, Self::Webdav];
}

/// What it does otherwise than most.
#[derive(Clone, Debug, Default)]
pub struct Habits {
    pub ignores_conditions: bool,
    pub ignores_ranges: bool,
    /// The ends of what it sends whole are those of connections.
    pub no_length: bool,
    pub weak_etags: bool,
    pub same_etags: bool,
    pub no_etags: bool,
    /// No `Last-Modified`, where a listing need not have it.
    pub no_dates: bool,
    /// The connection breaks off after so many bytes of the content of the first GET.
    pub breaks_off_after: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Object {
    pub data: Vec<u8>,
    /// In its user metadata.
    pub mtime: Option<&'static str>,
    /// A second of January 2026.
    pub stored: u32,
}

/// A GET of content.
#[derive(Clone, Debug)]
pub struct Get {
    pub key: String,
    /// As it was sent.
    pub range: Option<String>,
    pub condition: Option<String>,
}

type Objects = BTreeMap<String, Object>;
/// Called before each GET is answered, with how many there were before.
type OnGet = Box<dyn Fn(usize, &Mutex<State>) + Send + Sync>;

#[derive(Default)]
pub struct State {
    pub objects: Objects,
    pub gets: Vec<Get>,
    /// Questions about one file.
    pub stats: Vec<String>,
}

struct Shared {
    speaks: Speaks,
    habits: Habits,
    state: Mutex<State>,
    on_get: OnGet,
}

/// Its threads end with the test.
pub struct Server {
    port: u16,
    shared: Arc<Shared>,
}

impl Server {
    pub fn start(speaks: Speaks, habits: Habits, objects: &[(&str, Object)]) -> Self {
        Self::with(speaks, habits, objects, |_, _| {})
    }

    pub fn with(
        speaks: Speaks,
        habits: Habits,
        objects: &[(&str, Object)],
        on_get: impl Fn(usize, &Mutex<State>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let objects = objects.iter().map(|(key, object)| ((*key).to_owned(), object.clone())).collect();
        let state = Mutex::new(State { objects, ..State::default() });
        let shared = Arc::new(Shared { speaks, habits, state, on_get: Box::new(on_get) });
        let server = Self { port: listener.local_addr().unwrap().port(), shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(client, &shared));
            }
        });
        server
    }

    pub fn tree(&self) -> OpendalTree {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let (service, url, options): (_, _, &[_]) = match self.shared.speaks {
            Speaks::S3 => (S3, "s3://bucket".to_owned(), &[("access_key_id", "id"), ("secret_access_key", "key")]),
            Speaks::Azblob => {
                (AZBLOB, "azblob://bucket".to_owned(), &[("account_name", "name"), ("account_key", "a2V5")])
            }
            Speaks::Gcs => (GCS, "gcs://bucket".to_owned(), &[("anonymous", "true")]),
            Speaks::Webdav => (WEBDAV, format!("webdav://127.0.0.1:{}/", self.port), &[]),
        };
        let endpoint = (self.shared.speaks != Speaks::Webdav).then_some(("endpoint", endpoint.as_str()));
        let all = options.iter().copied().chain(endpoint).map(|(name, value)| (name, value.to_owned()));
        service.tree(&Location::parse(url.as_ref()).unwrap(), &Settings::of(all)).unwrap()
    }

    pub fn gets(&self) -> Vec<Get> {
        self.shared.state.lock().unwrap().gets.clone()
    }

    pub fn overwrite(&self, key: &str, by: Object) {
        self.shared.state.lock().unwrap().objects.insert(key.to_owned(), by);
    }

    pub fn stats(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().stats.clone()
    }
}

/// The key of the object that a request is about; empty if it is about all of them.
fn key_of(request: &Request, speaks: Speaks) -> &str {
    let prefix = match speaks {
        Speaks::S3 | Speaks::Azblob => "/bucket/",
        Speaks::Gcs => "/storage/v1/b/bucket/o/",
        Speaks::Webdav => "/",
    };
    request.path.strip_prefix(prefix).unwrap_or_default()
}

/// A status, headers, and content with its own end or that of the connection.
struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
    breaks_off_after: Option<usize>,
    has_length: bool,
}

impl Answer {
    fn new(status: u16, headers: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let (headers, body) = (headers.into(), body.into());
        Self { status, headers, body, breaks_off_after: None, has_length: true }
    }
}

/// Answers the requests of one connection.
fn serve(client: TcpStream, shared: &Shared) {
    let mut client = BufReader::new(client);
    while let Some(request) = Request::read(&mut client) {
        let answer = answer(&request, shared);
        let mut head = format!("HTTP/1.1 {} Answer\r\n{}", answer.status, answer.headers);
        match answer.has_length {
            true => write!(head, "Content-Length: {}\r\n\r\n", answer.body.len()).unwrap(),
            false => head += "Connection: close\r\n\r\n",
        }
        let body = if request.method == "HEAD" { &[] } else { answer.body.as_slice() };
        let sent = &body[..answer.breaks_off_after.unwrap_or(usize::MAX).min(body.len())];
        let is_written = client.get_mut().write_all(&[head.as_bytes(), sent].concat()).is_ok();
        if !is_written || !answer.has_length || sent.len() < body.len() {
            return;
        }
    }
}

fn answer(request: &Request, shared: &Shared) -> Answer {
    let key = key_of(request, shared.speaks);
    let is_content = request.method == "GET"
        && !key.is_empty()
        && (shared.speaks != Speaks::Gcs || request.query.get("alt").is_some_and(|alt| alt == "media"));
    if is_content {
        return content(request, key, shared);
    }
    let mut state = shared.state.lock().unwrap();
    let is_listing = key.is_empty();
    if !is_listing {
        state.stats.push(key.to_owned());
    }
    let prefix = request.query.get("prefix").map(String::as_str).unwrap_or_default();
    let is_shown = |name: &str| if is_listing { name.starts_with(prefix) } else { name == key };
    let shown: Vec<_> = state.objects.iter().filter(|(name, _)| is_shown(name)).collect();
    if !is_listing && shown.is_empty() {
        return Answer::new(404, "", "");
    }
    match (shared.speaks, is_listing) {
        (Speaks::S3 | Speaks::Azblob, false) => {
            let object = shown[0].1;
            Answer::new(200, headers(object, shared), object.data.clone())
        }
        (Speaks::S3, true) => Answer::new(
            200,
            "",
            format!(
                "<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>",
                all(&shown, shared, s3_entry)
            ),
        ),
        (Speaks::Azblob, true) => Answer::new(
            200,
            "",
            format!(
                "<EnumerationResults><Blobs>{}</Blobs><NextMarker/></EnumerationResults>",
                all(&shown, shared, azblob_entry)
            ),
        ),
        (Speaks::Gcs, true) => {
            let entries: Vec<_> = shown.iter().map(|(name, object)| gcs_entry(name, object, shared)).collect();
            Answer::new(200, "", format!("{{\"items\": [{}]}}", entries.join(",")))
        }
        (Speaks::Gcs, false) => Answer::new(200, "", gcs_entry(shown[0].0, shown[0].1, shared)),
        (Speaks::Webdav, _) => {
            let folder = "<D:response><D:href>/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>\
                <D:getlastmodified>Thu, 01 Jan 2026 00:00:00 GMT</D:getlastmodified></D:prop>\
                <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>";
            let entries = all(&shown, shared, dav_entry);
            let entries = if is_listing { format!("{folder}{entries}") } else { entries };
            let entries = if request.header("depth") == Some("0") && is_listing { folder.to_owned() } else { entries };
            Answer::new(207, "", format!("<D:multistatus xmlns:D=\"DAV:\">{entries}</D:multistatus>"))
        }
    }
}

/// The answer to a GET of a file.
fn content(request: &Request, key: &str, shared: &Shared) -> Answer {
    let range = request.header("range").or(request.header("x-ms-range")).map(str::to_owned);
    let generation = request.query.get("ifGenerationMatch").map(String::as_str);
    let condition = request.header("if-match").or(generation).map(str::to_owned);
    let before = {
        let mut state = shared.state.lock().unwrap();
        state.gets.push(Get { key: key.to_owned(), range: range.clone(), condition: condition.clone() });
        state.gets.len() - 1
    };
    (shared.on_get)(before, &shared.state);
    let state = shared.state.lock().unwrap();
    let Some(object) = state.objects.get(key) else { return Answer::new(404, "", "") };
    let own = [etag(object, shared), generation_of(object)];
    if !shared.habits.ignores_conditions && condition.is_some_and(|condition| !own.contains(&condition)) {
        return Answer::new(412, "", "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>");
    }
    let headers = headers(object, shared);
    let range = range.filter(|_| !shared.habits.ignores_ranges);
    let mut answer = match range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
        None => Answer { has_length: !shared.habits.no_length, ..Answer::new(200, headers, object.data.clone()) },
        Some((from, to)) => {
            let (from, last) = (from.parse::<usize>().unwrap(), object.data.len() - 1);
            if from > last {
                return Answer::new(416, "", "");
            }
            let to = to.parse::<usize>().unwrap_or(last).min(last);
            let headers = format!("{headers}Content-Range: bytes {from}-{to}/{}\r\n", object.data.len());
            Answer::new(206, headers, &object.data[from..=to])
        }
    };
    answer.breaks_off_after = shared.habits.breaks_off_after.filter(|_| before == 0);
    answer
}

fn headers(object: &Object, shared: &Shared) -> String {
    let prefix = match shared.speaks {
        Speaks::S3 => "x-amz-meta-",
        Speaks::Azblob => "x-ms-meta-",
        Speaks::Gcs | Speaks::Webdav => "x-none-",
    };
    let mtime = object.mtime.map(|mtime| format!("{prefix}mtime: {mtime}\r\n")).unwrap_or_default();
    let generation = match shared.speaks {
        Speaks::Gcs if !shared.habits.no_etags => format!("x-goog-generation: {}\r\n", generation_of(object)),
        _ => String::new(),
    };
    let mut own = String::new();
    if !shared.habits.no_etags {
        own += &format!("ETag: {}\r\n", etag(object, shared));
    }
    if !shared.habits.no_dates {
        own += &format!("Last-Modified: {}\r\n", http_date(object));
    }
    own + &mtime + &generation
}

/// Versions differ in their first byte.
fn version(object: &Object) -> usize {
    object.data.len() * 1000 + usize::from(object.data.first().copied().unwrap_or_default())
}

fn etag(object: &Object, shared: &Shared) -> String {
    let version = if shared.habits.same_etags { 1 } else { version(object) };
    format!("{}\"{version:x}\"", if shared.habits.weak_etags { "W/" } else { "" })
}

fn generation_of(object: &Object) -> String {
    version(object).to_string()
}

fn http_date(object: &Object) -> String {
    format!("Thu, 01 Jan 2026 00:00:{:02} GMT", object.stored)
}

fn iso_date(object: &Object) -> String {
    format!("2026-01-01T00:00:{:02}.000Z", object.stored)
}

fn all(shown: &[(&String, &Object)], shared: &Shared, entry: fn(&str, &Object, &Shared) -> String) -> String {
    shown.iter().map(|(name, object)| entry(name, object, shared)).collect()
}

fn s3_entry(name: &str, object: &Object, _: &Shared) -> String {
    let (size, modified) = (object.data.len(), iso_date(object));
    format!("<Contents><Key>{name}</Key><Size>{size}</Size><LastModified>{modified}</LastModified></Contents>")
}

fn azblob_entry(name: &str, object: &Object, _: &Shared) -> String {
    let (size, modified) = (object.data.len(), http_date(object));
    format!(
        "<Blob><Name>{name}</Name><Properties><Last-Modified>{modified}</Last-Modified><Etag>0</Etag>\
         <Content-Length>{size}</Content-Length><Content-Type>text/plain</Content-Type></Properties></Blob>"
    )
}

fn gcs_entry(name: &str, object: &Object, shared: &Shared) -> String {
    let (size, updated, etag) = (object.data.len(), iso_date(object), etag(object, shared).replace('"', ""));
    let mtime = object.mtime.map(|mtime| format!(", \"metadata\": {{\"mtime\": \"{mtime}\"}}")).unwrap_or_default();
    let generation = generation_of(object);
    format!(
        "{{\"name\": \"{name}\", \"size\": \"{size}\", \"updated\": \"{updated}\", \"etag\": \"{etag}\", \
         \"md5Hash\": \"\", \"contentType\": \"\", \"generation\": \"{generation}\"{mtime}}}"
    )
}

fn dav_entry(name: &str, object: &Object, shared: &Shared) -> String {
    let size = object.data.len();
    let (mut modified, mut etag) = (
        format!("<D:getlastmodified>{}</D:getlastmodified>", http_date(object)),
        format!("<D:getetag>{}</D:getetag>", etag(object, shared)),
    );
    if shared.habits.no_dates {
        modified.clear();
    }
    if shared.habits.no_etags {
        etag.clear();
    }
    format!(
        "<D:response><D:href>/{name}</D:href><D:propstat><D:prop><D:resourcetype/>\
         <D:getcontentlength>{size}</D:getcontentlength>{modified}{etag}</D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}
