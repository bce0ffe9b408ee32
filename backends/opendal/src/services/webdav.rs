//! WebDAV servers.

use towpath_backend::registry::{OpenError, OptionSpec, Settings, Url};

use super::check;
use super::operator::{tree, with};
use super::options::{FOLDERS, MTIMES, secret, text};
use super::service::Service;
use crate::handle::OpendalTree;
use crate::webdav;

/// `webdav://host/path` over HTTP, `webdavs://host/path` over HTTPS.
pub const WEBDAV: Service = Service {
    name: "webdav",
    about: "WebDAV servers",
    schemes: &["webdavs", "webdav"],
    options: OPTIONS,
    credentials: &["username", "password", "token"],
    read_again: &[],
    capabilities: FOLDERS,
    build,
};

const OPTIONS: &[OptionSpec] = &[
    text("username", "the user name", &["WEBDAV_USERNAME"]),
    secret("password", "the password", &["WEBDAV_PASSWORD"]),
    secret("token", "a bearer token, instead of user name and password", &["WEBDAV_TOKEN"]),
    MTIMES,
];

fn build(url: &Url, settings: &Settings) -> Result<OpendalTree, OpenError> {
    let (user, _, _) = url.user_host_port();
    let host = url.authority().rsplit('@').next().unwrap_or_default();
    if host.is_empty() {
        return Err(OpenError::Usage(format!("{url} names no host: webdavs://host/path")));
    }
    check::host(url, host)?;
    let endpoint = format!("{}://{host}", if url.scheme() == "webdavs" { "https" } else { "http" });
    let mut builder = opendal::services::Webdav::default().endpoint(&endpoint).root(url.path());
    builder = with(builder, settings.text("username").or(user), |b, value| b.username(value));
    builder = with(builder, settings.text("password"), |b, value| b.password(value));
    builder = with(builder, settings.text("token"), |b, value| b.token(value));
    // Few servers keep properties that they do not know.
    let tree = tree(url, builder, Some(&endpoint), settings.flag("mtimes", false))?;
    Ok(tree.over(webdav::transport))
}
