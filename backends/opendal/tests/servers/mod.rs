//! Real servers on loopback, started for a test and ended with it.
//!
//! `install.sh` beside this gets them. What is not there is skipped, and the test says so.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, missing_docs)]

mod proxy;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use proxy::Proxy;

use crate::skip::skip;
use towpath_backend::registry::{Backend as _, ConfigSources, Location, Registry};
use towpath_backend::{Sink, Source};
use towpath_opendal::services;

/// The command that serves a folder on a port.
type MakeCommand = dyn Fn(&Path, u16) -> Command;

/// A server, and how it is reached.
pub struct Server {
    folder: tempfile::TempDir,
    port: u16,
    command: Box<MakeCommand>,
    child: Option<Child>,
    /// What its log says once it serves, where listening is not enough.
    says_when_ready: &'static str,
    /// In front of a server that would lose its data if it were killed.
    proxy: Option<Proxy>,
    /// What the tests' trees lie in: `s3://bucket`.
    url: String,
    /// What follows it: `?option=value`.
    query: String,
    /// The environment variables that give the options.
    pub environment: BTreeMap<String, String>,
}

impl Server {
    /// Starts `command` with a folder and a port of its own, and waits until it listens.
    fn start(command: impl Fn(&Path, u16) -> Command + 'static) -> Self {
        Self::of(command).started()
    }

    /// The same, not started.
    fn of(command: impl Fn(&Path, u16) -> Command + 'static) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (folder, command) = (tempfile::tempdir().unwrap(), Box::new(command));
        let (url, query, environment) = (String::new(), String::new(), BTreeMap::new());
        let (child, proxy, says_when_ready) = (None, None, "");
        Self { folder, port, command, child, says_when_ready, proxy, url, query, environment }
    }

    fn started(mut self) -> Self {
        self.restart();
        self
    }

    /// Starts it again, with what it had on disk.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = (self.command)(self.folder.path(), self.port);
        let log = std::fs::File::create(self.folder.path().join("server.log")).unwrap();
        let log = || log.try_clone().unwrap();
        self.child = Some(command.stdin(Stdio::null()).stdout(log()).stderr(log()).spawn().unwrap());
        let (start, address) = (Instant::now(), ("127.0.0.1", self.port));
        let log = || std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        while TcpStream::connect(address).is_err() || !log().contains(self.says_when_ready) {
            assert!(start.elapsed() < Duration::from_secs(60), "the server does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _status = child.wait();
        }
    }

    /// Reaches it through a proxy that can be cut: moto has everything in memory, and azurite much.
    pub fn behind_a_proxy(mut self) -> Self {
        let proxy = Proxy::to(self.port);
        for value in self.environment.values_mut() {
            *value = value.replace(&self.port.to_string(), &proxy.port().to_string());
        }
        self.proxy = Some(proxy);
        self
    }

    /// From now on it cannot be reached, and all connections end.
    pub fn disconnect(&mut self) {
        match &self.proxy {
            Some(proxy) => proxy.cut(),
            None => self.kill(),
        }
    }

    /// It can be reached again, and has what it stored.
    pub fn reconnect(&mut self) {
        match &self.proxy {
            Some(proxy) => proxy.restore(),
            None => self.restart(),
        }
    }

    fn with(mut self, url: String, environment: &[(&str, &str)]) -> Self {
        self.url = url;
        self.environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of a tree of this name on it.
    pub fn location(&self, name: &str) -> String {
        format!("{}/{name}{}", self.url, self.query)
    }

    /// The tree of this name on it, from both sides; a folder is created.
    pub async fn trees(&self, name: &str) -> (Box<dyn Source>, Box<dyn Sink>) {
        let location = Location::parse(self.location(name).as_ref()).unwrap();
        let Location::Url(url) = &location else { panic!("{location} is no URL") };
        let registry = registry();
        let found = registry.find(&location, &self.config_sources()).unwrap();
        let sink = found.sink().await.unwrap();
        // Without the question whether there is anything to be read.
        if url.scheme() == "sftp" {
            return (Box::new(services::SFTP.tree(&location, found.settings()).unwrap()), sink);
        }
        let mut services =
            [services::S3, services::GCS, services::AZBLOB, services::WEBDAV, services::HDFS].into_iter();
        let service = services.find(|service| service.schemes().contains(&url.scheme())).unwrap();
        (Box::new(service.tree(&location, found.settings()).unwrap()), sink)
    }

    fn config_sources(&self) -> ConfigSources {
        let environment = self.environment.clone();
        ConfigSources::with_environment(move |name| environment.get(name).cloned())
    }

    /// The same as a dry run sees it.
    pub async fn inspected(&self, name: &str) -> Box<dyn Sink> {
        let location = Location::parse(self.location(name).as_ref()).unwrap();
        registry().find(&location, &self.config_sources()).unwrap().inspect().await.unwrap()
    }

    pub async fn source(&self, name: &str) -> Box<dyn Source> {
        self.trees(name).await.0
    }

    pub async fn sink(&self, name: &str) -> Box<dyn Sink> {
        self.trees(name).await.1
    }

    /// The folder on this machine that a server of folders serves.
    pub fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    services::register(&mut registry).unwrap();
    registry
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The folder that `install.sh` fills.
fn servers_folder() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/towpath-servers");
    std::env::var_os("TOWPATH_SERVERS").map_or_else(home, PathBuf::from)
}

/// The program of this name: in that folder, or in the path.
fn program(name: &str, package: &str) -> Result<PathBuf, String> {
    let folder = servers_folder();
    let folders = ["bin", "node_modules/.bin"].map(|name| folder.join(name));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = folders.into_iter().chain(std::env::split_paths(&path)).chain([PathBuf::from("/usr/sbin")]);
    let found = candidates.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()));
    found.ok_or_else(|| {
        format!("the program {name} is missing ({package}): backends/opendal/tests/servers/install.sh installs it")
    })
}

/// The server, or a line that says why the test is skipped.
pub fn or_skip(server: Result<Server, String>) -> Option<Server> {
    server.map_err(|reason| skip(format_args!("needs a server: {reason}"))).ok()
}

/// S3, by moto.
pub fn s3() -> Result<Server, String> {
    let moto = program("moto_server", "moto[server] of PyPI")?;
    let server = Server::start(move |_, port| {
        let mut command = Command::new(&moto);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
    });
    let endpoint = format!("http://{}", server.address());
    assert!(request(&server.address(), "PUT", "/bucket", &[]).starts_with("HTTP/1.1 200"));
    Ok(server.with(
        "s3://bucket".to_owned(),
        &[
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-test"),
        ],
    ))
}

/// Google Cloud Storage, by gcp-storage-emulator with a few additions.
pub fn gcs() -> Result<Server, String> {
    program("gcp-storage-emulator", "gcp-storage-emulator of PyPI")?;
    let python = program("python3", "python3")?;
    let server = Server::start(move |_folder, port| {
        let mut command = Command::new(&python);
        command.args(["-c", include_str!("gcs.py"), &port.to_string()]);
        command
    });
    let endpoint = format!("http://{}", server.address());
    let mut server = server.with("gcs://bucket".to_owned(), &[("STORAGE_EMULATOR_HOST", &endpoint)]);
    server.query = "?anonymous=true".to_owned();
    Ok(server)
}

/// The account of the emulator, which everyone knows.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Azure Blob Storage, by azurite.
pub fn azblob() -> Result<Server, String> {
    let azurite = program("azurite-blob", "azurite of npm")?;
    let python = program("python3", "python3")?;
    let server = Server::start(move |folder, port| {
        let mut command = Command::new(&azurite);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--skipApiVersionCheck", "--loose"]);
        command.args(["--silent", "--disableTelemetry", "--location"]).arg(folder);
        command
    });
    let endpoint = format!("http://{}/{AZURITE_ACCOUNT}", server.address());
    // The request to create a container must be signed.
    let script = include_str!("container.py");
    let created =
        Command::new(python).args(["-c", script, &endpoint, AZURITE_ACCOUNT, AZURITE_KEY, "container"]).status();
    assert!(created.unwrap().success());
    Ok(server.with(
        "azblob://container".to_owned(),
        &[
            ("AZURE_STORAGE_ENDPOINT", &endpoint),
            ("AZURE_STORAGE_ACCOUNT_NAME", AZURITE_ACCOUNT),
            ("AZURE_STORAGE_ACCOUNT_KEY", AZURITE_KEY),
        ],
    ))
}

/// WebDAV, by Apache.
pub fn webdav() -> Result<Server, String> {
    let apache = program("apache2", "apache2-bin of Debian")?;
    let modules = Path::new("/usr/lib/apache2/modules");
    if !modules.join("mod_dav.so").exists() {
        return Err(format!("Apache's mod_dav is not in {}, where Debian has it", modules.display()));
    }
    Ok(webdav_by(move |folder, port| {
        // Its workers are another user's where root starts it.
        let open = std::fs::Permissions::from_mode(0o777);
        for dir in ["", "files", "locks"].map(|name| folder.join(name)) {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::set_permissions(&dir, open.clone()).unwrap();
        }
        let settings = include_str!("apache.conf").replace("PORT", &port.to_string());
        let settings = settings.replace("FOLDER", folder.to_str().unwrap());
        let settings = settings.replace("MODULES", modules.to_str().unwrap());
        std::fs::write(folder.join("apache.conf"), settings).unwrap();
        let mut command = Command::new(&apache);
        // One process, which is gone when it is killed.
        command.args(["-X", "-f"]).arg(folder.join("apache.conf"));
        command
    }))
}

/// The same, which keeps properties of files as well.
pub fn webdav_with_mtimes() -> Result<Server, String> {
    let mut server = webdav()?;
    server.query = "?mtimes=true".to_owned();
    Ok(server)
}

/// WebDAV, by dufs.
pub fn dufs() -> Result<Server, String> {
    let dufs = program("dufs", "dufs of crates.io")?;
    Ok(webdav_by(move |folder, port| {
        let mut command = Command::new(&dufs);
        command.args(["-A", "-b", "127.0.0.1", "-p", &port.to_string()]).arg(folder.join("files"));
        command
    }))
}

/// WebDAV, by rclone.
pub fn rclone() -> Result<Server, String> {
    let rclone = program("rclone", "rclone")?;
    Ok(webdav_by(move |folder, port| {
        let mut command = Command::new(&rclone);
        command.args(["serve", "webdav", "--addr", &format!("127.0.0.1:{port}")]).arg(folder.join("files"));
        command
    }))
}

/// WebDAV, by a command that serves `files` in its folder.
fn webdav_by(command: impl Fn(&Path, u16) -> Command + 'static) -> Server {
    let server = Server::start(move |folder, port| {
        std::fs::create_dir_all(folder.join("files")).unwrap();
        command(folder, port)
    });
    let url = format!("webdav://{}", server.address());
    server.with(url, &[])
}

/// SFTP, by OpenSSH's own server, with keys of its own; `ssh` must be there too.
pub fn sftp() -> Result<Server, String> {
    let (sshd, _ssh) = (program("sshd", "openssh-server")?, program("ssh", "openssh-client")?);
    let mut server = Server::start(move |folder, port| {
        for key in ["host", "user"].map(|name| folder.join(name)) {
            if !key.exists() {
                let created =
                    Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
                assert!(created.unwrap().success());
            }
        }
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::create_dir_all(folder.join("files")).unwrap();
        // The directory that its package creates; only root can create it, and only root needs it.
        let _there = std::fs::create_dir_all("/run/sshd");
        let mut command = Command::new(&sshd);
        command.args(["-D", "-e", "-f", "/dev/null", "-p", &port.to_string(), "-h"]).arg(folder.join("host"));
        for option in [
            "ListenAddress=127.0.0.1",
            "PidFile=none",
            "StrictModes=no",
            "MaxStartups=100",
            "Subsystem=sftp internal-sftp",
            "UsePAM=no",
        ] {
            command.args(["-o", option]);
        }
        command.arg("-o").arg(format!("AuthorizedKeysFile={}", folder.join("user.pub").display()));
        command
    });
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let folder = server.folder.path().join("files");
    let url = format!("sftp://{user}@{}{}", server.address(), folder.display());
    let key = server.folder.path().join("user");
    server.query = format!("?key={}&known_hosts=accept", key.display());
    Ok(server.with(url, &[]))
}

/// The same, where symbolic links are kept.
pub fn sftp_with_links() -> Result<Server, String> {
    let mut server = sftp()?;
    server.query.push_str("&links=true");
    Ok(server)
}

/// HDFS, by Hadoop's own name node and data node.
pub fn hdfs() -> Result<Server, String> {
    let (python, _java) = (program("python3", "python3")?, program("java", "default-jre-headless")?);
    let jars = servers_folder().join("hadoop");
    if !jars.is_dir() {
        return Err(format!("{} is missing: backends/opendal/tests/servers/install.sh fills it", jars.display()));
    }
    let mut server = Server::of(move |folder, port| {
        let mut command = Command::new(&python);
        command.args(["-c", include_str!("hdfs.py")]).arg(&jars).arg(folder).arg(port.to_string());
        command
    });
    server.says_when_ready = "ready";
    let url = format!("hdfs://{}", server.address());
    Ok(server.started().with(url, &[]))
}

/// A request without a signature; the answer's head.
fn request(address: &str, method: &str, path: &str, headers: &[&str]) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
