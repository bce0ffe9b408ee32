//! Object stores in memory that keep the headers of what is written: S3, and Azure's single requests.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest as _, Md5};
use towpath_backend::registry::{Location, Settings};
use towpath_opendal::OpendalTree;
use towpath_opendal::services::{AZBLOB, S3};

use crate::http::{Answer, Contents, Request, Store};

pub type Headers = BTreeMap<String, String>;

/// An object: its content, and the headers that it was written with.
#[derive(Clone, Debug, Default)]
pub struct Object {
    pub content: Vec<u8>,
    pub headers: Headers,
}

#[derive(Default)]
pub struct Objects {
    pub objects: BTreeMap<String, Object>,
    /// Azure's, by their ids.
    blocks: BTreeMap<String, Vec<u8>>,
    /// The headers and parts of uploads.
    uploads: BTreeMap<String, (Headers, BTreeMap<u32, Vec<u8>>)>,
}

impl Contents for Objects {
    fn answer(&mut self, request: &Request) -> Answer {
        answer(request, self)
    }
}

pub type Server = Store<Objects>;

impl Server {
    pub fn s3(&self, options: &[(&'static str, &str)]) -> OpendalTree {
        let endpoint = self.endpoint();
        let own = [("endpoint", endpoint.as_str()), ("access_key_id", "id"), ("secret_access_key", "key")];
        let all = own.iter().chain(options).map(|(name, value)| (*name, (*value).to_owned()));
        S3.tree(&Location::parse("s3://bucket".as_ref()).unwrap(), &Settings::of(all.collect::<Vec<_>>())).unwrap()
    }

    pub fn azure(&self) -> OpendalTree {
        self.azure_with("account_key", "a2V5")
    }

    /// Opened by a shared access signature.
    pub fn azure_by_signature(&self) -> OpendalTree {
        self.azure_with("sas_token", "sv=2024-11-04&sig=c2ln")
    }

    fn azure_with(&self, name: &'static str, secret: &str) -> OpendalTree {
        let options = [("endpoint", self.endpoint()), ("account_name", "me".to_owned()), (name, secret.to_owned())];
        AZBLOB.tree(&Location::parse("azblob://bucket".as_ref()).unwrap(), &Settings::of(options.to_vec())).unwrap()
    }

    pub fn object(&self, key: &str) -> Object {
        self.state.lock().unwrap().objects[key].clone()
    }

    pub fn count(&self, method: &str) -> usize {
        self.state.lock().unwrap().requests.iter().filter(|request| request.method == method).count()
    }
}

fn answer(request: &Request, state: &mut Objects) -> Answer {
    let key = request.path.strip_prefix("/bucket").unwrap_or_default().trim_start_matches('/').to_owned();
    let query = |name: &str| request.query.get(name).map(String::as_str);
    let is_azure = request.headers.contains_key("x-ms-version") || query("sig").is_some();
    match request.method.as_str() {
        _ if query("list-type").is_some() || query("comp") == Some("list") => listed(request, state),
        "POST" if query("uploads").is_some() => {
            let id = state.uploads.len().to_string();
            state.uploads.insert(id.clone(), (kept(request), BTreeMap::new()));
            Answer::new(200, format!("<R><UploadId>{id}</UploadId></R>"))
        }
        "POST" => {
            let Some((headers, parts)) = state.uploads.remove(query("uploadId").unwrap()) else {
                return Answer::new(404, "<Error><Code>NoSuchUpload</Code></Error>");
            };
            let content: Vec<u8> = parts.into_values().flatten().collect();
            state.objects.insert(key, Object { content, headers });
            Answer::new(200, "<R><ETag>\"x-2\"</ETag></R>")
        }
        "PUT" if query("comp") == Some("block") => {
            state.blocks.insert(query("blockid").unwrap().to_owned(), request.body.clone());
            Answer::new(201, "")
        }
        "PUT" if query("comp") == Some("blocklist") => {
            let list = String::from_utf8(request.body.clone()).unwrap();
            let ids = list.split("<Latest>").skip(1).map(|rest| rest.split('<').next().unwrap());
            let content = ids.flat_map(|id| state.blocks[id].clone()).collect();
            state.objects.insert(key, Object { content, headers: kept(request) });
            Answer::new(201, "")
        }
        "PUT" => {
            let md5 = Md5::digest(&request.body);
            let etag = format!("\"{}\"", hex(&md5));
            match query("uploadId") {
                Some(id) => {
                    let number = query("partNumber").unwrap().parse().unwrap();
                    state.uploads.get_mut(id).unwrap().1.insert(number, request.body.clone());
                }
                None => {
                    state.objects.insert(key, Object { content: request.body.clone(), headers: kept(request) });
                }
            }
            let status = if is_azure { 201 } else { 200 };
            let stored = Answer::new(status, "").with("ETag", etag);
            if is_azure { stored.with("Content-MD5", opendal::raw::format_content_md5(&request.body)) } else { stored }
        }
        "DELETE" => {
            let was_there = state.objects.remove(&key).is_some();
            match is_azure {
                true if was_there => Answer::new(202, ""),
                true => Answer::new(404, "").with("x-ms-error-code", "BlobNotFound"),
                false => Answer::new(204, ""),
            }
        }
        _ => match state.objects.get(&key) {
            None => Answer::new(404, ""),
            Some(Object { content, headers }) => {
                let mut answer = request.ranged(content).with("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT");
                for (name, value) in headers {
                    let name: &'static str = name.clone().leak();
                    answer = answer.with(name, value);
                }
                answer.with("ETag", format!("\"{}\"", hex(&Md5::digest(content)))).with("x-ms-blob-type", "BlockBlob")
            }
        },
    }
}

/// The headers that are kept with an object.
fn kept(request: &Request) -> Headers {
    let mut kept = Headers::new();
    for (name, value) in &request.headers {
        let name = name.strip_prefix("x-ms-blob-").unwrap_or(name);
        let standard = ["content-type", "content-encoding", "cache-control", "content-disposition"];
        if name.starts_with("x-amz-meta-") || name.starts_with("x-ms-meta-") || standard.contains(&name) {
            kept.insert(name.to_owned(), value.clone());
        }
    }
    kept
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn listed(request: &Request, state: &Objects) -> Answer {
    let prefix = request.query.get("prefix").cloned().unwrap_or_default();
    let (is_azure, mut contents, mut prefixes) = (request.query.contains_key("comp"), String::new(), BTreeSet::new());
    let deep = request.query.get("delimiter").is_none_or(String::is_empty);
    for (key, object) in state.objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
        let length = object.content.len();
        match key[prefix.len()..].split_once('/').filter(|_| !deep) {
            Some((name, _)) => drop(prefixes.insert(format!("{prefix}{name}/"))),
            None if is_azure => {
                contents += &format!(
                    "<Blob><Name>{key}</Name><Properties><Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified>\
                     <Etag>x</Etag><Content-Length>{length}</Content-Length><Content-Type>x/y</Content-Type>\
                     <BlobType>BlockBlob</BlobType></Properties></Blob>"
                );
            }
            None => {
                contents += &format!(
                    "<Contents><Key>{key}</Key><Size>{length}</Size><LastModified>2026-01-01T00:00:00.000Z\
                     </LastModified></Contents>"
                );
            }
        }
    }
    let of =
        |open: &str, close: &str| prefixes.iter().map(|prefix| format!("{open}{prefix}{close}")).collect::<String>();
    Answer::new(
        200,
        if is_azure {
            let prefixes = of("<BlobPrefix><Name>", "</Name></BlobPrefix>");
            format!("<EnumerationResults><Blobs>{contents}{prefixes}</Blobs><NextMarker/></EnumerationResults>")
        } else {
            let prefixes = of("<CommonPrefixes><Prefix>", "</Prefix></CommonPrefixes>");
            format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}{prefixes}</ListBucketResult>")
        },
    )
}
