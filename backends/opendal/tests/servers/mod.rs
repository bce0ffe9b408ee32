//! Real servers on loopback, started for a test and ended with it.
//!
//! `install.sh` beside this gets them. What is not there is skipped, and the test says so.

#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::panic, missing_docs)]

mod file_servers;
mod object_stores;
mod proxy;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, PipeReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

pub use file_servers::*;
pub use object_stores::*;
use proxy::Proxy;

use crate::skip::skip;
use tokio::sync::Notify;
use towpath_backend::registry::{Backend as _, ConfigSources, Location, Registry};
use towpath_backend::{Sink, Source};
use towpath_opendal::services;

/// The command that serves a folder on a port.
type MakeCommand = dyn Fn(&Path, u16) -> Command + Send + Sync;

/// A server, and how it is reached.
pub struct Server {
    folder: tempfile::TempDir,
    port: u16,
    command: Box<MakeCommand>,
    child: Option<Child>,
    /// In the line that it prints once it serves.
    ready: &'static str,
    /// In front of a server that a test disconnects.
    proxy: Option<Proxy>,
    /// Whether it loses its data when it is killed.
    is_in_memory: bool,
    /// What the tests' trees lie in: `s3://bucket`.
    url: String,
    /// What follows it: `?option=value`.
    query: String,
    /// The environment variables that give the options.
    pub environment: BTreeMap<String, String>,
}

impl Server {
    /// Starts `command` with a folder and a port of its own, and waits until it prints a line with `ready`.
    fn start(ready: &'static str, command: impl Fn(&Path, u16) -> Command + Send + Sync + 'static) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (folder, command) = (tempfile::tempdir().unwrap(), Box::new(command));
        let (url, query, environment) = (String::new(), String::new(), BTreeMap::new());
        let (child, proxy) = (None, None);
        let mut server =
            Self { folder, port, command, child, ready, proxy, is_in_memory: false, url, query, environment };
        server.restart();
        server
    }

    /// Starts it again, with what it had on disk.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = (self.command)(self.folder.path(), self.port);
        let (output, input) = std::io::pipe().unwrap();
        command.stdin(Stdio::null()).stdout(input.try_clone().unwrap()).stderr(input);
        self.child = Some(command.spawn().unwrap());
        // The command holds the writing ends of the pipe.
        drop(command);
        if let Err(log) = wait_for(self.ready, output) {
            panic!("the server did not print {:?}: {log}", self.ready);
        }
        TcpStream::connect(("127.0.0.1", self.port)).unwrap();
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _status = child.wait();
        }
    }

    /// Reaches it through a proxy, so that a test can disconnect it.
    pub fn behind_a_proxy(mut self) -> Self {
        let proxy = Proxy::to(self.port);
        for value in self.environment.values_mut().chain([&mut self.url]) {
            *value = value.replace(&format!(":{}", self.port), &format!(":{}", proxy.port()));
        }
        self.proxy = Some(proxy);
        self
    }

    /// From now on it cannot be reached, and all connections end. Notifies when a client tries to connect again.
    pub fn disconnect(&mut self) -> Arc<Notify> {
        let proxy = self.proxy.as_ref().expect("is behind a proxy");
        proxy.cut();
        let rejected = proxy.rejected();
        if !self.is_in_memory {
            self.kill();
        }
        rejected
    }

    /// It can be reached again, and has what it stored.
    pub fn reconnect(&mut self) {
        if !self.is_in_memory {
            self.restart();
        }
        if let Some(proxy) = &self.proxy {
            proxy.restore();
        }
    }

    /// A server that loses its data when it is killed.
    fn in_memory(mut self) -> Self {
        self.is_in_memory = true;
        self
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

/// Waits for a line of a server's output that contains `text`; returns all lines if there is none. The rest is read and
/// discarded, as the server would block once the pipe is full.
fn wait_for(text: &'static str, output: PipeReader) -> Result<(), String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let _test_may_be_over = sender.send(String::from_utf8_lossy(&line).into_owned());
        }
    });
    let (end, mut log) = (Instant::now() + Duration::from_secs(60), String::new());
    while let Ok(line) = lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
        log += &format!("{line}\n");
        if line.contains(text) {
            return Ok(());
        }
    }
    Err(log)
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
