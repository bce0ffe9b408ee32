//! Who may ask: the host that a request names, the page that it comes from, and the token.
//!
//! Browsers send requests of any page to loopback addresses. A page whose name resolves to such an address (DNS
//! rebinding) is recognised by the header `Host`, any other one by `Origin` and `Sec-Fetch-Site`.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, StatusCode};

use super::answer::Refusal;
use super::token::Token;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// A process of this user.
    Unix {
        uid: u32,
    },
    Tcp {
        from: SocketAddr,
        to: SocketAddr,
    },
}

/// What a listener on TCP requires.
pub(super) struct Access {
    /// Where it listens.
    pub(super) listen: SocketAddr,
    pub(super) token: Option<Token>,
    /// The name of this machine.
    pub(super) host_name: String,
}

impl Access {
    /// Whether only programs on this machine can connect.
    fn is_local(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }

    /// What the user of this address should know.
    pub(super) fn note(&self) -> Option<String> {
        let note = "without encryption: who reads the traffic learns the token; let a proxy or a tunnel encrypt it";
        (!self.is_local()).then(|| format!("the control server at {} is {note}", self.listen))
    }
}

/// Whether a request may change something.
pub(super) fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Checks a request of a client on the Unix socket, whom the kernel has checked already.
pub(super) fn check_unix(head: &Parts) -> Result<(), Refusal> {
    check_page(head, single(&head.headers, &HOST)?)
}

/// Checks a request of a client on TCP.
pub(super) fn check_tcp(head: &Parts, access: &Access, to: SocketAddr) -> Result<(), Refusal> {
    let host = single(&head.headers, &HOST)?.ok_or_else(|| Refusal::invalid("the header Host is missing"))?;
    let named = [Some(host), head.uri.authority().map(Authority::as_str)];
    for host in named.into_iter().flatten() {
        if !is_our_name(host, access, to) {
            let message = "this server is not known by that Host: use the address that it listens to";
            return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", message));
        }
    }
    check_page(head, Some(host))?;
    check_token(head, access)
}

/// A header that may be there once.
fn single<'a>(headers: &'a HeaderMap, name: &hyper::header::HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        _ => Err(Refusal::invalid(format!("the header {name} is invalid"))),
    }
}

/// Whether a `Host` names this server. Ports may differ: a tunnel has its own.
fn is_our_name(host: &str, access: &Access, to: SocketAddr) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    if host.contains('@') {
        return false;
    }
    match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => {
            let ours = [access.listen.ip().to_canonical(), to.ip().to_canonical()];
            address.is_loopback() || ours.contains(&address.to_canonical())
        }
        Err(_) => {
            let is_name = |ours: &str| name.eq_ignore_ascii_case(ours);
            is_name("localhost") || (!access.is_local() && is_name(&access.host_name))
        }
    }
}

/// Rejects what a page of another site makes a browser send. Following a link is no such request.
fn check_page(head: &Parts, host: Option<&str>) -> Result<(), Refusal> {
    let is_own = |origin: &str| {
        let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        rest.zip(host).is_some_and(|(rest, host)| rest.eq_ignore_ascii_case(host))
    };
    let header = |name: &str| head.headers.get(name).map(HeaderValue::as_bytes);
    let follows_link = !is_change(&head.method) && header("sec-fetch-mode") == Some(b"navigate");
    let is_foreign = match header("sec-fetch-site") {
        None | Some(b"same-origin" | b"none") => false,
        Some(_) => !follows_link,
    };
    if is_foreign || single(&head.headers, &ORIGIN)?.is_some_and(|origin| !is_own(origin)) {
        let message = "requests of other sites' pages are not served";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "cross_site", message));
    }
    Ok(())
}

/// Changes need the token always, everything else if others can connect, except the page: it is the same for every run,
/// and asks for the token that its own requests need. A wrong token is never accepted.
fn check_token(head: &Parts, access: &Access) -> Result<(), Refusal> {
    let given = single(&head.headers, &AUTHORIZATION)?;
    let Some(token) = &access.token else {
        if is_change(&head.method) {
            let message =
                "changes over TCP need a token: start the run with --listen-token-file, or use its Unix socket";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "no_token_configured", message));
        }
        return Ok(());
    };
    let unauthorized = |message: &str| Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message));
    match given.map(|given| given.split_once(' ').unwrap_or((given, ""))) {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") && token.is(given.trim().as_bytes()) => Ok(()),
        Some(_) => unauthorized("the token is wrong"),
        None if is_change(&head.method) || !(access.is_local() || head.uri.path() == "/") => {
            unauthorized("this needs the header `Authorization: Bearer TOKEN`")
        }
        None => Ok(()),
    }
}
