//! A WebDAV server in memory, whose responses a test writes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use towpath_backend::registry::{Location, Settings};
use towpath_opendal::OpendalTree;
use towpath_opendal::services::WEBDAV;

use crate::http::{Answer, Request, serve};

/// Files by their paths; folders have none.
pub type Files = BTreeMap<String, Option<Vec<u8>>>;

/// A resource whose response is written.
pub struct Resource<'a> {
    pub port: u16,
    /// Its path, not encoded; that of a folder ends with a slash.
    pub path: &'a str,
    /// The folder or file that was asked for.
    pub asked: &'a str,
    pub content: Option<&'a [u8]>,
}

impl Resource<'_> {
    /// The path, percent-encoded.
    pub fn encoded(&self) -> String {
        encoded(self.path)
    }

    /// The last name, with the slash of a folder.
    pub fn name(&self) -> &str {
        let end = self.path.trim_end_matches('/').rfind('/').map_or(0, |at| at + 1);
        &self.path[end..]
    }

    /// All properties, as most servers show them.
    pub fn properties(&self) -> String {
        let time = "<D:getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</D:getlastmodified>";
        match self.content {
            None => format!("<D:resourcetype><D:collection/></D:resourcetype>{time}"),
            Some(content) => {
                format!("<D:resourcetype/><D:getcontentlength>{}</D:getcontentlength>{time}", content.len())
            }
        }
    }

    pub fn response(&self, href: &str) -> String {
        self.response_of(href, &self.properties())
    }

    pub fn response_of(&self, href: &str, properties: &str) -> String {
        let href = href.replace('&', "&amp;").replace('<', "&lt;");
        format!(
            "<D:response><D:href>{href}</D:href><D:propstat><D:prop>{properties}</D:prop>\
             <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
        )
    }
}

pub fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

type Write = dyn Fn(&Resource<'_>) -> String + Send + Sync;
type Fault = dyn Fn(&mut Request) -> Option<Answer> + Send + Sync;

pub struct Server {
    pub port: u16,
    pub files: Arc<Mutex<Files>>,
    /// Method and path of each request.
    pub requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    /// With these files below `/dav/`; `write` writes a response.
    pub fn start(files: &[(&str, &[u8])], write: impl Fn(&Resource<'_>) -> String + Send + Sync + 'static) -> Self {
        Self::with_faults(files, write, |_| None)
    }

    /// `fault` may answer before the server does, or change the request.
    pub fn with_faults(
        files: &[(&str, &[u8])],
        write: impl Fn(&Resource<'_>) -> String + Send + Sync + 'static,
        fault: impl Fn(&mut Request) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let mut all = Files::from([("/".to_owned(), None), ("/dav/".to_owned(), None)]);
        for (name, content) in files {
            let path = format!("/dav/{name}");
            let folders = path.match_indices('/').map(|(at, _)| path[..=at].to_owned());
            all.extend(folders.map(|folder| (folder, None)));
            all.insert(path, Some(content.to_vec()));
        }
        let files = Arc::new(Mutex::new(all));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (state, log, port) = (Arc::clone(&files), Arc::clone(&requests), Arc::new(Mutex::new(0)));
        let own = Arc::clone(&port);
        let (write, fault): (Box<Write>, Box<Fault>) = (Box::new(write), Box::new(fault));
        let started = serve(move |request| {
            log.lock().unwrap().push((request.method.clone(), request.path.clone()));
            let mut request = request.clone();
            let port = *own.lock().unwrap();
            fault(&mut request)
                .unwrap_or_else(|| answer(&request, &mut state.lock().unwrap(), port, &*write).to(&request))
        });
        *port.lock().unwrap() = started;
        Self { port: started, files, requests }
    }

    pub fn tree(&self, options: &[(&'static str, &str)]) -> OpendalTree {
        self.tree_at("/dav", options)
    }

    pub fn tree_at(&self, path: &str, options: &[(&'static str, &str)]) -> OpendalTree {
        let url = format!("webdav://127.0.0.1:{}{path}", self.port);
        let options: Vec<_> = options.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        WEBDAV.tree(&Location::parse(url.as_ref()).unwrap(), &Settings::of(options)).unwrap()
    }

    pub fn asked(&self, method: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(asked, _)| asked == method).map(|(_, path)| path.clone()).collect()
    }
}

fn answer(request: &Request, files: &mut Files, port: u16, write: &Write) -> Answer {
    let folder = format!("{}/", request.path.trim_end_matches('/'));
    let file = request.path.trim_end_matches('/');
    let found = if files.contains_key(&folder) {
        Some(folder.as_str())
    } else {
        Some(file).filter(|file| files.contains_key(*file))
    };
    match (request.method.as_str(), found) {
        ("PUT", _) => {
            files.insert(request.path.clone(), Some(request.body.clone()));
            Answer::new(201, "")
        }
        ("MKCOL", None) => {
            files.insert(folder, None);
            Answer::new(201, "")
        }
        ("MKCOL", Some(_)) => Answer::new(405, ""),
        (_, None) => Answer::new(404, ""),
        ("PROPFIND", Some(asked)) => {
            let deep = request.header("depth") == Some("1");
            let shown = files.iter().filter(|(path, _)| {
                let below = path.strip_prefix(asked).filter(|_| deep && asked.ends_with('/'));
                path.as_str() == asked || below.is_some_and(|name| !name.trim_end_matches('/').contains('/'))
            });
            let shown: String = shown
                .map(|(path, content)| write(&Resource { port, path, asked, content: content.as_deref() }))
                .collect();
            let answer = format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">{shown}</D:multistatus>"
            );
            // As a test says that it is sent, byte for byte.
            Answer::new(207, bytes_of(&answer)).with("Content-Type", "application/xml; charset=utf-8")
        }
        ("HEAD" | "GET", Some(path)) => match &files[path] {
            None => Answer::new(404, ""),
            Some(content) => request.ranged(content),
        },
        ("DELETE", Some(path)) => {
            let path = path.to_owned();
            files.retain(|other, _| *other != path && !(path.ends_with('/') && other.starts_with(&path)));
            Answer::new(204, "")
        }
        _ => Answer::new(405, ""),
    }
}

/// U+E000 + n stands for the byte n, so that a test can send what is no UTF-8.
fn bytes_of(text: &str) -> Vec<u8> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4]);
    for character in text.chars() {
        match u8::try_from(u32::from(character).wrapping_sub(0xe000)) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes()),
        }
    }
    bytes
}
