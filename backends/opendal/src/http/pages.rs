//! Checks that the pages of a listing lead to an end: OpenDAL asks for the next one as long as the server names it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::{Method, Uri};

use super::answer::unescaped;

/// Pages in a row without an entry: stores with very many deleted versions have such pages, but not so many.
const MAX_EMPTY_PAGES: u32 = 10_000;
/// Listings that are followed at a time; beyond that, those in flight are followed from their next page on.
const MAX_LISTINGS: usize = 4096;

/// The listings in flight, by the token of their next page.
#[derive(Debug, Default)]
pub(crate) struct Pages(Mutex<HashMap<String, Progress>>);

/// How far a listing is. A token that comes back is found by comparing with one that is replaced after 1, 2, 4, 8 … pages.
#[derive(Clone, Debug, Default)]
struct Progress {
    compared_with: String,
    pages_until_replaced: u32,
    period: u32,
    empty_pages: u32,
}

/// How a service names the next page.
enum Service {
    S3,
    Azure,
    Google,
}

impl Service {
    fn of(method: &Method, uri: &Uri) -> Option<(Self, Option<String>)> {
        let query = uri.query().unwrap_or_default();
        let has = |pair: &str| query.split('&').any(|found| found == pair);
        let value = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == name).map(|(_, value)| decoded(value)).find(|value| !value.is_empty())
        };
        match () {
            () if *method != Method::GET => None,
            () if has("list-type=2") => Some((Self::S3, value("continuation-token"))),
            () if has("comp=list") => Some((Self::Azure, value("marker"))),
            () if uri.path().ends_with("/o") && !has("alt=media") => Some((Self::Google, value("pageToken"))),
            () => None,
        }
    }

    /// The token of the next page.
    fn next(&self, body: &str) -> Option<String> {
        let between = |start: &str, end: &str| {
            let (_, rest) = body.split_once(start)?;
            rest.split_once(end).map(|(value, _)| unescaped(value)).filter(|value| !value.is_empty())
        };
        match self {
            Self::S3 => between("<NextContinuationToken>", "</NextContinuationToken>"),
            Self::Azure => between("<NextMarker>", "</NextMarker>"),
            Self::Google => {
                let (_, rest) = body.split_once("\"nextPageToken\"")?;
                rest.trim_start_matches([':', ' '])
                    .strip_prefix('"')?
                    .split_once('"')
                    .map(|(token, _)| token.to_owned())
            }
        }
    }

    fn has_entries(&self, body: &str) -> bool {
        let marks: &[&str] = match self {
            Self::S3 => &["<Contents>", "<CommonPrefixes>"],
            Self::Azure => &["<Blob>", "<BlobPrefix>"],
            Self::Google => &["\"items\"", "\"prefixes\""],
        };
        marks.iter().any(|mark| body.contains(mark))
    }
}

/// Whether the answer to this request is a page of a listing.
pub(crate) fn is_listing(method: &Method, uri: &Uri) -> bool {
    Service::of(method, uri).is_some()
}

impl Pages {
    /// Checks a page.
    ///
    /// # Errors
    /// If the listing has no end.
    pub(crate) fn check(&self, method: &Method, uri: &Uri, body: &str) -> Result<(), String> {
        let Some((service, token)) = Service::of(method, uri) else { return Ok(()) };
        let Some(next) = service.next(body) else {
            let says_more = matches!(service, Service::S3) && body.contains("<IsTruncated>true</IsTruncated>");
            return match says_more {
                true => Err("the server says that the listing goes on (IsTruncated), and names no next page \
                             (NextContinuationToken)"
                    .to_owned()),
                false => Ok(()),
            };
        };
        let mut listings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut progress = token.as_ref().and_then(|token| listings.get(token).cloned()).unwrap_or_default();
        if token.as_ref() == Some(&next) || progress.compared_with == next {
            return Err("the server names a page of the listing again that it has sent before".to_owned());
        }
        progress.empty_pages = if service.has_entries(body) { 0 } else { progress.empty_pages + 1 };
        if progress.empty_pages > MAX_EMPTY_PAGES {
            return Err(format!("the server sent {MAX_EMPTY_PAGES} empty pages of the listing, and names a next one"));
        }
        if progress.pages_until_replaced == 0 {
            progress.period = (progress.period * 2).max(1);
            (progress.pages_until_replaced, progress.compared_with) = (progress.period, next.clone());
        }
        progress.pages_until_replaced -= 1;
        if listings.len() >= MAX_LISTINGS {
            listings.clear();
        }
        // The one before stays: its page may be asked for again.
        listings.insert(next, progress);
        Ok(())
    }
}

/// A value of a query.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        rest = match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                after.get(2..).unwrap_or_default()
            }
            None => {
                bytes.push(first);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(token: Option<&str>) -> Uri {
        let token = token.map(|token| format!("&continuation-token={token}")).unwrap_or_default();
        format!("http://host/bucket?list-type=2&prefix=a{token}").parse().unwrap()
    }

    fn page(next: &str, entries: &str) -> String {
        format!("<IsTruncated>true</IsTruncated>{entries}<NextContinuationToken>{next}</NextContinuationToken>")
    }

    fn walk(tokens: impl Iterator<Item = String>, entries: &str) -> Result<(), String> {
        let (pages, mut at) = (Pages::default(), None);
        for next in tokens {
            pages.check(&Method::GET, &uri(at.as_deref()), &page(&next, entries))?;
            at = Some(next);
        }
        Ok(())
    }

    #[test]
    fn a_page_that_goes_on_without_a_token_is_an_error() {
        let body = "<IsTruncated>true</IsTruncated><Contents></Contents>";
        assert!(Pages::default().check(&Method::GET, &uri(None), body).unwrap_err().contains("NextContinuationToken"));
        assert!(Pages::default().check(&Method::GET, &uri(None), "<IsTruncated>false</IsTruncated>").is_ok());
    }

    #[test]
    fn a_token_that_comes_back_is_an_error_and_many_pages_are_none() {
        assert!(walk((0..20_000).map(|page| page.to_string()), "<Contents>").is_ok());
        for period in [1, 2, 3, 7] {
            assert!(walk((0..100).map(|page| (page % period).to_string()), "<Contents>").is_err(), "{period}");
        }
        assert!(walk((0..100).map(|page| page.min(5).to_string()), "<Contents>").is_err());
    }

    #[test]
    fn endless_empty_pages_are_an_error() {
        assert!(walk((0..20_000).map(|page| page.to_string()), "").is_err());
        assert!(walk((0..5000).map(|page| page.to_string()), "").is_ok());
    }

    #[test]
    fn pages_of_other_services_are_checked_too() {
        let azure = "<Blobs><Blob></Blob></Blobs><NextMarker>m</NextMarker>";
        let google = r#"{"items": [], "nextPageToken": "t"}"#;
        for (uri, body) in [
            ("https://h/c?restype=container&comp=list&marker=m", azure),
            ("https://h/storage/v1/b/b/o?prefix=a&pageToken=t", google),
        ] {
            assert!(Pages::default().check(&Method::GET, &uri.parse().unwrap(), body).is_err(), "{uri}");
        }
        assert!(Pages::default().check(&Method::GET, &"https://h/c?comp=list".parse().unwrap(), azure).is_ok());
    }
}
