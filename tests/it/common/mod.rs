//! A bench for the program: two trees, its database and log, and how to inspect them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::types::Value;

mod runs;

pub use self::runs::{Running, end, send_signal, wait_until};
pub use crate::root::{Mount, is_root_or_skip};
pub use crate::skip::skip;

pub struct Bench {
    pub folder: tempfile::TempDir,
}

pub struct ProcessOutput {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl ProcessOutput {
    /// Checks the exit status; a failure shows the output.
    #[track_caller]
    pub fn with_status(self, status: i32) -> Self {
        assert_eq!(self.status, status, "\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// What two trees are compared by: the kind, the content and the mtime of each entry.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum Node {
    Dir { mtime_ns: i128 },
    File { data: Vec<u8>, mtime_ns: i128 },
    Link { target: PathBuf, mtime_ns: i128 },
    Other,
}

pub struct Row {
    pub source: Vec<u8>,
    pub dest: Vec<u8>,
    pub is_text: bool,
    pub created: Option<i64>,
    pub changed: Option<i64>,
    pub modified: i64,
    pub permissions: Option<i64>,
    pub hash: Option<String>,
    pub size: i64,
    pub status: String,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self { folder };
        fs::create_dir(bench.source()).unwrap();
        bench
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        // Paths in the output are canonical.
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub fn source(&self) -> PathBuf {
        self.path("old")
    }

    pub fn dest(&self) -> PathBuf {
        self.path("new")
    }

    pub fn database(&self) -> PathBuf {
        self.path("backlog.db")
    }

    pub fn log_file(&self) -> PathBuf {
        self.path("audit.jsonl")
    }

    /// Writes a file of the source and creates its parent directories.
    pub fn write(&self, name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> PathBuf {
        write(&self.source(), name, data)
    }

    /// `towpath sync` with both trees, the state of this bench and `options`.
    pub fn command(&self, options: &[&str]) -> Command {
        let mut command = self.bare_command();
        command.arg("--database").arg(self.database()).arg("--log-file").arg(self.log_file()).args(options);
        command
    }

    /// Like [`Self::command`], without options for database and log.
    pub fn bare_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.env("XDG_STATE_HOME", self.path("state")).env("HOME", self.path("home"));
        command.arg("sync").arg(self.source()).arg(self.dest());
        command
    }

    /// Runs `towpath` with only these arguments and the state folder `state`.
    pub fn run_with_state(&self, arguments: &[&str], state: &Path) -> ProcessOutput {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.env("XDG_STATE_HOME", state).env("HOME", self.path("home")).env_remove("XDG_CONFIG_HOME");
        end(command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub fn sync(&self, options: &[&str]) -> ProcessOutput {
        end(self.command(options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// A run that sends itself a signal when it reaches a point of the engine for the `time`th time.
    #[cfg(feature = "failpoints")]
    pub fn sync_with_signal_at(
        &self,
        point: &str,
        signal: rustix::process::Signal,
        time: u32,
        options: &[&str],
    ) -> ProcessOutput {
        let mut command = self.command(options);
        command.env("TOWPATH_FAILPOINT", format!("{point}:{}:{time}", signal.as_raw()));
        end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub fn start(&self, options: &[&str]) -> Running {
        self.command(options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap().into()
    }

    /// Asserts that source and destination have the same entries.
    #[track_caller]
    pub fn assert_same_trees(&self) {
        assert_same(&self.source(), &self.dest());
    }

    fn open(&self) -> rusqlite::Connection {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
        let connection = rusqlite::Connection::open_with_flags(self.database(), flags).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection
    }

    /// Whether anything has arrived. Hidden probe files, which exist while the destination is being
    /// opened, do not count.
    pub fn has_arrivals(&self) -> bool {
        let visible = |entry: std::io::Result<fs::DirEntry>| !entry.unwrap().file_name().as_bytes().starts_with(b".");
        fs::read_dir(self.dest()).is_ok_and(|mut dir| dir.any(visible))
    }

    /// The rows of the `files` view, by name relative to the source.
    pub fn rows(&self) -> BTreeMap<Vec<u8>, Row> {
        let connection = self.open();
        let sql =
            "SELECT source_path, dest_path, created, changed, modified, permissions, hash, size, status FROM files";
        let mut statement = connection.prepare(sql).unwrap();
        let bytes = |value: Value| match value {
            Value::Text(text) => (text.into_bytes(), true),
            Value::Blob(bytes) => (bytes, false),
            other => panic!("{other:?}"),
        };
        let rows = statement
            .query_map([], |row| {
                let (source, is_text) = bytes(row.get(0)?);
                Ok(Row {
                    source,
                    is_text,
                    dest: bytes(row.get(1)?).0,
                    created: row.get(2)?,
                    changed: row.get(3)?,
                    modified: row.get(4)?,
                    permissions: row.get(5)?,
                    hash: row.get(6)?,
                    size: row.get(7)?,
                    status: row.get(8)?,
                })
            })
            .unwrap();
        let prefix = [self.source().as_os_str().as_bytes(), b"/"].concat();
        rows.map(Result::unwrap).map(|row| (row.source.strip_prefix(&prefix[..]).unwrap().to_vec(), row)).collect()
    }

    /// The names and errors of the rows of the `files` view that have an error.
    pub fn errors(&self) -> Vec<(String, String)> {
        let connection = self.open();
        let sql = "SELECT source_path, error FROM files WHERE error IS NOT NULL ORDER BY source_path";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).unwrap();
        let prefix = format!("{}/", self.source().display());
        rows.map(Result::unwrap).map(|(path, error)| (path.strip_prefix(&prefix).unwrap().to_owned(), error)).collect()
    }

    pub fn row(&self, name: impl AsRef<[u8]>) -> Row {
        self.rows().remove(name.as_ref()).unwrap()
    }

    pub fn count(&self, sql: &str) -> i64 {
        self.open().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The lines of the log about files and directories.
    pub fn log(&self) -> Vec<serde_json::Value> {
        read_log(&self.log_file()).into_iter().filter(|line| !is_about_run(line)).collect()
    }

    /// The lines of the log about runs.
    pub fn run_lines(&self) -> Vec<serde_json::Value> {
        read_log(&self.log_file()).into_iter().filter(is_about_run).collect()
    }

    /// The number of lines with `status` in the log for each name of the source.
    pub fn logged(&self, status: &str) -> BTreeMap<String, usize> {
        let prefix = format!("{}/", self.source().display());
        let mut counts = BTreeMap::new();
        for line in self.log().iter().filter(|line| line["status"] == status) {
            *counts.entry(line["source"].as_str().unwrap().strip_prefix(&prefix).unwrap().to_owned()).or_default() += 1;
        }
        counts
    }
}

impl Bench {
    /// The number of lines about runs in the log; 0 if it does not exist.
    pub fn run_lines_so_far(&self) -> usize {
        fs::read_to_string(self.log_file()).map_or(0, |log| log.matches("\"status\":\"run-").count())
    }
}

pub fn read_log(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// Whether a line of the log is about the start or end of a run.
pub fn is_about_run(line: &serde_json::Value) -> bool {
    ["run-", "verify-"].iter().any(|begin| line["status"].as_str().unwrap().starts_with(begin))
}

pub fn write(root: &Path, name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> PathBuf {
    let path = root.join(OsStr::from_bytes(name.as_ref()));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, data).unwrap();
    path
}

/// A named pipe: whoever opens it waits indefinitely.
pub fn make_fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

pub fn set_mtime(path: &Path, seconds: i64, nanoseconds: u32) {
    filetime::set_file_mtime(path, filetime::FileTime::from_unix_time(seconds, nanoseconds)).unwrap();
}

pub fn mtime_ns(path: &Path) -> i128 {
    let metadata = fs::symlink_metadata(path).unwrap();
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// Incompressible bytes that depend on the seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut data = Vec::with_capacity(length + 8);
    while data.len() < length {
        data.extend_from_slice(&next().to_le_bytes());
    }
    data.truncate(length);
    data
}

/// All entries below `root`, by path.
pub fn tree(root: &Path) -> BTreeMap<Vec<u8>, Node> {
    let mut nodes = BTreeMap::new();
    collect(root, b"", &mut nodes);
    nodes
}

fn collect(dir: &Path, prefix: &[u8], nodes: &mut BTreeMap<Vec<u8>, Node>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = [prefix, path.file_name().unwrap().as_bytes()].concat();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let node = if metadata.is_dir() {
            collect(&path, &[&name[..], b"/"].concat(), nodes);
            Node::Dir { mtime_ns: mtime_ns(&path) }
        } else if metadata.is_symlink() {
            Node::Link { target: fs::read_link(&path).unwrap(), mtime_ns: mtime_ns(&path) }
        } else if metadata.is_file() {
            Node::File { data: fs::read(&path).unwrap(), mtime_ns: mtime_ns(&path) }
        } else {
            Node::Other
        };
        nodes.insert(name, node);
    }
}

#[track_caller]
pub fn assert_same(one: &Path, other: &Path) {
    let (mut one, mut other) = (tree(one), tree(other));
    let differing: Vec<_> = one
        .keys()
        .chain(other.keys())
        .filter(|name| one.get(*name) != other.get(*name))
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    for node in one.values_mut().chain(other.values_mut()) {
        if let Node::File { data, .. } = node {
            data.truncate(16);
        }
    }
    assert!(differing.is_empty(), "{differing:?} differ;\n{:?}\n{:?}", one.len(), other.len());
}

pub fn sha256(data: &[u8]) -> String {
    towpath::Hasher::hash(towpath::Algorithm::Sha256, data).to_string()
}
