//! The HTTP client: contents are sent in paced pieces, stalled requests are given up, and answers that concern the whole
//! storage are classified.

mod answer;
mod answered;
mod certificates;
mod credentials_id;
mod gate;
mod pages;
mod pieces;
mod proxies;
mod ramp;
pub(crate) mod version;

use std::io;
use std::pin::Pin;
use std::str::FromStr as _;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body::{Frame, SizeHint};
use opendal::raw::Operation;
use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport, HttpTransporter, Result};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tokio_stream::StreamExt as _;
use towpath_backend::Bytes;

use crate::spacing::Spacing;
use crate::streams::Streams;
pub(crate) use answer::{Answer, Class};
pub(crate) use answered::Answered;
pub(crate) use credentials_id::CredentialsId;
pub(crate) use gate::{Gate, GateClosed, jitter};
pub(crate) use pages::Pages;
use pieces::Pieces;
use ramp::InFlight;
pub(crate) use ramp::Ramp;
use version::Asked;

/// One for the process: connections and trusted certificates are shared.
static CONNECTIONS: LazyLock<std::result::Result<reqwest::Client, String>> = LazyLock::new(|| {
    // Detects a lost machine while an answer is due.
    let client = reqwest::Client::builder().tcp_keepalive(Duration::from_secs(20));
    let client = proxies::respected_by(client);
    certificates::trusted_by(client)?.build().map_err(|error| format!("the HTTP client cannot be set up: {error}"))
});

/// How long a request or answer may go without a byte moving.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the answer to a request that completes an object may take: S3 documents several minutes.
const COMPLETION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The settings of one storage's HTTP client: what to send, and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) spacing: Arc<Spacing>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) pages: Arc<Pages>,
    pub(crate) ramp: Arc<Ramp>,
    pub(crate) answered: Arc<Answered>,
}

/// A client for one storage.
pub(crate) fn client(outgoing: Outgoing) -> HttpTransporter {
    HttpTransporter::new(Client { outgoing })
}

struct Client {
    outgoing: Outgoing,
}

impl HttpTransport for Client {
    async fn fetch(&self, request: Request<Buffer>) -> Result<Response<HttpBody>> {
        // Others are for credentials, and may go to another server.
        let is_to_storage = request.extensions().get::<Operation>().is_some();
        let in_flight = self.outgoing.ramp.enter().await;
        let started = self.outgoing.gate.pass().await.map_err(GateClosed::into_error)?;
        let answer = self.fetch_at(started, in_flight, request).await;
        if is_to_storage {
            self.outgoing.answered.note(started, answer.as_ref().is_ok_and(|answer| answer.status().is_success()));
        }
        answer
    }
}

impl Client {
    /// Sends a request that may start now.
    async fn fetch_at(
        &self,
        started: Instant,
        in_flight: InFlight<'_>,
        request: Request<Buffer>,
    ) -> Result<Response<HttpBody>> {
        let (uri, method) = (request.uri().clone(), request.method().clone());
        let content = Asked::of(&request);
        let signed_by = CredentialsId::of_request(&uri, request.headers());
        let gate = &self.outgoing.gate;
        let progress = Arc::new(Progress::default());
        let (request, stall_timeout) = self.paced(request, &progress)?;
        let connections =
            CONNECTIONS.as_ref().map_err(|problem| Error::new(ErrorKind::ConfigInvalid, problem.clone()))?;
        let answer = progress
            .watch(connections.execute(request), stall_timeout)
            .await
            .ok_or_else(|| stalled(&uri, stall_timeout))?;
        let answer = match answer {
            Err(cause) if certificates::is_rejected(&cause) => return Err(rejected(&uri, cause).await),
            answer => answer.map_err(|cause| failed(&uri, "the request failed", cause))?,
        };
        let checked =
            content.map_or(Ok(()), |asked| asked.check(answer.status(), answer.headers(), answer.url().path()));
        let mut answer = of_reqwest(answer, &method, &uri);
        if answer.status().is_success() || checked.is_err() {
            gate.answered(started);
            in_flight.answered();
            checked?;
            if !pages::is_listing(&method, &uri) {
                return Ok(answer);
            }
            let page = answer.body_mut().to_buffer().await?;
            let checked = self.outgoing.pages.check(&method, &uri, &String::from_utf8_lossy(&page.to_bytes()));
            checked.map_err(|problem| Error::new(ErrorKind::Unexpected, problem))?;
            return Ok(answer.map(|_| buffered(page)));
        }
        // The bodies of errors are short.
        let body = answer.body_mut().to_buffer().await?;
        let Some(mut classified) = Answer::classify(&method, &answer, &body.to_bytes()) else {
            gate.answered(started);
            in_flight.answered();
            return Ok(answer.map(|_| buffered(body)));
        };
        if classified.class == Class::Throttled {
            gate.throttled(started, classified.retry_after);
        } else {
            gate.answered(started);
            in_flight.answered();
        }
        classified.signed_by = signed_by;
        Err(classified.into_error().with_context("url", uri.to_string()))
    }
}

/// An answer in OpenDAL's types; its body arrives in pieces.
fn of_reqwest(answer: reqwest::Response, method: &Method, uri: &Uri) -> Response<HttpBody> {
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    // It is not the length of the content if there is none, or if it is compressed.
    let length = match *method == Method::HEAD || header(CONTENT_ENCODING).is_some() {
        true => None,
        false => header(CONTENT_LENGTH).and_then(|length| length.parse().ok()),
    };
    let mut head = Response::new(());
    (*head.status_mut(), *head.version_mut()) = (answer.status(), answer.version());
    *head.headers_mut() = readable(answer.headers());
    // Where the services find the address for their errors.
    head.extensions_mut().insert(uri.clone());
    let uri = uri.clone();
    let pieces = Pieces::new(answer.bytes_stream(), STALL_TIMEOUT).map(move |piece| match piece {
        None => Err(stalled(&uri, STALL_TIMEOUT)),
        Some(Err(cause)) => Err(failed(&uri, "the answer broke off", cause)),
        Some(Ok(piece)) => Ok(Buffer::from(piece)),
    });
    head.map(|()| HttpBody::new(Box::pin(pieces), length))
}

/// A body that has arrived.
fn buffered(body: Buffer) -> HttpBody {
    let length = body.len() as u64;
    HttpBody::new(tokio_stream::once(Ok(body)), Some(length))
}

/// The headers that are text. Some servers put a file's name into one as it is (`Content-Disposition`), and OpenDAL
/// makes an error of the whole answer.
fn readable(headers: &HeaderMap) -> HeaderMap {
    let readable = headers.iter().filter(|(_, value)| value.to_str().is_ok());
    readable.map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Client {
    /// The request as it is sent, and how long it may be without progress.
    fn paced(&self, request: Request<Buffer>, progress: &Arc<Progress>) -> Result<(reqwest::Request, Duration)> {
        let (head, content) = request.into_parts();
        // A multipart upload is completed by a POST, and the server may have to assemble the object.
        let mut stall_timeout = if head.method == Method::POST { COMPLETION_TIMEOUT } else { STALL_TIMEOUT };
        let url = reqwest::Url::from_str(&head.uri.to_string()).map_err(|cause| {
            Error::new(ErrorKind::ConfigInvalid, "the address is not valid")
                .with_context("url", head.uri.to_string())
                .set_source(cause)
        })?;
        let mut paced = reqwest::Request::new(head.method, url);
        *paced.headers_mut() = head.headers;
        *paced.version_mut() = head.version;
        if content.is_empty() {
            return Ok((paced, stall_timeout));
        }
        let (spacing, progress) = (Arc::clone(&self.outgoing.spacing), Arc::clone(progress));
        let content = match self.outgoing.streams.take(&content)? {
            None => Paced::new(content, spacing, progress),
            Some(stream) => {
                stall_timeout = COMPLETION_TIMEOUT;
                paced.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(stream.length_bytes));
                let nothing_yet = Paced::new(Buffer::new(), spacing, progress);
                Paced { unsent_bytes: stream.length_bytes, more: Some(stream.pieces), ..nothing_yet }
            }
        };
        *paced.body_mut() = Some(reqwest::Body::wrap(content));
        Ok((paced, stall_timeout))
    }
}

fn stalled(uri: &Uri, stall_timeout: Duration) -> Error {
    let seconds = stall_timeout.as_secs();
    Error::new(ErrorKind::Unexpected, format!("no bytes were sent or received for {seconds} s"))
        .with_context("url", uri.to_string())
        .set_temporary()
}

async fn rejected(uri: &Uri, cause: reqwest::Error) -> Error {
    let error = Error::new(ErrorKind::Unexpected, certificates::advice(uri).await);
    error.with_context("url", uri.to_string()).set_source(cause.without_url())
}

fn failed(uri: &Uri, what: &'static str, cause: reqwest::Error) -> Error {
    // A failure of the network is temporary; an invalid request is not.
    let is_temporary = cause.is_request() || cause.is_body() || cause.is_decode() || cause.is_connect();
    let error = Error::new(ErrorKind::Unexpected, what).with_context("url", uri.to_string());
    // The address, which may carry a signature, is reported once, by the code that masks it.
    if is_temporary {
        error.set_temporary().set_source(cause.without_url())
    } else {
        error.set_source(cause.without_url())
    }
}

/// When bytes of a request were last sent or received.
struct Progress(Mutex<Instant>);

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Progress {
    fn last(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of `request`; `None` if there is no progress for `stall_timeout`.
    async fn watch<T>(&self, request: impl Future<Output = T>, stall_timeout: Duration) -> Option<T> {
        let mut request = std::pin::pin!(request);
        loop {
            let until = *self.last() + stall_timeout;
            match timeout_at(until, request.as_mut()).await {
                Ok(answer) => return Some(answer),
                Err(_elapsed) if *self.last() + stall_timeout <= Instant::now() => return None,
                // There was progress since.
                Err(_elapsed) => {}
            }
        }
    }
}

/// A content, piece after piece.
struct Paced {
    /// All of it that was not sent.
    unsent_bytes: u64,
    /// What of that is here.
    left: Buffer,
    /// Where the rest comes from.
    more: Option<mpsc::Receiver<Bytes>>,
    /// A piece, and what its time is waited for with.
    waiting: Option<(Bytes, Pin<Box<Sleep>>)>,
    spacing: Arc<Spacing>,
    progress: Arc<Progress>,
}

impl Paced {
    fn new(content: Buffer, spacing: Arc<Spacing>, progress: Arc<Progress>) -> Self {
        Self { unsent_bytes: content.len() as u64, left: content, more: None, waiting: None, spacing, progress }
    }

    /// Waits until a piece is here, if one is to come.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(more) = self.more.as_mut().filter(|_| self.left.is_empty()) {
            match more.poll_recv(context) {
                Poll::Ready(Some(piece)) => self.left = Buffer::from(piece),
                Poll::Ready(None) => self.more = None,
                Poll::Pending => {
                    // The server is not the one that stalls.
                    *self.progress.last() = Instant::now() + A_DAY;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    }
}

/// How long the other side may be silent: it has a stall_timeout of its own.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.waiting.is_none() {
            ready!(self.poll_more(context));
            let now = Instant::now();
            *self.progress.last() = now;
            if self.left.is_empty() {
                let whole = self.unsent_bytes == 0;
                return Poll::Ready((!whole).then(|| Err(io::Error::other("the content ended early"))));
            }
            let most = self.spacing.piece_bytes().unwrap_or(usize::MAX);
            let bytes = self.left.current().len().min(most);
            let piece = self.left.current().slice(..bytes);
            self.left = self.left.slice(bytes..);
            self.unsent_bytes = self.unsent_bytes.saturating_sub(bytes as u64);
            match self.spacing.reserve(now, bytes) {
                None => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Some(at) => self.waiting = Some((piece, Box::pin(sleep_until(at)))),
            }
        }
        if let Some((_, time)) = &mut self.waiting {
            ready!(time.as_mut().poll(context));
        }
        *self.progress.last() = Instant::now();
        Poll::Ready(self.waiting.take().map(|(piece, _)| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.unsent_bytes == 0 && self.waiting.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let waiting = self.waiting.as_ref().map_or(0, |(piece, _)| piece.len() as u64);
        SizeHint::with_exact(self.unsent_bytes + waiting)
    }
}

#[cfg(test)]
mod tests;
