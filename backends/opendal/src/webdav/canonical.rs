//! Writes a multistatus as OpenDAL reads it.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::href::{Base, Place};
use super::multistatus::{Described, OWN};
use crate::mark::{Mark, Reason};

/// The time of what has none: 1970, which stands for none in a tree.
const NO_TIME: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// The multistatus of these resources.
pub(super) fn write(base: &Base, items: &[(Place, Described)]) -> String {
    let mut text = format!("<D:multistatus xmlns:D=\"DAV:\" xmlns:opendal=\"{OWN}\">");
    for (place, described) in items {
        let (name, bytes) = match place {
            Place::Itself => (None, None),
            Place::Member(name) => match std::str::from_utf8(name) {
                Ok(text) => (Some(text.to_owned()), None),
                Err(_) => (Some(name.escape_ascii().to_string()), Some(name.clone())),
            },
        };
        let reason = described.missing().or(bytes.is_some().then_some(Reason::NameOnly));
        let mark = reason.map(|reason| Mark { reason, name: bytes });
        // A failed write to a string is none.
        let _ = response(&mut text, &base.path_of(name.as_deref()), described, mark.as_ref());
    }
    text + "</D:multistatus>"
}

fn response(text: &mut String, path: &str, described: &Described, mark: Option<&Mark>) -> std::fmt::Result {
    let is_collection = described.is_collection() && mark.is_none();
    let slash = if is_collection { "/" } else { "" };
    write!(text, "<D:response><D:href>{path}{slash}</D:href><D:propstat><D:prop>")?;
    let kind = if is_collection { "<D:collection/>" } else { "" };
    write!(text, "<D:resourcetype>{kind}</D:resourcetype>")?;
    write!(text, "<D:getlastmodified>{}</D:getlastmodified>", modified(described))?;
    if !is_collection {
        write!(text, "<D:getcontentlength>{}</D:getcontentlength>", described.length().unwrap_or(0))?;
    }
    let own_type = described.property("getcontenttype").filter(|theirs| !Mark::is_like(theirs));
    if let Some(content_type) = mark.map(Mark::content_type).or(own_type.map(str::to_owned)) {
        write!(text, "<D:getcontenttype>{}</D:getcontenttype>", escape(&content_type))?;
    }
    if let Some(etag) = described.property("getetag") {
        write!(text, "<D:getetag>{}</D:getetag>", escape(etag))?;
    }
    for (name, value) in described.user_metadata() {
        write!(text, "<opendal:{name}>{}</opendal:{name}>", escape(value))?;
    }
    text.write_str("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>")
}

/// The time of the last change, if it is one that OpenDAL reads.
fn modified(described: &Described) -> &str {
    let theirs = described.property("getlastmodified");
    theirs.filter(|time| opendal::raw::Timestamp::parse_rfc2822(time).is_ok()).unwrap_or(NO_TIME)
}
