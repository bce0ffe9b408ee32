//! A server of objects in memory, as far as the tests need it: what it does with keys that end with a slash can be chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use towpath_backend::registry::{Location, Settings};
use towpath_opendal::OpendalTree;
use towpath_opendal::services::S3;

use crate::http::{self, Answer, Request};

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
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let port = http::serve(move |request| answer(request, &mut shared.lock().unwrap(), markers));
        Self { port, state }
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

fn answer(request: &Request, state: &mut State, markers: Markers) -> Answer {
    if request.query.contains_key("list-type") {
        let prefix = request.query.get("prefix").cloned().unwrap_or_default();
        state.requests.push(("LIST".to_owned(), prefix.clone()));
        return Answer::new(200, listed(state, &prefix, request));
    }
    let key = request.path.strip_prefix("/bucket").unwrap_or_default().trim_start_matches('/').to_owned();
    state.requests.push((request.method.clone(), key.clone()));
    match request.method.as_str() {
        "PUT" => {
            let sent = state.requests.iter().filter(|(method, key)| method == "PUT" && key.ends_with('/')).count();
            let is_marker = key.ends_with('/');
            match markers {
                Markers::Rejected(status) if is_marker => return rejected(status),
                Markers::RejectedFirst(count) if is_marker && sent <= count => return rejected(500),
                Markers::Lost if is_marker => return Answer::new(200, ""),
                _ => {}
            }
            let mtime = request.header("x-amz-meta-mtime").map(str::to_owned);
            state.objects.insert(key, (request.body.clone(), mtime));
            Answer::new(200, "").with("ETag", "\"0\"")
        }
        "DELETE" => {
            state.objects.remove(&key);
            Answer::new(204, "")
        }
        "HEAD" if state.denied.contains(&key) => Answer::new(403, ""),
        _ => match state.objects.get(&key) {
            None => Answer::new(404, ""),
            Some((body, mtime)) => {
                let mut answer = Answer::new(200, body.clone())
                    .with("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
                    .with("ETag", "\"0\"");
                if let Some(mtime) = mtime {
                    answer = answer.with("x-amz-meta-mtime", mtime);
                }
                if state.folders.contains(&key) {
                    answer = answer.with("x-amz-meta-hdi_isfolder", "true");
                }
                answer
            }
        },
    }
}

fn rejected(status: u16) -> Answer {
    let code = if status == 403 { "AccessDenied" } else { "InternalError" };
    Answer::new(status, format!("<Error><Code>{code}</Code><Message>is a directory</Message></Error>"))
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
