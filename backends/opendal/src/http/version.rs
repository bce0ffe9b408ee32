//! Which version of an object the responses of one read come from: they must all come from the same.
//!
//! A large file takes several requests where a connection breaks, or under a bandwidth limit. What is asked for again may
//! have been overwritten meanwhile. `If-Match` says so where the server knows it; the headers of the responses say so
//! everywhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, LAST_MODIFIED, RANGE};
use http::{Request, StatusCode};
use opendal::raw::Operation;
use opendal::{Error, ErrorKind, Result};

use crate::etag::opaque;

tokio::task_local! {
    /// The read that the requests of this task belong to.
    static READ: Arc<Version>;
}

/// Prefixes of the headers that carry user metadata.
const USER_METADATA: [&str; 3] = ["x-amz-meta-", "x-ms-meta-", "x-goog-meta-"];
/// Google's name of a version.
const GENERATION: &str = "x-goog-generation";

/// The version of one file that is read: that of the first response.
#[derive(Debug, Default)]
pub(crate) struct Version(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    first: Option<Identity>,
    user_metadata: HashMap<String, String>,
    ignores_ranges: bool,
    has_no_length: bool,
    /// Whether stats before and after the read are compared.
    is_compared_by_stats: bool,
}

/// What tells two versions apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    etag: Option<String>,
    generation: Option<String>,
    modified: Option<String>,
    size_bytes: Option<u64>,
}

impl Version {
    /// Checks the responses to all requests of `reading` against this version.
    pub(crate) async fn check_all<T>(self: &Arc<Self>, reading: impl Future<Output = T>) -> T {
        READ.scope(Arc::clone(self), reading).await
    }

    /// The headers of the first response that are user metadata, without their prefix.
    pub(crate) fn user_metadata(&self) -> HashMap<String, String> {
        self.known().user_metadata.clone()
    }

    /// Whether the server sent all of a file where a part was asked for.
    pub(crate) fn ignores_ranges(&self) -> bool {
        self.known().ignores_ranges
    }

    /// Whether the server sent a file without saying how long it is.
    pub(crate) fn has_no_length(&self) -> bool {
        self.known().has_no_length
    }

    /// From now on the responses need not name their version: a stat after the last one shows another version, too.
    pub(crate) fn is_compared_by_stats(&self) {
        self.known().is_compared_by_stats = true;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the first response, and compares each further one with it. The rest of a file, `from` some byte on, is not
    /// accepted if nothing tells of which version it is.
    fn check(&self, headers: &HeaderMap, from: u64) -> Result<()> {
        let (now, mut known) = (Identity::of(headers), self.known());
        let is_comparable = known.first.as_ref().unwrap_or(&now).is_comparable(&now);
        if from > 0 && !is_comparable && !known.is_compared_by_stats {
            return Err(Error::new(ErrorKind::ConditionNotMatch, "the server does not say which version it has now"));
        }
        match &known.first {
            None => {
                known.user_metadata = user_metadata(headers);
                known.first = Some(now);
                Ok(())
            }
            Some(first) if first.is_same(&now) => Ok(()),
            Some(_) => Err(Error::new(ErrorKind::ConditionNotMatch, "the server has another version now")),
        }
    }
}

impl Identity {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let total = match text(CONTENT_RANGE.as_str()) {
            Some(range) => range.rsplit_once('/').map(|(_, total)| total.to_owned()),
            None => text(CONTENT_LENGTH.as_str()),
        };
        Self {
            etag: text(ETAG.as_str()),
            generation: text(GENERATION),
            modified: text(LAST_MODIFIED.as_str()),
            size_bytes: total.and_then(|total| total.trim().parse().ok()),
        }
    }

    /// Whether two versions would differ in something that both say.
    fn is_comparable(&self, other: &Self) -> bool {
        let both = |one: &Option<String>, other: &Option<String>| one.is_some() && other.is_some();
        both(&self.etag, &other.etag)
            || both(&self.generation, &other.generation)
            || both(&self.modified, &other.modified)
    }

    /// Whether both are of one version. What only one of them says does not count.
    fn is_same(&self, other: &Self) -> bool {
        let differ = |one: &Option<String>, other: &Option<String>| {
            one.as_ref().zip(other.as_ref()).is_some_and(|(one, other)| one != other)
        };
        let etags = self.etag.as_deref().zip(other.etag.as_deref());
        if etags.is_some_and(|(one, other)| opaque(one) != opaque(other)) || differ(&self.generation, &other.generation)
        {
            return false;
        }
        // Not every server has ETags that are worth their name.
        let sizes_differ = self.size_bytes.zip(other.size_bytes).is_some_and(|(one, other)| one != other);
        !sizes_differ && !differ(&self.modified, &other.modified)
    }
}

fn user_metadata(headers: &HeaderMap) -> HashMap<String, String> {
    let of = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let key = USER_METADATA.iter().find_map(|prefix| name.as_str().strip_prefix(prefix))?;
        Some((key.to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(of).collect()
}

/// What a request for content asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Where the range begins, if it was one.
    from: Option<u64>,
    is_directory: bool,
}

impl Asked {
    /// `None` if it is a request for something else.
    pub(crate) fn of<T>(request: &Request<T>) -> Option<Self> {
        if request.extensions().get::<Operation>() != Some(&Operation::Read) {
            return None;
        }
        let range = request.headers().get(RANGE).and_then(|range| range.to_str().ok());
        let from = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')?.0.parse().ok());
        Some(Self { from, is_directory: request.uri().path().ends_with('/') })
    }

    /// Checks the response, which came from `path` after redirections, before any of its content is used.
    pub(crate) fn check(&self, status: StatusCode, headers: &HeaderMap, path: &str) -> Result<()> {
        if status == StatusCode::PRECONDITION_FAILED {
            // Services have names of their own for it.
            return Err(Error::new(ErrorKind::ConditionNotMatch, "the server has another version now"));
        }
        if !status.is_success() {
            return Ok(());
        }
        if path.ends_with('/') && !self.is_directory {
            return Err(Error::new(ErrorKind::IsADirectory, "the server shows a page for a directory"));
        }
        if self.from.is_some() && status != StatusCode::PARTIAL_CONTENT {
            note(|known| known.ignores_ranges = true);
            return Err(Error::new(ErrorKind::Unsupported, "the server sends whole files only, not parts of them"));
        }
        let starts_at = |range: &str| range.trim().strip_prefix("bytes ")?.split_once('-')?.0.parse::<u64>().ok();
        let starts_at = headers.get(CONTENT_RANGE).and_then(|range| starts_at(range.to_str().ok()?));
        if self.from.zip(starts_at).is_some_and(|(asked, given)| asked != given) {
            return Err(Error::new(ErrorKind::Unexpected, "the server sent another part than it was asked for"));
        }
        if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(CONTENT_RANGE) {
            note(|known| known.has_no_length = true);
        }
        READ.try_with(|version| version.check(headers, self.from.unwrap_or(0))).unwrap_or(Ok(()))
    }
}

/// Notes something of the read that this task belongs to, if it belongs to one.
fn note(change: impl FnOnce(&mut Known)) {
    let _ = READ.try_with(|version| change(&mut version.known()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn ranged(range: &str) -> Asked {
        let request = Request::get("http://host/key").header(RANGE, range).extension(Operation::Read);
        Asked::of(&request.body(()).unwrap()).unwrap()
    }

    #[test]
    fn versions_differ_by_what_both_responses_say() {
        let first = Identity::of(&headers(&[("etag", "\"a\""), ("last-modified", "1"), ("content-length", "9")]));
        let same = |pairs: &[_]| first.is_same(&Identity::of(&headers(pairs)));
        assert!(same(&[("etag", "\"a\""), ("last-modified", "1"), ("content-range", "bytes 0-3/9")]));
        assert!(!same(&[("etag", "\"a\""), ("last-modified", "2"), ("content-range", "bytes 0-3/9")]), "stored again");
        assert!(same(&[("last-modified", "1"), ("content-length", "9")]));
        assert!(same(&[]));
        assert!(!same(&[("etag", "\"b\""), ("last-modified", "1"), ("content-length", "9")]));
        assert!(!same(&[("last-modified", "2")]));
        assert!(!same(&[("etag", "\"a\""), ("content-range", "bytes 0-3/10")]));
        let weak = |modified| Identity::of(&headers(&[("etag", "W/\"a\""), ("last-modified", modified)]));
        assert!(!weak("1").is_same(&weak("2")), "a weak one says little");
        assert!(first.is_same(&weak("1")) && !first.is_same(&weak("2")), "it became a strong one");
        let of = |generation| Identity::of(&headers(&[("x-goog-generation", generation)]));
        assert!(!of("1").is_same(&of("2")));
    }

    #[tokio::test]
    async fn what_is_not_the_part_that_was_asked_for_is_not_used() {
        let version = Arc::new(Version::default());
        let check = async |asked: Asked, status: u16, pairs: &[_]| {
            let status = StatusCode::from_u16(status).unwrap();
            version.check_all(async { asked.check(status, &headers(pairs), "/key") }).await.map_err(|e| e.kind())
        };
        version.is_compared_by_stats();
        assert_eq!(check(ranged("bytes=5-9"), 206, &[("content-range", "bytes 5-9/20")]).await, Ok(()));
        assert_eq!(
            check(ranged("bytes=5-9"), 206, &[("content-range", "bytes 0-4/20")]).await,
            Err(ErrorKind::Unexpected)
        );
        assert!(!version.ignores_ranges());
        assert_eq!(check(ranged("bytes=5-"), 200, &[("content-length", "20")]).await, Err(ErrorKind::Unsupported));
        assert!(version.ignores_ranges());
        assert_eq!(check(ranged("bytes=5-"), 404, &[]).await, Ok(()), "an error is read by the service");
        assert_eq!(
            check(ranged("bytes=5-9"), 206, &[("content-range", "bytes 5-9/21")]).await,
            Err(ErrorKind::ConditionNotMatch)
        );
    }

    #[tokio::test]
    async fn the_rest_of_an_unknown_version_is_not_used() {
        let (named, unnamed) = ([("etag", "\"a\"")], [("x-none", "")]);
        for (first, second, is_used) in
            [(&named, &named, true), (&named, &unnamed, false), (&unnamed, &named, false), (&unnamed, &unnamed, false)]
        {
            let version = Arc::new(Version::default());
            let check = async |range: &str, pairs: &[_]| {
                let pairs = headers(pairs);
                let checking = async { ranged(range).check(StatusCode::PARTIAL_CONTENT, &pairs, "/key") };
                version.check_all(checking).await.is_ok()
            };
            assert!(check("bytes=0-4", first).await, "the beginning is of one version");
            assert_eq!(check("bytes=5-9", second).await, is_used, "{first:?}, {second:?}");
            version.is_compared_by_stats();
            assert!(check("bytes=5-9", second).await);
        }
    }

    #[test]
    fn a_redirection_to_a_directory_is_no_file() {
        let request = Request::get("http://host/key").extension(Operation::Read).body(()).unwrap();
        let check = |path| Asked::of(&request).unwrap().check(StatusCode::OK, &HeaderMap::new(), path);
        assert_eq!(check("/key/").unwrap_err().kind(), ErrorKind::IsADirectory);
        assert!(check("/elsewhere/key").is_ok());
        assert!(Asked::of(&Request::get("http://host/key").body(()).unwrap()).is_none());
    }
}
