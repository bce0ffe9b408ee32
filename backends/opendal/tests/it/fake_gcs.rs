//! Google Cloud Storage in memory, as far as the tests need it.

use std::collections::BTreeMap;

use towpath_backend::registry::{Location, Settings};
use towpath_opendal::OpendalTree;
use towpath_opendal::services::GCS;

use crate::http::{Answer, Contents, Request, Store};

/// An object: content and mtime.
pub type Object = (Vec<u8>, Option<String>);

/// A multipart upload: mtime and parts.
type Upload = (Option<String>, BTreeMap<u32, Vec<u8>>);

#[derive(Default)]
pub struct Objects {
    pub objects: BTreeMap<String, Object>,
    /// By id.
    uploads: BTreeMap<String, Upload>,
}

impl Contents for Objects {
    fn answer(&mut self, request: &Request) -> Answer {
        answer(request, self)
    }
}

pub type Server = Store<Objects>;

impl Server {
    pub fn tree(&self) -> OpendalTree {
        let options = [("endpoint", self.endpoint()), ("anonymous", "true".to_owned())];
        GCS.tree(&Location::parse("gcs://bucket".as_ref()).unwrap(), &Settings::of(options.to_vec())).unwrap()
    }
}

fn answer(request: &Request, state: &mut Objects) -> Answer {
    let query = |name: &str| request.query.get(name).map(String::as_str);
    let in_json = request.path.strip_prefix("/storage/v1/b/bucket/o");
    let key = in_json.or(request.path.strip_prefix("/bucket")).unwrap_or_default().trim_start_matches('/').to_owned();
    match (request.method.as_str(), query("uploadId")) {
        ("POST", _) if request.path.starts_with("/upload/") => {
            let key = query("name").unwrap().to_owned();
            state.objects.insert(key.clone(), inserted(request));
            described(&key, &state.objects[&key])
        }
        ("POST", None) if query("uploads").is_some() => {
            let id = state.uploads.len().to_string();
            let mtime = request.header("x-goog-meta-mtime").map(str::to_owned);
            state.uploads.insert(id.clone(), (mtime, BTreeMap::new()));
            let body = format!("<R><Bucket>bucket</Bucket><Key>{key}</Key><UploadId>{id}</UploadId></R>");
            Answer::new(200, body)
        }
        (method, Some(id)) if !state.uploads.contains_key(id) => {
            assert!(["PUT", "POST", "DELETE"].contains(&method));
            Answer::new(404, "<Error><Code>NoSuchUpload</Code><Message>No such upload.</Message></Error>")
        }
        ("PUT", Some(id)) => {
            let number = query("partNumber").unwrap().parse().unwrap();
            state.uploads.get_mut(id).unwrap().1.insert(number, request.body.clone());
            Answer::new(200, "").with("ETag", "\"0\"")
        }
        ("POST", Some(id)) => {
            let (mtime, parts) = state.uploads.remove(id).unwrap();
            state.objects.insert(key, (parts.into_values().flatten().collect(), mtime));
            Answer::new(200, "<R><ETag>\"0\"</ETag></R>")
        }
        ("DELETE", Some(id)) => {
            state.uploads.remove(id);
            Answer::new(204, "")
        }
        ("DELETE", None) => Answer::new(if state.objects.remove(&key).is_some() { 204 } else { 404 }, ""),
        ("GET", None) if in_json == Some("") => Answer::new(200, "{\"items\": [], \"prefixes\": []}"),
        _ => state.objects.get(&key).map_or_else(|| Answer::new(404, ""), |object| described(&key, object)),
    }
}

fn described(key: &str, (content, mtime): &Object) -> Answer {
    let metadata = mtime.as_ref().map(|mtime| format!("\"mtime\": \"{mtime}\"")).unwrap_or_default();
    let (size, md5) = (content.len(), opendal::raw::format_content_md5(content));
    Answer::new(
        200,
        format!(
            "{{\"name\": \"{key}\", \"size\": \"{size}\", \"etag\": \"0\", \"updated\": \"2026-01-01T00:00:00.000Z\", \
             \"md5Hash\": \"{md5}\", \"metadata\": {{{metadata}}}}}"
        ),
    )
}

/// What an insertion carries: its metadata and its content as two parts.
fn inserted(request: &Request) -> Object {
    let Some((_, boundary)) = request.header("content-type").and_then(|kind| kind.split_once("boundary=")) else {
        return (request.body.clone(), None);
    };
    // Each byte as one character.
    let text: String = request.body.iter().map(|byte| char::from(*byte)).collect();
    let parts: Vec<_> = text.split(&format!("--{}", boundary.trim_matches('"'))).collect();
    let content = |part: &str| {
        let (_, content) = part.split_once("\r\n\r\n").unwrap();
        content.strip_suffix("\r\n").unwrap_or_default().to_owned()
    };
    let (said, stored) = (content(parts[1]), content(parts[2]));
    let mtime = said.split_once("\"mtime\":\"").map(|(_, rest)| rest.split('"').next().unwrap().to_owned());
    (stored.chars().map(|byte| u8::try_from(u32::from(byte)).unwrap()).collect(), mtime)
}
