//! The services that have a feature, as backends for the [registry](towpath_backend::registry).
//!
//! | feature | URL | what it names |
//! | --- | --- | --- |
//! | `s3` | `s3://bucket/prefix` | a bucket of Amazon S3, or of a server that speaks as it does (`endpoint`) |
//! | `azblob` | `azblob://container/prefix` | a container of Azure Blob Storage |
//! | `gcs` | `gcs://bucket/prefix` | a bucket of Google Cloud Storage |
//! | `webdav` | `webdav://host:port/path`, `webdavs://…` | a folder of a WebDAV server, over HTTP or HTTPS |
//! | `sftp` | `sftp://user@host:port/path` | a folder of an SSH server, by way of the program `ssh` |
//! | `hdfs` | `hdfs://host:port/path` | a folder of a Hadoop file system |

#[cfg(feature = "azblob")]
mod azblob;
#[allow(dead_code, reason = "each feature uses a part of it")]
mod check;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "hdfs")]
mod hdfs;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "sftp")]
mod sftp;
#[cfg(feature = "webdav")]
mod webdav;

#[cfg(feature = "azblob")]
pub use azblob::AZBLOB;
#[cfg(feature = "gcs")]
pub use gcs::GCS;
#[cfg(feature = "hdfs")]
pub use hdfs::HDFS;
#[cfg(feature = "s3")]
pub use s3::S3;
#[cfg(feature = "sftp")]
pub use sftp::{SFTP, Sftp};
#[cfg(feature = "webdav")]
pub use webdav::WEBDAV;

use std::time::Duration;

use opendal::layers::{RetryLayer, TimeoutLayer};
use opendal::{Builder, Operator};
use towpath_backend::registry::{Backend, Location, OpenError, OptionKind, OptionSpec, Registry, Settings, Url};
use towpath_backend::{Capabilities, Error, ErrorKind, Sink, Source, Tree as _, async_trait};

use crate::error;
use crate::handle::OpendalTree;
use crate::http::STALL_TIMEOUT;

/// Registers all services of this build.
///
/// # Errors
/// If another backend has one of their schemes already.
#[allow(unused_variables, reason = "without a feature there is nothing to register")]
pub fn register(registry: &mut Registry) -> Result<(), OpenError> {
    #[cfg(feature = "s3")]
    registry.register(S3)?;
    #[cfg(feature = "azblob")]
    registry.register(AZBLOB)?;
    #[cfg(feature = "gcs")]
    registry.register(GCS)?;
    #[cfg(feature = "webdav")]
    registry.register(WEBDAV)?;
    #[cfg(feature = "sftp")]
    registry.register(SFTP)?;
    #[cfg(feature = "hdfs")]
    registry.register(HDFS)?;
    Ok(())
}

/// A service that OpenDAL reaches.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    name: &'static str,
    about: &'static str,
    schemes: &'static [&'static str],
    options: &'static [OptionSpec],
    /// Those by which the service knows who asks.
    credentials: &'static [&'static str],
    capabilities: Capabilities,
    build: fn(&Url, &Settings) -> Result<OpendalTree, OpenError>,
}

#[async_trait]
impl Backend for Service {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn schemes(&self) -> &'static [&'static str] {
        self.schemes
    }

    fn options(&self) -> &'static [OptionSpec] {
        self.options
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn check(&self, location: &Location, settings: &Settings) -> Result<(), OpenError> {
        self.tree(location, settings).map(drop)
    }

    /// Something must be there to be read.
    async fn open_source(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Source>, OpenError> {
        let (url, tree) = (url(location)?, self.tree(location, settings)?);
        match tree.is_there().await {
            Ok(true) => Ok(Box::new(tree)),
            Ok(false) => Err(OpenError::Storage(format!("{url}: there is nothing; is the name right?"))),
            Err(error) => Err(self.failed(url, &error)),
        }
    }

    /// The bucket or the server must be there; a prefix or a folder need not.
    async fn open_sink(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        let (url, tree) = (url(location)?, self.tree(location, settings)?);
        tree.make_root().await.map_err(|error| self.failed(url, &error))?;
        tree.identity().await.map_err(|error| self.failed(url, &error))?;
        Ok(Box::new(tree))
    }

    async fn inspect_sink(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        let (url, tree) = (url(location)?, self.tree(location, settings)?);
        match tree.identity().await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed(url, &error)),
            _ => Ok(Box::new(tree)),
        }
    }
}

impl Service {
    /// Why a tree cannot be opened, and the options that decide it.
    fn failed(&self, url: &Url, error: &Error) -> OpenError {
        let text = error.to_string();
        let is_about_credentials = text.contains(error::NO_CREDENTIALS) || error.kind() == ErrorKind::PermissionDenied;
        let hint = if is_about_credentials {
            check::those_set_by(self.options, self.credentials)
        } else if text.contains(error::NOT_RESOLVED) || error.kind() == ErrorKind::Unavailable {
            check::those_set_by(self.options, &["endpoint"])
        } else if text.contains("region") {
            check::those_set_by(self.options, &["region"])
        } else {
            String::new()
        };
        OpenError::Storage(format!("{url}: {text}{hint}"))
    }

    /// The tree at a URL, as source and sink, without a look whether it is there.
    ///
    /// # Errors
    /// If the URL or the settings name none.
    pub fn tree(&self, location: &Location, settings: &Settings) -> Result<OpendalTree, OpenError> {
        (self.build)(url(location)?, settings)
    }
}

/// Tries of one request, the first included: a part of a large object is not to be lost by one
/// dropped connection. What lasts longer is tried again with the whole file.
const TRIES: usize = 4;
/// How long a part, or a whole file, may be on its way: under a low limit it takes its time,
/// and the client sees it move.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(366 * 24 * 3600);

/// Whether mtimes are looked for and written.
const MTIMES: OptionSpec = OptionSpec {
    name: "mtimes",
    kind: OptionKind::Flag,
    about: "keep mtimes in user metadata, at the price of a request for each object listed",
    environment: &[],
};

/// Whether empty directories are created.
const DIRECTORIES: OptionSpec = OptionSpec {
    name: "directories",
    kind: OptionKind::Flag,
    about: "create an object `dir/` for each empty directory (`true`, the default)",
    environment: &[],
};

const fn text(name: &'static str, about: &'static str, environment: &'static [&'static str]) -> OptionSpec {
    OptionSpec { name, kind: OptionKind::Text, about, environment }
}

const fn secret(name: &'static str, about: &'static str, environment: &'static [&'static str]) -> OptionSpec {
    OptionSpec { name, kind: OptionKind::Secret, about, environment }
}

const fn flag(name: &'static str, about: &'static str) -> OptionSpec {
    OptionSpec { name, kind: OptionKind::Flag, about, environment: &[] }
}

/// What an object store keeps.
const OBJECTS: Capabilities = Capabilities { virtual_directories: true, ..Capabilities::PLAIN };
/// What a server with folders keeps of files that OpenDAL writes.
const FOLDERS: Capabilities = Capabilities { sets_mtime: false, ..Capabilities::PLAIN };

/// The URL of a location: paths are another backend's.
fn url(location: &Location) -> Result<&Url, OpenError> {
    match location {
        Location::Url(url) => Ok(url),
        Location::Path(path) => Err(OpenError::Usage(format!("{} is a path, not a URL", path.display()))),
    }
}

/// Sets an option that may not be given.
fn with<B>(builder: B, value: Option<&str>, set: impl FnOnce(B, &str) -> B) -> B {
    match value {
        Some(value) => set(builder, value),
        None => builder,
    }
}

/// The tree of a store of objects that `builder` reaches.
fn objects(
    url: &Url,
    builder: impl Builder,
    endpoint: Option<&str>,
    settings: &Settings,
) -> Result<OpendalTree, OpenError> {
    let tree = tree(url, builder, endpoint, settings.flag("mtimes", true))?;
    Ok(if settings.flag("directories", true) { tree } else { tree.without_empty_directories() })
}

/// The tree that `builder` reaches over HTTP.
fn tree(url: &Url, builder: impl Builder, endpoint: Option<&str>, mtimes: bool) -> Result<OpendalTree, OpenError> {
    tree_within(TRANSFER_TIMEOUT, url, builder, endpoint, mtimes)
}

/// The tree that `builder` reaches, where a piece of content takes at most `timeout`.
fn tree_within(
    timeout: Duration,
    url: &Url,
    builder: impl Builder,
    endpoint: Option<&str>,
    mtimes: bool,
) -> Result<OpendalTree, OpenError> {
    let operator = Operator::new(builder).map_err(|problem| failed(url, &problem))?;
    let once = operator.layer(TimeoutLayer::new().with_timeout(STALL_TIMEOUT).with_io_timeout(timeout));
    let operator = once.clone().layer(RetryLayer::new().with_max_times(TRIES - 1).with_jitter());
    let tree = OpendalTree::new(operator, url.to_string()).trying_once_by(once).paced();
    // A bucket of the same name on another server is another one.
    let tree = tree.with_identity(format!("{url} at {}", endpoint.unwrap_or("the service")));
    Ok(if mtimes { tree } else { tree.without_mtimes() })
}

fn failed(url: &Url, problem: &opendal::Error) -> OpenError {
    let text = format!("{url}: {}", error::text(problem));
    match problem.kind() {
        opendal::ErrorKind::ConfigInvalid => OpenError::Usage(text),
        _ => OpenError::Storage(text),
    }
}

#[cfg(all(test, feature = "all-backends"))]
mod tests {
    use super::*;
    use towpath_backend::Tree;

    #[tokio::test]
    async fn a_tree_keeps_what_its_service_says() {
        let endpoint = ("endpoint", "http://127.0.0.1:1".to_owned());
        let anonymous = ("anonymous", "true".to_owned());
        let services = [
            (S3, "s3://bucket/x", vec![endpoint.clone(), anonymous.clone()]),
            (GCS, "gcs://bucket/x", vec![endpoint.clone(), anonymous]),
            (AZBLOB, "azblob://container/x", vec![endpoint]),
            (WEBDAV, "webdav://127.0.0.1:1/x", vec![]),
            (HDFS, "hdfs://127.0.0.1:1/x", vec![]),
        ];
        for (service, url, options) in services {
            let location = Location::parse(url.as_ref()).unwrap();
            let tree = service.tree(&location, &Settings::of(options)).unwrap();
            keeps(&tree, service.capabilities());
        }
        let location = Location::parse("sftp://127.0.0.1:1/x".as_ref()).unwrap();
        let settings = Settings::of(vec![("links", "true".to_owned())]);
        keeps(&SFTP.tree(&location, &settings).unwrap(), SFTP.capabilities());
    }

    #[tokio::test]
    async fn what_is_missing_or_wrong_names_the_option_and_its_variable() {
        const KEY: (&str, &str) = ("account_key", "not base64!");
        for (service, url, options, names) in [
            (S3, "s3://b", &[][..], "?region=… in the URL, region in the configuration file, or AWS_REGION"),
            (S3, "s3://b", &[("region", "")], "AWS_REGION"),
            (S3, "s3://b", &[("region", "so so")], "AWS_REGION"),
            (S3, "s3://b", &[("endpoint", "ftp://x")], "AWS_ENDPOINT_URL_S3"),
            (S3, "s3://b", &[("endpoint", "http://")], "?endpoint="),
            (S3, "s3://b", &[("endpoint", "http://user:secret@host")], "the endpoint holds a user"),
            (GCS, "gcs://b", &[("endpoint", "http://host/?key=secret")], "the endpoint holds a user"),
            (S3, "s3://b", &[("region", "x"), ("access_key_id", "x")], "AWS_SECRET_ACCESS_KEY"),
            (S3, "s3://b", &[("region", "x"), ("secret_access_key", "x")], "AWS_ACCESS_KEY_ID"),
            (S3, "s3:///x", &[], "s3://bucket/prefix"),
            (S3, "s3://a b", &[], "bucket's name"),
            (GCS, "gcs://b", &[("endpoint", "a b")], "STORAGE_EMULATOR_HOST"),
            (GCS, "gcs://b", &[("credential_path", "/nowhere/key")], "GOOGLE_APPLICATION_CREDENTIALS"),
            (GCS, "gcs://", &[], "gcs://bucket/prefix"),
            (AZBLOB, "azblob://c", &[], "AZURE_STORAGE_ACCOUNT_NAME"),
            (AZBLOB, "azblob://c", &[("endpoint", "://")], "AZURE_STORAGE_ENDPOINT"),
            (AZBLOB, "azblob://c", &[("account_name", "a"), KEY], "account_key"),
            (AZBLOB, "azblob:///x", &[("account_name", "a")], "azblob://container/prefix"),
            (WEBDAV, "webdav://", &[], "webdavs://host/path"),
            (WEBDAV, "webdav://a b/x", &[], "webdav://host:port/path"),
            (WEBDAV, "webdav://a:99999/x", &[], "from 1 to 65535"),
            (HDFS, "hdfs://a:x/x", &[], "from 1 to 65535"),
        ] {
            let location = Location::parse(url.as_ref()).unwrap();
            let settings = Settings::of(options.iter().map(|(name, value)| (*name, (*value).to_owned())));
            let Err(OpenError::Usage(problem)) = service.check(&location, &settings) else {
                panic!("{url} {options:?} is taken")
            };
            assert!(problem.starts_with(url) && problem.contains(names), "{problem}");
            assert!(!problem.contains("secret@") && !problem.contains("key=secret"), "{problem}");
            assert!(!["::", "builder", "env."].iter().any(|inner| problem[url.len()..].contains(inner)), "{problem}");
        }
    }

    #[test]
    fn credentials_are_options_and_missing_ones_are_listed() {
        for service in [S3, GCS, AZBLOB, WEBDAV, HDFS] {
            for name in service.credentials {
                assert!(service.options.iter().any(|option| option.name == *name), "{name}");
            }
        }
        let Location::Url(url) = Location::parse("s3://b".as_ref()).unwrap() else { panic!("a URL") };
        let root = towpath_backend::RelPath::root();
        let told = |kind, text: &str| S3.failed(&url, &Error::new(kind, "stat", &root, text.to_owned())).to_string();
        let none = told(ErrorKind::Other, error::NO_CREDENTIALS);
        assert!(
            none.contains("access_key_id (AWS_ACCESS_KEY_ID), secret_access_key (AWS_SECRET_ACCESS_KEY)"),
            "{none}"
        );
        assert!(told(ErrorKind::PermissionDenied, "no").contains("AWS_ACCESS_KEY_ID"));
        assert!(told(ErrorKind::Unavailable, "gone").contains("endpoint (AWS_ENDPOINT_URL_S3)"));
        assert!(told(ErrorKind::Other, "the region 'x' is wrong").contains("region (AWS_REGION)"));
        assert_eq!(told(ErrorKind::Other, "what else"), "s3://b: stat .: what else");
    }

    fn keeps(tree: &impl Tree, said: Capabilities) {
        let (kept, url) = (tree.capabilities(), tree.root().escape_ascii().to_string());
        assert_eq!(kept.virtual_directories, said.virtual_directories, "{url}");
        assert_eq!(kept.sets_mtime, said.sets_mtime, "{url}");
        assert_eq!(kept.empty_directories, said.empty_directories, "{url}");
        assert_eq!((kept.symlinks, kept.renames), (said.symlinks, said.renames), "{url}");
    }
}
