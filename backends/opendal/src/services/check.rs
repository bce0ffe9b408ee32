//! Checks a URL and its options before a client is created: the client's own words for a mistake
//! name nothing that a user could set.

use http::Uri;
use towpath_backend::registry::{Location, OpenError, OptionSpec, Settings, Url};

/// The URL of a location: paths are another backend's.
pub(super) fn url(location: &Location) -> Result<&Url, OpenError> {
    match location {
        Location::Url(url) => Ok(url),
        Location::Path(path) => Err(OpenError::Usage(format!("{} is a path, not a URL", path.display()))),
    }
}

/// How the option `name` is set.
pub(super) fn how(options: &[OptionSpec], name: &str) -> String {
    options.iter().find(|option| option.name == name).map(OptionSpec::how_to_set).unwrap_or_default()
}

/// Names the options that decide something, with their environment variables; empty if there are none.
pub(super) fn options_named(options: &[OptionSpec], names: &[&str]) -> String {
    let named = options.iter().filter(|option| names.contains(&option.name));
    let shown: Vec<_> = named
        .map(|option| match option.environment.first() {
            Some(variable) => format!("{} ({variable})", option.name),
            None => option.name.to_owned(),
        })
        .collect();
    if shown.is_empty() {
        return String::new();
    }
    format!(
        "; this is set in the configuration file or, where a variable is named, the environment: {}",
        shown.join(", ")
    )
}

/// A usage error that names the option to set.
pub(super) fn wrong(url: &Url, problem: &str, options: &[OptionSpec], name: &str) -> OpenError {
    OpenError::Usage(format!("{url}: {problem}: set {}", how(options, name)))
}

/// The bucket or container that a URL begins with; `what` is the service's word for it.
pub(super) fn bucket<'a>(url: &'a Url, what: &str) -> Result<&'a str, OpenError> {
    let bucket = url.authority();
    if bucket.is_empty() {
        return Err(OpenError::Usage(format!("{url} names no {what}: {}://{what}/prefix", url.scheme())));
    }
    match bucket.chars().find(|c| !c.is_ascii_alphanumeric() && !"-._$:".contains(*c)) {
        None => Ok(bucket),
        Some(wrong) => Err(OpenError::Usage(format!("{url}: a {what}'s name has no {wrong:?}"))),
    }
}

/// The option `endpoint`, with its scheme.
pub(super) fn endpoint(url: &Url, settings: &Settings, options: &[OptionSpec]) -> Result<Option<String>, OpenError> {
    let Some(given) = given(settings, "endpoint") else { return Ok(None) };
    let endpoint = if given.contains("://") { given.to_owned() } else { format!("https://{given}") };
    let has_host = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(is_host);
    // Neither would be kept out of the database and the log, which name the tree by its endpoint.
    let has_secret = |uri: &Uri| uri.query().is_some() || uri.authority().is_some_and(|at| at.as_str().contains('@'));
    match endpoint.parse().ok().filter(has_host) {
        Some(uri) if has_secret(&uri) => Err(wrong(
            url,
            "the endpoint holds a user, a password or a query; give keys by their own options",
            options,
            "endpoint",
        )),
        Some(_) => Ok(Some(endpoint)),
        None => Err(wrong(url, "the endpoint is not of the form https://host:port", options, "endpoint")),
    }
}

/// An option that is not empty.
pub(super) fn given<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    settings.text(name).filter(|value| !value.is_empty())
}

/// A server, with or without its port: `host`, `host:8020`, `[::1]:80`.
pub(super) fn host(url: &Url, host: &str) -> Result<(), OpenError> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if !is_host(name) {
        return Err(OpenError::Usage(format!(
            "{url}: {name:?} is no name of a server: {}://host:port/path",
            url.scheme()
        )));
    }
    match port.filter(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        Some(port) => Err(OpenError::Usage(format!("{url}: the port {port:?} is no number from 1 to 65535"))),
        None => Ok(()),
    }
}

fn is_host(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c))
}
