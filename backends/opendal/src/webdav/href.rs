//! References of a multistatus, resolved as RFC 4918 (8.3) and RFC 3986 (5) say, and placed in the folder that was listed.

use http::Uri;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode, utf8_percent_encode};
use reqwest::Url;

/// What no URI holds as it is, and servers send nevertheless, white space and names in UTF-8 among it. A backslash would
/// become a slash. No fragment is allowed in a reference, so that `#` is one of a name.
const NOT_OF_URIS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What is not unreserved: a name goes on as it is, through any decoding.
const RESERVED: &AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To the resource that was asked for.
    Itself,
    /// To its direct member of this name.
    Member(Vec<u8>),
}

/// The resource that was asked for.
#[derive(Debug)]
pub(super) struct Base {
    url: Url,
    segments: Vec<Vec<u8>>,
    /// Its path as OpenDAL wrote it, without a slash at its end.
    path: String,
}

/// A reference that was resolved.
struct Resolved {
    url: Url,
    segments: Vec<Vec<u8>>,
}

impl Base {
    pub(super) fn of(asked: &Uri) -> Result<Self, String> {
        let url = Url::parse(&asked.to_string()).map_err(|problem| problem.to_string())?;
        let segments = segments(&url);
        Ok(Self { url, segments, path: asked.path().trim_end_matches('/').to_owned() })
    }

    /// The path of a member as OpenDAL reads it: the name is whatever it decodes.
    pub(super) fn path_of(&self, name: Option<&str>) -> String {
        match name {
            None => self.path.clone(),
            Some(name) => format!("{}/{}", self.path, utf8_percent_encode(name, RESERVED)),
        }
    }

    /// Whether a reference leads to the resource itself, whichever name the server has.
    pub(super) fn is_itself(&self, href: &str) -> bool {
        self.resolve(href).is_ok_and(|resolved| resolved.segments == self.segments)
    }

    /// The places of all references of a listing.
    ///
    /// # Errors
    /// If one leads elsewhere, or none to the folder itself. A proxy shows the folder under another host: it counts where
    /// the folder itself is described so, with the same path.
    pub(super) fn place_all<'a>(&self, hrefs: impl Iterator<Item = &'a str>) -> Result<Vec<Place>, String> {
        let hrefs: Vec<_> = hrefs.collect();
        let resolved = hrefs.iter().map(|href| self.resolve(href)).collect::<Result<Vec<_>, _>>()?;
        let own = |one: &Resolved| one.url.origin() == self.url.origin();
        let mut itself: Vec<_> = resolved.iter().filter(|one| one.segments == self.segments).collect();
        // One of its own host is the better witness.
        itself.sort_by_key(|one| !own(one));
        let Some(itself) = itself.first() else {
            return Err(match hrefs.first() {
                None => "the server's listing is empty, without even the folder itself".to_owned(),
                Some(href) => format!(
                    "the server's listing does not describe the folder {:?} itself; it begins with {href:?}",
                    self.url.path()
                ),
            });
        };
        let origin = itself.url.origin();
        let placed = resolved.iter().zip(&hrefs).map(|(one, href)| {
            let name = match one.segments.strip_prefix(self.segments.as_slice()) {
                Some([]) => return Ok(Place::Itself),
                Some([name]) if one.url.origin() == origin && !name.iter().any(|byte| matches!(byte, b'/' | 0)) => name,
                _ => return Err(self.elsewhere(href)),
            };
            Ok(Place::Member(name.clone()))
        });
        placed.collect()
    }

    fn elsewhere(&self, href: &str) -> String {
        format!("the server's listing of the folder {:?} names {href:?}, which is not in it", self.url.path())
    }

    fn resolve(&self, href: &str) -> Result<Resolved, String> {
        let encoded = percent_encode(href.as_bytes(), NOT_OF_URIS).to_string();
        let url = self.url.join(&encoded).map_err(|_problem| self.elsewhere(href))?;
        if url.query().is_some() || url.cannot_be_a_base() {
            return Err(self.elsewhere(href));
        }
        Ok(Resolved { segments: segments(&url), url })
    }
}

/// The names in a path. Empty ones are none: servers that put paths together double slashes.
fn segments(url: &Url) -> Vec<Vec<u8>> {
    let segments = url.path().split('/').filter(|segment| !segment.is_empty());
    segments.map(|segment| percent_decode_str(segment).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(base: &str, hrefs: &[&str]) -> Result<Vec<Place>, String> {
        Base::of(&base.parse().unwrap()).unwrap().place_all(hrefs.iter().copied())
    }

    fn names(base: &str, hrefs: &[&str]) -> Vec<String> {
        let member = |place| match place {
            Place::Itself => ".".to_owned(),
            Place::Member(name) => name.escape_ascii().to_string(),
        };
        place(base, hrefs).unwrap().into_iter().map(member).collect()
    }

    #[test]
    fn references_are_resolved_against_the_request() {
        let base = "http://host:8080/dav/my%20files/";
        for (itself, member, name) in [
            ("/dav/my%20files/", "/dav/my%20files/a.txt", "a.txt"),
            ("/dav/my files/", "/dav/my files/b c.txt", "b c.txt"),
            ("/dav/my%20files", "/dav/my%20files/dir/", "dir"),
            ("http://host:8080/dav/my%20files/", "http://host:8080/dav/my%20files/%61", "a"),
            ("HTTP://HOST:8080/dav/my%20files/", "http://Host:8080/dav/my%20files/a", "a"),
            ("//host:8080/dav/my%20files/", "//host:8080/dav/my%20files/a", "a"),
            ("./", "a", "a"),
            (".", "./a", "a"),
            ("", "../my%20files/a", "a"),
            ("/dav/./x/../my%20files/", "/dav/%2e/my%20files/a", "a"),
            ("/dav//my%20files/", "//host:8080//dav//my%20files//a", "a"),
            ("/dav/my%20files/", "/dav/my%20files/100%.txt", "100%.txt"),
            ("/dav/my%20files/", "/dav/my%20files/50%2525", "50%25"),
            ("/dav/my%20files/", "/dav/my%20files/a#1", "a#1"),
            ("/dav/my%20files/", "/dav/my%20files/a\\b", "a\\\\b"),
            ("/dav/my%20files/", "/dav/my%20files/%e4", "\\xe4"),
            ("/dav/my%20files/", "/dav/my%20files/\u{e4}", "\\xc3\\xa4"),
            ("/dav/my%20files/", "/dav/my%20files/a%3Fb%3bc;d,e@f:g", "a?b;c;d,e@f:g"),
        ] {
            assert_eq!(names(base, &[itself, member]), [".", name], "{itself} {member}");
        }
        assert_eq!(names("https://host/", &["/", "/a"]), [".", "a"]);
        assert_eq!(names("https://host/", &["https://host:443", "https://host/a"]), [".", "a"]);
        // Behind a proxy that ends TLS.
        assert_eq!(names("https://host/x/", &["http://in:80/x/", "http://in/x/a"]), [".", "a"]);
    }

    #[test]
    fn what_is_not_in_the_folder_is_an_error() {
        let base = "http://host/dav/";
        for hrefs in [
            &[][..],
            &["/dav/a"],
            &["a"],
            &["dav/", "dav/a"],
            &["/dav/", "/davs/a"],
            &["/dav/", "/a"],
            &["/dav/", "/dav/a/b"],
            &["/dav/", "../a"],
            &["/dav/", "/dav/../../dav2/a"],
            &["/dav/", "http://other/dav/a"],
            &["http://other/dav/", "/dav/a"],
            &["/dav/", "https://host/dav/a"],
            &["/dav/", "mailto:a"],
            &["/dav/", "http://"],
            &["/dav/", "/dav/a?b"],
            &["/dav/", "/dav/a%2Fb"],
            &["/dav/", "/dav/a%00"],
            &["/internal/dav/", "/internal/dav/a"],
            &["/Dav/", "/Dav/a"],
        ] {
            assert!(place(base, hrefs).is_err(), "{hrefs:?}: {:?}", place(base, hrefs));
        }
    }

    #[test]
    fn paths_are_written_so_that_they_are_decoded_to_the_name() {
        let base = Base::of(&"http://host/dav/%20x/".parse().unwrap()).unwrap();
        assert_eq!(base.path_of(None), "/dav/%20x");
        assert_eq!(base.path_of(Some("a %\u{e4}&")), "/dav/%20x/a%20%25%C3%A4%26");
        assert_eq!(Base::of(&"http://host/".parse().unwrap()).unwrap().path_of(Some("a")), "/a");
    }
}
