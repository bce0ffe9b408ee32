//! Listings of object stores in which every key is visible.
//!
//! OpenDAL treats keys as paths: it shows `a//b` and `/a` as something else, and a directory marker without its size.
//! This transport rewrites the answers to listings before OpenDAL reads them. An empty part of a key becomes [`EMPTY`],
//! and a marker with content becomes a file [`CONTENT`] in its directory. The listing reports these names; they are
//! never sent to a server.

use std::borrow::Cow;

use http::{Method, Request, Response, Uri};
use opendal::{Buffer, HttpBody, HttpTransport, HttpTransporter, Result};
use serde_json::Value;

/// The name of an empty part of a key.
pub(crate) const EMPTY: &str = "\u{f8f0}";
/// The name of the content of a directory marker.
pub(crate) const CONTENT: &str = "\u{f8f1}";

/// The key as the store has it.
pub(crate) fn real_key(shown: &str) -> String {
    shown.replace(EMPTY, "").replace(CONTENT, "")
}

/// A transport that shows all keys in the answers to listings.
pub(crate) fn visible(inner: HttpTransporter) -> HttpTransporter {
    HttpTransporter::new(VisibleKeys(inner))
}

struct VisibleKeys(HttpTransporter);

impl HttpTransport for VisibleKeys {
    async fn fetch(&self, request: Request<Buffer>) -> Result<Response<HttpBody>> {
        let format = if request.method() == Method::GET { Format::of(request.uri()) } else { None };
        let answer = self.0.fetch(request).await?;
        let Some(format) = format.filter(|_| answer.status().is_success()) else { return Ok(answer) };
        let (head, mut body) = answer.into_parts();
        let body = body.to_buffer().await?;
        let bytes = body.to_bytes();
        let shown = match std::str::from_utf8(&bytes).ok().map(|text| format.show(text)) {
            Some(Cow::Owned(text)) => Buffer::from(text),
            _ => body,
        };
        let length = shown.len() as u64;
        Ok(Response::from_parts(head, HttpBody::new(tokio_stream::iter([Ok(shown)]), Some(length))))
    }
}

/// The format of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// S3 and Azure.
    Xml,
    /// Google Cloud Storage.
    Json,
}

impl Format {
    /// The format of the answer, if the address is that of a listing.
    fn of(uri: &Uri) -> Option<Self> {
        let query = uri.query().unwrap_or_default();
        let has = |parameter: &str| query.split('&').any(|pair| pair == parameter);
        if has("list-type=2") || has("comp=list") {
            Some(Self::Xml)
        } else if uri.path().starts_with("/storage/v1/b/") && uri.path().ends_with("/o") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn show(self, listing: &str) -> Cow<'_, str> {
        match self {
            Self::Xml => show_xml(listing),
            Self::Json => show_json(listing),
        }
    }
}

/// A key with a name for each part. `has_content`: it is an object that is not empty.
fn show_key(key: &str, has_content: bool) -> Cow<'_, str> {
    let has_empty_part = key.starts_with('/') || key.contains("//");
    let is_marker = key.ends_with('/') && has_content;
    if !(has_empty_part || is_marker) {
        return Cow::Borrowed(key);
    }
    let (parts, end) = match key.strip_suffix('/') {
        Some(parts) => (parts, "/"),
        None => (key, ""),
    };
    let parts: Vec<_> = parts.split('/').map(|part| if part.is_empty() { EMPTY } else { part }).collect();
    Cow::Owned(parts.join("/") + end + if is_marker { CONTENT } else { "" })
}

/// The elements that hold keys and prefixes.
const KEY_ELEMENTS: [&str; 3] = ["<Key>", "<Name>", "<Prefix>"];
/// The elements that hold the size of the object whose key precedes.
const SIZE_ELEMENTS: [&str; 2] = ["<Size>", "<Content-Length>"];

fn show_xml(listing: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut copied = 0;
    let mut from = 0;
    while let Some(at) = listing[from..].find('<').map(|at| from + at) {
        from = at + 1;
        let Some(element) = KEY_ELEMENTS.iter().find(|element| listing[at..].starts_with(**element)) else { continue };
        let start = at + element.len();
        let Some(end) = listing[start..].find('<').map(|end| start + end) else { break };
        from = end;
        if let Cow::Owned(key) = show_key(&listing[start..end], has_content(&listing[end..])) {
            shown.push_str(&listing[copied..start]);
            shown.push_str(&key);
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(listing);
    }
    shown.push_str(&listing[copied..]);
    Cow::Owned(shown)
}

/// Whether the size that follows a key, before the next key, is not 0.
fn has_content(after_key: &str) -> bool {
    let next_key = KEY_ELEMENTS.iter().filter_map(|element| after_key.find(element)).min();
    let object = &after_key[..next_key.unwrap_or(after_key.len())];
    SIZE_ELEMENTS.iter().any(|element| {
        let size = object.split_once(element).and_then(|(_, rest)| rest.split_once('<'));
        size.is_some_and(|(size, _)| size.trim() != "0")
    })
}

fn show_json(listing: &str) -> Cow<'_, str> {
    let Ok(mut value) = serde_json::from_str::<Value>(listing) else { return Cow::Borrowed(listing) };
    let mut is_changed = false;
    let mut show = |key: &mut Value, has_content| {
        if let Some(Cow::Owned(shown)) = key.as_str().map(|key| show_key(key, has_content)) {
            *key = Value::String(shown);
            is_changed = true;
        }
    };
    for item in value["items"].as_array_mut().into_iter().flatten() {
        let has_content = item["size"].as_str().is_some_and(|size| size != "0");
        show(&mut item["name"], has_content);
    }
    for prefix in value["prefixes"].as_array_mut().into_iter().flatten() {
        show(prefix, false);
    }
    if is_changed { Cow::Owned(value.to_string()) } else { Cow::Borrowed(listing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_key_gets_a_name() {
        for (key, shown) in [
            ("a//b", "a/\u{f8f0}/b"),
            ("/lead", "\u{f8f0}/lead"),
            ("/", "\u{f8f0}/"),
            ("a//", "a/\u{f8f0}/"),
            ("a///b", "a/\u{f8f0}/\u{f8f0}/b"),
        ] {
            assert_eq!(show_key(key, false), shown);
            assert_eq!(real_key(shown), key);
        }
        for plain in ["a", "a/b", "a/", "./a", "../a", ""] {
            assert_eq!(show_key(plain, false), plain);
        }
        assert_eq!(show_key("a/", true), "a/\u{f8f1}");
        assert_eq!(real_key("a/\u{f8f1}"), "a/");
        assert_eq!(show_key("a", true), "a");
    }

    #[test]
    fn listings_of_s3_and_azure_keep_all_else() {
        let s3 = |key: &str, prefix: &str| {
            format!(
                "<L xmlns=\"http://s3.amazonaws.com/doc//\"><Name>b</Name><Prefix></Prefix><Contents><Key>{key}</Key>\
                 <Size>0</Size></Contents><Contents><Key>d/</Key><Size>0</Size></Contents><CommonPrefixes><Prefix>{prefix}\
                 </Prefix></CommonPrefixes></L>"
            )
        };
        assert_eq!(show_xml(&s3("/a", "x//")), s3("\u{f8f0}/a", "x/\u{f8f0}/"));
        assert!(matches!(show_xml(&s3("a", "x/")), Cow::Borrowed(_)));
        let azure = |name: &str| {
            format!(
                "<B><Blob><Name>{name}</Name><Properties><Content-Length>5</Content-Length></Properties></Blob>\
                 <BlobPrefix><Name>p/</Name></BlobPrefix></B>"
            )
        };
        assert_eq!(show_xml(&azure("dir/")), azure("dir/\u{f8f1}"));
    }

    #[test]
    fn listings_of_google_keep_all_else() {
        let listing = r#"{"items":[{"name":"a//b","size":"1"},{"name":"d/","size":"3"}],"prefixes":["/"],"x":1}"#;
        let shown: Value = serde_json::from_str(&show_json(listing)).unwrap();
        assert_eq!(shown["items"][0]["name"], "a/\u{f8f0}/b");
        assert_eq!(shown["items"][1]["name"], "d/\u{f8f1}");
        assert_eq!((&shown["prefixes"][0], &shown["x"]), (&Value::from("\u{f8f0}/"), &Value::from(1)));
        assert!(matches!(show_json(r#"{"items":[{"name":"a","size":"1"}]}"#), Cow::Borrowed(_)));
    }

    #[test]
    fn only_listings_are_rewritten() {
        let format = |uri: &str| Format::of(&uri.parse().unwrap());
        assert_eq!(format("http://h/b/?list-type=2&prefix=a"), Some(Format::Xml));
        assert_eq!(format("http://h/c?restype=container&comp=list"), Some(Format::Xml));
        assert_eq!(format("http://h/storage/v1/b/bucket/o?prefix=a"), Some(Format::Json));
        assert_eq!(format("http://h/b/object?x=list-type=2"), None);
        assert_eq!(format("http://h/storage/v1/b/bucket/o/object?alt=media"), None);
    }
}
