//! SSH servers.

use towpath_backend::registry::{Backend, Location, OpenError, OptionSpec, Settings, Url};
use towpath_backend::{Capabilities, Error, Sink, Source, Tree as _, async_trait};

use super::check::url;
use super::options::{flag, text};
use crate::sftp::{KEPT, Keeps, KnownHosts, SftpTree, Target, TargetError, is_permanent};

/// `sftp://user@host:port/path`, through the program `ssh` and its configuration.
pub const SFTP: Sftp = Sftp;

/// SSH servers.
#[derive(Clone, Copy, Debug)]
pub struct Sftp;

const OPTIONS: &[OptionSpec] = &[
    text("key", "the file with the private key, if ssh does not find it by itself", &[]),
    text("known_hosts", "`strict` (the default), `add` (servers seen for the first time) or `accept` (any key)", &[]),
    flag("mtimes", "keep mtimes (`true`, the default)"),
    flag(
        "fsync",
        "force each file to the server's disk before it counts as sent (`true`, the default; OpenSSH's server)",
    ),
    flag("links", "copy symbolic links as links; otherwise they are reported and skipped"),
];

#[async_trait]
impl Backend for Sftp {
    fn name(&self) -> &'static str {
        "sftp"
    }

    fn about(&self) -> &'static str {
        "SSH servers"
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["sftp"]
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn capabilities(&self) -> Capabilities {
        KEPT
    }

    fn check(&self, location: &Location, settings: &Settings) -> Result<(), OpenError> {
        self.tree(location, settings).map(drop)
    }

    async fn open_source(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Source>, OpenError> {
        let (url, tree) = (url(location)?, self.tree(location, settings)?);
        match tree.is_there().await.map_err(|error| open_error(url, &error))? {
            true => Ok(Box::new(tree)),
            false => Err(OpenError::Storage(format!("{url}: no such directory; check the name"))),
        }
    }

    async fn open_sink(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        let (url, tree) = (url(location)?, self.tree(location, settings)?);
        tree.create_root().await.map_err(|error| open_error(url, &error))?;
        Ok(Box::new(tree))
    }

    async fn inspect_sink(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        let (url, tree) = (url(location)?, self.tree(location, settings)?);
        tree.may_be_missing();
        tree.identity().await.map_err(|error| open_error(url, &error))?;
        Ok(Box::new(tree))
    }
}

fn open_error(url: &Url, error: &Error) -> OpenError {
    let text = format!("{url}: {error}");
    // A rejected key stays rejected, and a name that cannot be resolved is more often mistyped.
    match error.is_temporary() && !is_permanent(error) {
        true => OpenError::Unavailable(text),
        false => OpenError::Storage(text),
    }
}

impl Sftp {
    /// The tree at a URL, as source and sink, without checking that it exists.
    ///
    /// # Errors
    /// If the URL or the settings name none, or contain something that must not be passed to `ssh`.
    pub fn tree(&self, location: &Location, settings: &Settings) -> Result<SftpTree, OpenError> {
        let url = url(location)?;
        let usage = |problem: TargetError| OpenError::Usage(format!("{url}: {problem}"));
        let known_hosts = settings.text("known_hosts").map(KnownHosts::parse).transpose().map_err(usage)?;
        let target = Target::new(url, settings.text("key"), known_hosts.unwrap_or_default()).map_err(usage)?;
        let (_, host, port) = url.user_host_port();
        let server = port.map_or_else(|| format!("ssh://{host}"), |port| format!("ssh://{host}:{port}"));
        let keeps = Keeps {
            mtimes: settings.flag("mtimes", true),
            links: settings.flag("links", false),
            synced: settings.flag("fsync", true),
        };
        Ok(SftpTree::new(target, url.to_string(), url.path(), format!("{url} at {server}"), keeps))
    }
}
