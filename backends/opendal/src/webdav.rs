//! What WebDAV servers answer, in the one form that OpenDAL reads.
//!
//! OpenDAL takes every `href` for a path below its root, and wants properties that RFC 4918 makes optional: an absolute
//! URL makes it panic, a relative one is taken for another file's, and one member without a length or with a status of 403
//! makes an error of the whole folder. This transport stands between OpenDAL and our HTTP client. It reads the answers to
//! `PROPFIND` ([`multistatus`]), resolves their references ([`href`]) and writes them again ([`canonical`]).
//!
//! It is a transport, and no client of its own: requests, authorization, `MKCOL`, retries, ranges and paced uploads
//! stay as they are, and one place serves the listings and the stats of OpenDAL alike.
//!
//! - What cannot be placed in the listed folder is an error of the listing, never an empty or a shorter one. The folder
//!   itself must be among the responses, as RFC 4918 (9.1) says.
//! - A folder needs no properties. A file without a length is asked for it ([`size`]) when it is stat'ed.
//! - What is rejected, or has a name that is no UTF-8, is an entry with a [`Mark`](crate::mark::Mark): it is reported
//!   alone.

mod canonical;
mod href;
mod multistatus;
mod size;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport, HttpTransporter, Result};

use crate::mark::Reason;
use href::{Base, Place};
use multistatus::Described;

/// The transport to a WebDAV server, over that of its requests.
pub(crate) fn transport(inner: HttpTransporter) -> HttpTransporter {
    HttpTransporter::new(Transport { inner })
}

struct Transport {
    inner: HttpTransporter,
}

impl HttpTransport for Transport {
    async fn fetch(&self, request: Request<Buffer>) -> Result<Response<HttpBody>> {
        match request.method().as_str() {
            "PROPFIND" => self.propfind(request).await,
            "DELETE" => self.inner.fetch(request).await.map(deleted),
            _ => self.inner.fetch(request).await,
        }
    }
}

/// HTTP allows 200 for a deletion that succeeded; OpenDAL knows 204 only.
fn deleted(mut answer: Response<HttpBody>) -> Response<HttpBody> {
    if answer.status() == StatusCode::OK {
        *answer.status_mut() = StatusCode::NO_CONTENT;
    }
    answer
}

impl Transport {
    async fn propfind(&self, request: Request<Buffer>) -> Result<Response<HttpBody>> {
        let mut asked = Request::new(());
        (*asked.uri_mut(), *asked.headers_mut()) = (request.uri().clone(), request.headers().clone());
        let (mut head, body) = self.inner.send(request).await?.into_parts();
        if !head.status.is_success() {
            return Ok(answer(head, body));
        }
        let found = multistatus::parse(&multistatus::text(&body.to_bytes()));
        let (found, base) = found
            .and_then(|found| Ok((found, Base::of(asked.uri())?)))
            .map_err(|problem| unexpected(asked.uri(), problem))?;
        let items = if asked.headers().get("depth").is_some_and(|depth| depth == "0") {
            vec![(Place::Itself, self.itself(&asked, &base, found).await?)]
        } else {
            members(asked.uri(), &base, found)?
        };
        let body = canonical::write(&base, &items);
        head.status = StatusCode::MULTI_STATUS;
        head.headers.remove(TRANSFER_ENCODING);
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Ok(answer(head, Buffer::from(body.into_bytes())))
    }

    /// The resource that was asked for alone.
    async fn itself(&self, asked: &Request<()>, base: &Base, mut found: Vec<Described>) -> Result<Described> {
        let at = match found.as_slice() {
            // Under whichever name.
            [_] => Some(0),
            several => several.iter().position(|one| base.is_itself(&one.href)),
        };
        let Some(at) = at else {
            return Err(unexpected(asked.uri(), "the server does not describe what it was asked for"));
        };
        let mut described = found.swap_remove(at);
        match described.missing() {
            None => {}
            Some(Reason::WithoutLength) => described.set_length(size::of(&self.inner, asked).await?),
            Some(reason) => return Err(rejected(asked.uri(), reason)),
        }
        Ok(described)
    }
}

/// A folder and what is in it.
fn members(uri: &Uri, base: &Base, found: Vec<Described>) -> Result<Vec<(Place, Described)>> {
    let places =
        base.place_all(found.iter().map(|one| one.href.as_str())).map_err(|problem| unexpected(uri, problem))?;
    if let ([Place::Itself], [itself]) = (places.as_slice(), found.as_slice())
        && itself.is_file()
    {
        return Err(Error::new(ErrorKind::NotADirectory, "is a file").with_context("url", uri.to_string()));
    }
    let mut items = Vec::with_capacity(found.len());
    for (place, described) in places.into_iter().zip(found) {
        items.push(match (place, described.missing()) {
            (Place::Itself, Some(reason @ Reason::Rejected(_))) => return Err(rejected(uri, reason)),
            (Place::Itself, _) => (Place::Itself, described.into_folder()),
            (member, _) => (member, described),
        });
    }
    Ok(items)
}

fn answer(head: http::response::Parts, body: Buffer) -> Response<HttpBody> {
    let length = body.len() as u64;
    Response::from_parts(head, HttpBody::new(tokio_stream::once(Ok(body)), Some(length)))
}

fn unexpected(uri: &Uri, text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unexpected, text).with_context("url", uri.to_string())
}

/// What the server says of one resource, as an error.
fn rejected(uri: &Uri, reason: Reason) -> Error {
    let kind = match reason {
        Reason::Rejected(401 | 403) => ErrorKind::PermissionDenied,
        Reason::Rejected(404 | 410) => ErrorKind::NotFound,
        _ => ErrorKind::Unexpected,
    };
    Error::new(kind, reason.to_string()).with_context("url", uri.to_string())
}
