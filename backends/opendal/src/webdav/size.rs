//! The length of a file that a server lists without one: it is what it says when the file is read.

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use opendal::{Buffer, Error, ErrorKind, HttpTransporter, Result};

/// Asks for the length of what `asked` was about.
///
/// # Errors
/// If the server does not say.
pub(super) async fn of(inner: &HttpTransporter, asked: &Request<()>) -> Result<u64> {
    let request = |method: Method, range: Option<&'static str>| {
        let mut request = Request::new(Buffer::new());
        (*request.method_mut(), *request.uri_mut()) = (method, asked.uri().clone());
        if let Some(authorization) = asked.headers().get(AUTHORIZATION) {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(range) = range {
            request.headers_mut().insert(RANGE, HeaderValue::from_static(range));
        }
        request
    };
    let head = inner.fetch(request(Method::HEAD, None)).await?;
    if head.status().is_success()
        && let Some(length) = number(head.headers().get(CONTENT_LENGTH))
    {
        return Ok(length);
    }
    // Its content is dropped unread.
    let first = inner.fetch(request(Method::GET, Some("bytes=0-0"))).await?;
    length_of(first.status(), first.headers()).ok_or_else(|| {
        Error::new(ErrorKind::Unexpected, "the server does not report the file's length")
            .with_context("url", asked.uri().to_string())
    })
}

/// The length of a file by the answer to a request for its first byte.
fn length_of(status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    match status {
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            let (_, whole) = headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?;
            whole.trim().parse().ok()
        }
        StatusCode::OK => number(headers.get(CONTENT_LENGTH)),
        _ => None,
    }
}

fn number(value: Option<&HeaderValue>) -> Option<u64> {
    value?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_the_whole_file() {
        let of = |status: u16, name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            length_of(StatusCode::from_u16(status).unwrap(), &headers)
        };
        assert_eq!(of(206, "content-range", "bytes 0-0/77"), Some(77));
        assert_eq!(of(416, "content-range", "bytes */0"), Some(0));
        assert_eq!(of(200, "content-length", "5"), Some(5));
        assert_eq!(of(206, "content-length", "1"), None);
        assert_eq!(of(206, "content-range", "bytes 0-0/*"), None);
        assert_eq!(of(404, "content-length", "9"), None);
    }
}
