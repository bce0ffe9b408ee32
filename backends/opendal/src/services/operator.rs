//! The operator of a service: its timeouts and attempts, and the tree over it.

use std::sync::Arc;
use std::time::Duration;

use opendal::layers::TimeoutLayer;
use opendal::{Builder, Operator};
use towpath_backend::registry::{OpenError, Settings, Url};

use crate::error;
use crate::handle::OpendalTree;
use crate::patience::{Patience, PatientLayer};

/// Longer than any request.
const NO_TIMEOUT: Duration = Duration::from_secs(366 * 24 * 3600);

/// Sets an option that may not be given.
pub(super) fn with<B>(builder: B, value: Option<&str>, set: impl FnOnce(B, &str) -> B) -> B {
    match value {
        Some(value) => set(builder, value),
        None => builder,
    }
}

/// The tree of a store of objects that `builder` reaches.
pub(super) fn objects(
    url: &Url,
    builder: impl Builder,
    endpoint: Option<&str>,
    settings: &Settings,
) -> Result<OpendalTree, OpenError> {
    let tree = tree(url, builder, endpoint, settings.flag("mtimes", true))?;
    let tree = if settings.flag("metadata", true) { tree } else { tree.without_object_metadata() };
    Ok(if settings.flag("directories", true) { tree } else { tree.without_empty_directories() })
}

/// The tree that `builder` reaches over HTTP.
pub(super) fn tree(
    url: &Url,
    builder: impl Builder,
    endpoint: Option<&str>,
    mtimes: bool,
) -> Result<OpendalTree, OpenError> {
    // The client has timeouts of its own, and waits longer for a service that asks for it.
    tree_within(NO_TIMEOUT, url, builder, endpoint, mtimes)
}

/// The tree that `builder` reaches, where a request takes at most `timeout`.
pub(super) fn tree_within(
    timeout: Duration,
    url: &Url,
    builder: impl Builder,
    endpoint: Option<&str>,
    mtimes: bool,
) -> Result<OpendalTree, OpenError> {
    let operator = Operator::new(builder).map_err(|problem| failed(url, &problem))?;
    let once = operator.layer(TimeoutLayer::new().with_timeout(timeout).with_io_timeout(timeout));
    let patience = Arc::new(Patience::default());
    let operator = once.clone().layer(PatientLayer(Arc::clone(&patience)));
    let tree = OpendalTree::new(operator, url.to_string()).trying_once_by(once).with_patience(patience).paced();
    // A bucket of the same name on another server is another one.
    let tree = tree.with_identity(format!("{url} at {}", endpoint.unwrap_or("the service")));
    Ok(if mtimes { tree } else { tree.without_mtimes() })
}

fn failed(url: &Url, problem: &opendal::Error) -> OpenError {
    let text = format!("{url}: {}", error::cause(problem));
    match problem.kind() {
        opendal::ErrorKind::ConfigInvalid => OpenError::Usage(text),
        _ => OpenError::Storage(text),
    }
}
