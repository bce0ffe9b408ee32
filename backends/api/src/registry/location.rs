//! Where a tree is: a local path, or a URL.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::secret::Secret;

/// Where a tree is.
///
/// `scheme://…` is a URL; everything else is a path. A path that looks like a URL is written with a leading `./`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A local path, as it was given.
    Path(PathBuf),
    /// A URL.
    Url(Url),
}

/// A URL: `scheme://authority/path?option=value&…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    scheme: String,
    authority: String,
    path: String,
    options: Vec<(String, Secret)>,
}

/// Why a text is not a location. It never repeats anything that could be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidLocation(String);

impl fmt::Display for InvalidLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidLocation {}

impl Location {
    /// Parses a text as users write it.
    ///
    /// # Errors
    /// If it is empty or an invalid URL, or if it has a password, which would be visible in the shell's history and in
    /// the list of processes.
    pub fn parse(text: &OsStr) -> Result<Self, InvalidLocation> {
        if text.is_empty() {
            return Err(InvalidLocation("an empty text is neither a path nor a URL".to_owned()));
        }
        match scheme_of(text.as_bytes()) {
            None => Ok(Self::Path(PathBuf::from(text))),
            Some((scheme, rest)) => {
                let url = Url::parse(scheme, rest)?;
                if url.scheme == "file" { url.into_path().map(Self::Path) } else { Ok(Self::Url(url)) }
            }
        }
    }

    /// The path, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Url(_) => None,
        }
    }
}

/// A path as it is; a URL without its options.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Url(url) => url.fmt(f),
        }
    }
}

impl Url {
    fn parse(scheme: &str, rest: &[u8]) -> Result<Self, InvalidLocation> {
        let scheme = scheme.to_ascii_lowercase();
        let wrong = |what: &str| InvalidLocation(format!("this {scheme} URL {what}"));
        let rest = std::str::from_utf8(rest).map_err(|_| wrong("is not valid UTF-8"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if let Some((user, _)) = authority.rsplit_once('@')
            && user.contains(':')
        {
            return Err(wrong(
                "has a password, which everyone could see: set it in the environment or in the configuration file",
            ));
        }
        let decode = |part: &str| {
            decode(part).ok_or_else(|| {
                wrong("has a `%` that is not followed by two hex digits of UTF-8 (write `%25` for the sign itself)")
            })
        };
        let mut options = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
            options.push((decode(name)?, Secret::new(decode(value)?)));
        }
        let path = decode(path)?;
        let path = path.trim_end_matches('/');
        if path.split('/').any(|name| name == "." || name == "..") || path.contains("//") || path.starts_with('/') {
            return Err(wrong("has an empty, `.` or `..` component in its path"));
        }
        Ok(Self { authority: decode(authority)?, path: path.to_owned(), options, scheme })
    }

    /// The local path of a URL `file:///…`.
    fn into_path(self) -> Result<PathBuf, InvalidLocation> {
        if !matches!(self.authority.as_str(), "" | "localhost") {
            return Err(InvalidLocation(format!("a file URL names no host: file:///{} (three slashes)", self.path)));
        }
        match self.options.first() {
            Some((name, _)) => Err(InvalidLocation(format!("a file URL has no options, but this one has `{name}`"))),
            None => Ok(PathBuf::from(format!("/{}", self.path))),
        }
    }

    /// The scheme, in lower case: `s3`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The part between `//` and the next `/`: a bucket, or `user@host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The user, host and port of the authority.
    pub fn user_host_port(&self) -> (Option<&str>, &str, Option<u16>) {
        let (user, host) = match self.authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, self.authority.as_str()),
        };
        match host.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
            Some((host, port)) => (user, host, Some(port)),
            None => (user, host, None),
        }
    }

    /// The path below the authority, without a slash at either end; empty for none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The options, in their order.
    pub(super) fn options(&self) -> &[(String, Secret)] {
        &self.options
    }

    /// Whether `other` lies at or below this URL, judging by the names only.
    pub fn contains(&self, other: &Self) -> bool {
        let rest = other.path.strip_prefix(&self.path);
        (&self.scheme, &self.authority) == (&other.scheme, &other.authority)
            && (self.path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}

/// The URL without its options: it names the tree, and never holds a secret.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, "/{}", self.path) }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

/// The scheme and what follows `://`, if this is a URL (RFC 3986).
fn scheme_of(text: &[u8]) -> Option<(&str, &[u8])> {
    let at = text.windows(3).position(|window| window == b"://")?;
    let scheme = std::str::from_utf8(&text[..at]).ok()?;
    let mut characters = scheme.chars();
    let first = characters.next().is_some_and(|c| c.is_ascii_alphabetic());
    (first && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
        .then(|| (scheme, &text[at + 3..]))
}

/// Decodes percent-encoded text.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        match Location::parse(OsStr::new(text)) {
            Ok(Location::Url(url)) => url,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn problem(text: &str) -> String {
        Location::parse(OsStr::new(text)).unwrap_err().to_string()
    }

    #[test]
    fn what_has_no_scheme_is_a_path() {
        for path in ["/mnt/x", "relative/x", "./s3://bucket", "a:b", "C:\\x", "/a://b", "3s://x", "-://", " s3://x"] {
            assert_eq!(Location::parse(OsStr::new(path)), Ok(Location::Path(path.into())), "{path}");
        }
        let odd = OsStr::from_bytes(b"/mnt/\xff\n");
        assert_eq!(Location::parse(odd), Ok(Location::Path(odd.into())));
    }

    #[test]
    fn a_file_url_is_the_path() {
        assert_eq!(Location::parse(OsStr::new("file:///mnt/a%20b/")), Ok(Location::Path("/mnt/a b".into())));
        assert_eq!(Location::parse(OsStr::new("file://localhost/mnt")), Ok(Location::Path("/mnt".into())));
        assert!(problem("file://mnt/x").contains("three slashes"));
        assert!(problem("file:///x?a=b").contains("`a`"));
    }

    #[test]
    fn a_url_has_its_parts() {
        let bucket = url("S3://Bucket/a/b%3Fc/?endpoint=http%3A%2F%2Fx&path_style");
        assert_eq!((bucket.scheme(), bucket.authority(), bucket.path()), ("s3", "Bucket", "a/b?c"));
        let options: Vec<_> = bucket.options().iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(options, [("endpoint", "http://x"), ("path_style", "true")]);
        assert_eq!(bucket.to_string(), "s3://Bucket/a/b?c", "options name no tree");
        assert_eq!(url("sftp://me@host:2222/x").user_host_port(), (Some("me"), "host", Some(2222)));
        assert_eq!(url("mem://").authority(), "");
    }

    #[test]
    fn passwords_and_paths_that_lead_elsewhere_are_rejected() {
        let problem = |text| problem(text);
        assert!(problem("sftp://me:hunter2@host/x").contains("environment"));
        assert!(!problem("sftp://me:hunter2@host/x").contains("hunter2"));
        for text in
            ["s3://b/../c", "s3://b/a//c", "s3://b//c", "s3://b/%2e%2e/c", "s3://b/%zz", "s3://b/%ff", "s3://b/%00"]
        {
            assert!(Location::parse(OsStr::new(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn options_are_not_shown() {
        let url = url("s3://b?token=hunter2");
        assert!(!format!("{url} {url:?} {:?}", Location::Url(url.clone())).contains("hunter2"));
    }

    #[test]
    fn one_tree_contains_another_by_whole_names() {
        assert!(url("s3://b/a").contains(&url("s3://b/a/c")) && url("s3://b").contains(&url("s3://b/a")));
        assert!(url("s3://b/a").contains(&url("s3://b/a/")));
        for (one, other) in [("s3://b/a", "s3://b/ab"), ("s3://b/a", "s3://c/a"), ("s3://b/a/c", "s3://b/a")] {
            assert!(!url(one).contains(&url(other)), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_location_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(Location::Path(path)) = Location::parse(OsStr::from_bytes(&bytes)) {
                prop_assert!(path.as_os_str().as_bytes() == bytes || bytes.to_ascii_lowercase().starts_with(b"file://"));
            }
        }

        #[test]
        fn encoded_text_is_decoded(text in "[^\0]{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decode(&encoded), Some(text));
        }
    }
}
