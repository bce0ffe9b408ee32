//! The routes.

use std::sync::Arc;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use jiff::Timestamp;
use nix::unistd::{Uid, User};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::access::{self, Access, Peer};
use super::answer::{Answer, EVENTS, JSON, Refusal, json_answer, whole, with_body};
use super::api::{Api, Failure, Requester};
use super::events::EventBody;
use super::limits::Limits;
use super::page;
use super::request::{self, Change};
use crate::metrics::Format;

/// Serves the requests of one listener: what clients of one can use up, those of the other still have.
pub(super) struct Router {
    api: Arc<dyn Api>,
    /// What TCP requires.
    access: Option<Access>,
    limits: Limits,
    /// Places for reading calls, for changes, and for streams of events.
    reads: Arc<Semaphore>,
    changes: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    end: CancellationToken,
}

impl Router {
    pub(super) fn new(api: Arc<dyn Api>, access: Option<Access>, limits: Limits, end: CancellationToken) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        let (reads, changes, streams) = (places(limits.reads), places(limits.changes), places(limits.streams));
        Self { api, access, limits, reads, changes, streams, end }
    }

    /// Answers a request; an error is an answer, too.
    pub(super) async fn serve(&self, request: Request<Incoming>, peer: Peer) -> Answer {
        self.try_serve(request, peer).await.unwrap_or_else(Refusal::into_answer)
    }

    async fn try_serve(&self, request: Request<Incoming>, peer: Peer) -> Result<Answer, Refusal> {
        let (head, body) = request.into_parts();
        match (peer, &self.access) {
            (Peer::Unix { .. }, _) => access::check_unix(&head)?,
            (Peer::Tcp { to, .. }, Some(access)) => access::check_tcp(&head, access, to)?,
            (Peer::Tcp { .. }, None) => return Err(Refusal::internal("no rules for TCP")),
        }
        let path = head.uri.path();
        if ["/", "/healthz", "/metrics", "/v1/status", "/v1/errors", "/v1/events", "/v1/history"].contains(&path) {
            return self.read(&head).await;
        }
        let Some(method) = Change::method(path) else {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", "there is no such route"));
        };
        if head.method.as_str() != method {
            return Err(Refusal::method(method));
        }
        let body = self.body(&head.headers, body).await?;
        self.change(Change::parse(path, &body, Timestamp::now())?, peer).await
    }

    async fn read(&self, head: &Parts) -> Result<Answer, Refusal> {
        let path = head.uri.path();
        match head.method {
            Method::GET => {}
            Method::HEAD if path != "/v1/events" => {}
            _ if path == "/v1/events" => return Err(Refusal::method("GET")),
            _ => return Err(Refusal::method("GET, HEAD")),
        }
        let query = head.uri.query().unwrap_or_default();
        if !query.is_empty() && !["/v1/errors", "/v1/events", "/v1/history"].contains(&path) {
            return Err(Refusal::invalid("this route has no parameters"));
        }
        match path {
            "/healthz" => Ok(json_answer(&json!({ "status": "ok" }))),
            "/v1/status" => Ok(json_answer(&self.call(&self.reads, |api| api.status()).await?)),
            "/v1/errors" => {
                let request = request::errors(query)?;
                let page = self.call(&self.reads, move |api| api.errors(&request)).await?;
                Ok(json_answer(&page.to_json()))
            }
            "/v1/history" => {
                let window = request::history(query)?;
                Ok(json_answer(&self.call(&self.reads, move |api| api.history(window)).await?))
            }
            "/v1/events" => self.events(request::events(query)?).await,
            "/metrics" => {
                let format = accepted(&head.headers);
                let figures = self.call(&self.reads, |api| api.metrics()).await?;
                let text = figures.text(format).map_err(|_| Refusal::internal("the metrics cannot be written"))?;
                Ok(whole(StatusCode::OK, format.content_type(), text))
            }
            _ => Ok(page::page()),
        }
    }

    /// A stream that begins with the status, so that nothing is missing between the two.
    async fn events(&self, only: Option<&str>) -> Result<Answer, Refusal> {
        let place = Arc::clone(&self.streams).try_acquire_owned();
        let place = place.map_err(|_| Refusal::busy("too many clients follow the events"))?;
        let events = self.api.events().subscribe();
        let status = self.call(&self.reads, |api| api.status()).await.ok();
        let body = EventBody::new(events, status.as_ref(), only, self.limits.keep_alive, self.end.clone(), place);
        Ok(with_body(StatusCode::OK, EVENTS, body))
    }

    async fn change(&self, change: Change, peer: Peer) -> Result<Answer, Refusal> {
        let in_force = self.call(&self.changes, move |api| {
            change.apply(api, &requester(peer))?;
            Ok(api.steered())
        });
        Ok(json_answer(&in_force.await?.to_json()))
    }

    /// Reads the body of a change.
    async fn body(&self, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Refusal> {
        if !headers.get(CONTENT_TYPE).is_some_and(is_json) {
            let message = "changes need the header `Content-Type: application/json`";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
        }
        let max_bytes = self.limits.body_bytes;
        let too_large = || {
            let message = format!("the body is larger than {max_bytes} bytes");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
        };
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > max_bytes) {
            return Err(too_large());
        }
        match timeout(self.limits.request_time, Limited::new(body, max_bytes).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(error)) => Err(Refusal::invalid(format!("the body is incomplete: {error}"))),
            Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body took too long")),
        }
    }

    /// Calls the run on a blocking thread, so that a call that hangs or panics ends with an error here.
    async fn call<T: Send + 'static>(
        &self,
        places: &Arc<Semaphore>,
        work: impl FnOnce(&dyn Api) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Refusal> {
        let patience = self.limits.call_time;
        let place = timeout(patience, Arc::clone(places).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(Refusal::busy("too many requests wait for the run")) };
        let api = Arc::clone(&self.api);
        let working = spawn_blocking(move || {
            // Is held by a call that nobody waits for any longer, too.
            let _place = place;
            work(&*api)
        });
        match timeout(patience, working).await {
            Ok(Ok(result)) => Ok(result?),
            Ok(Err(_panic)) => Err(Refusal::internal("the run failed to answer")),
            Err(_) => Err(Refusal::busy(format!("the run did not answer within {} s", patience.as_secs()))),
        }
    }
}

/// The format of the metrics that the client prefers.
fn accepted(headers: &HeaderMap) -> Format {
    let accepted: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok()).collect();
    Format::accepted(&accepted.join(","))
}

fn is_json(content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default();
    text.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(JSON))
}

/// Names who asks. Blocks: users may be in a directory on another machine.
fn requester(peer: Peer) -> Requester {
    match peer {
        Peer::Unix { uid } => {
            let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
            Requester::User { uid, name: user.map(|user| user.name) }
        }
        Peer::Tcp { from, .. } => Requester::Token { from },
    }
}
