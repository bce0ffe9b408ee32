//! SSH servers.

use towpath_backend::registry::{OpenError, OptionSpec, Settings, Url};

use super::{FOLDERS, PATIENCE, Service, text, tree_within, with};
use crate::OpendalTree;

/// `sftp://user@host:port/path`, by way of the program `ssh` and its configuration.
pub const SFTP: Service =
    Service { name: "sftp", about: "SSH servers", schemes: &["sftp"], options: OPTIONS, capabilities: FOLDERS, build };

const OPTIONS: &[OptionSpec] = &[
    text("key", "the file with the private key, for others than ssh finds itself", &[]),
    text("known_hosts", "`strict`, `accept` (a server seen for the first time) or `add`", &[]),
];

fn build(url: &Url, settings: &Settings) -> Result<OpendalTree, OpenError> {
    let (user, host, port) = url.user_host_port();
    if host.is_empty() {
        return Err(OpenError::Usage(format!("{url} names no host: sftp://user@host/path")));
    }
    let endpoint = port.map_or_else(|| format!("ssh://{host}"), |port| format!("ssh://{host}:{port}"));
    let root = format!("/{}", url.path());
    let mut builder = opendal::services::Sftp::default().endpoint(&endpoint).root(&root);
    builder = with(builder, user, |b, value| b.user(value));
    builder = with(builder, settings.text("key"), |b, value| b.key(value));
    builder = with(builder, settings.text("known_hosts"), |b, value| b.known_hosts_strategy(value));
    tree_within(PATIENCE, url, builder, Some(&endpoint), false)
}
