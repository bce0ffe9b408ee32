//! A bench with two trees in memory, a state that persists between runs, and hooks before chosen calls.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use tokio_stream::StreamExt as _;
use towpath::{CancellationToken, Event, Migration, Options, Report};
use towpath_backend::layer::{Call, Hook, Hooked, Operation};
use towpath_backend::{
    Bytes, Capabilities, Kind, Metadata, NameRules, ReadOptions, RelPath, Sink, Source, Timestamp, Tree as _,
    WriteOptions, async_trait,
};
use towpath_memory::MemoryTree;

pub fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

/// Bytes that vary with the position.
pub fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

#[derive(Clone)]
pub struct Bench {
    pub folder: Arc<tempfile::TempDir>,
    pub source: MemoryTree,
    pub sink: MemoryTree,
    pub options: Options,
    /// The log, in the folder.
    pub log: &'static str,
}

pub struct Ran {
    pub report: Report,
    pub events: Vec<Event>,
}

impl Ran {
    /// Whether any event mentions `text`.
    pub fn mentions(&self, text: &str) -> bool {
        self.events.iter().any(|event| format!("{event:?} {}", error_of(event)).contains(text))
    }
}

impl Bench {
    pub fn new() -> Self {
        Self {
            folder: Arc::new(tempfile::tempdir().unwrap()),
            source: MemoryTree::new("old"),
            sink: MemoryTree::new("new"),
            options: Options::default().lanes(2),
            log: "audit.jsonl",
        }
    }

    /// A bench whose sink does not distinguish upper and lower case.
    pub fn with_sink_that_folds_case() -> Self {
        let all = MemoryTree::new("all").capabilities();
        let names = NameRules { folds_case: true, ..NameRules::BYTES };
        Self { sink: MemoryTree::with_capabilities("new", Capabilities { names, ..all }), ..Self::new() }
    }

    pub async fn run(&self) -> Ran {
        self.run_between(self.source.clone(), self.sink.clone()).await
    }

    /// Like [`Self::run`], returns errors and no events.
    pub async fn try_run(&self) -> towpath::Result<Report> {
        self.try_run_into(self.sink.clone()).await
    }

    pub async fn try_run_into(&self, sink: impl Sink + 'static) -> towpath::Result<Report> {
        self.try_run_between(self.source.clone(), sink, CancellationToken::new()).await
    }

    pub async fn try_run_between(
        &self,
        source: impl Source + 'static,
        sink: impl Sink + 'static,
        token: CancellationToken,
    ) -> towpath::Result<Report> {
        let (migration, _) = self.migration(source, sink, token);
        migration.run().await
    }

    pub fn with_log(self, log: &'static str) -> Self {
        Self { log, ..self }
    }

    pub fn in_folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log_file(&self) -> PathBuf {
        self.in_folder(self.log)
    }

    pub async fn run_between(&self, source: impl Source + 'static, sink: impl Sink + 'static) -> Ran {
        self.run_until_cancelled(source, sink, CancellationToken::new()).await
    }

    pub fn migration(
        &self,
        source: impl Source + 'static,
        sink: impl Sink + 'static,
        token: CancellationToken,
    ) -> (Migration, towpath::EventStream) {
        Migration::builder()
            .source(source)
            .sink(sink)
            .database(self.database())
            .audit_log(self.log_file())
            .options(self.options.clone())
            .cancellation(token)
            .build()
            .unwrap()
    }

    pub async fn run_until_cancelled(
        &self,
        source: impl Source + 'static,
        sink: impl Sink + 'static,
        token: CancellationToken,
    ) -> Ran {
        let (migration, mut stream) = self.migration(source, sink, token);
        let listener = tokio::spawn(async move {
            let mut events = Vec::new();
            while let Some(event) = stream.next().await {
                events.push(event);
            }
            events
        });
        let report = migration.run().await.unwrap();
        Ran { report, events: listener.await.unwrap() }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("backlog.db")
    }

    fn lines(&self) -> impl Iterator<Item = serde_json::Value> {
        let text = std::fs::read_to_string(self.log_file()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>().into_iter()
    }

    /// The lines of the log about runs.
    pub fn run_lines(&self) -> Vec<serde_json::Value> {
        self.lines().filter(|line| line["status"].as_str().unwrap().starts_with("run-")).collect()
    }

    /// The files in sync that failed in an earlier run, with the reasons.
    pub fn failed_before(&self) -> Vec<(String, String)> {
        let text = |line: &serde_json::Value, key: &str| line[key].as_str().map(str::to_owned);
        self.lines().filter_map(|line| text(&line, "dest").zip(text(&line, "failed_before"))).collect()
    }

    /// The reasons in the `files` view.
    pub fn errors(&self) -> Vec<String> {
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        let mut statement = connection.prepare("SELECT error FROM files WHERE error IS NOT NULL").unwrap();
        let errors = statement.query_map([], |row| row.get(0)).unwrap();
        errors.map(Result::unwrap).collect()
    }

    /// The relative paths in the log's lines with this status, in order.
    pub fn logged(&self, status: &str) -> Vec<String> {
        let name =
            |line: serde_json::Value| line["dest"].as_str().unwrap().strip_prefix("mem://new/").unwrap().to_owned();
        self.lines().filter(|line| line["status"] == status).map(name).collect()
    }
}

/// Writes a file with a fixed mtime and creates its parent directories.
pub async fn write(tree: &MemoryTree, at: &str, data: &[u8]) {
    write_at(tree, at, data, 1_700_000_000).await;
}

pub async fn write_at(tree: &MemoryTree, at: &str, data: &[u8], seconds: i64) {
    let at = path(at);
    let mut dirs: Vec<_> = std::iter::successors(at.parent(), RelPath::parent).filter(|dir| !dir.is_root()).collect();
    while let Some(dir) = dirs.pop() {
        let _may_be_there = tree.create_dir(&dir, None).await;
    }
    let metadata = Metadata::new(Kind::File, data.len() as u64, Timestamp::from_parts(seconds, 0));
    tree.write_whole(&at, Bytes::copy_from_slice(data), &metadata, &WriteOptions::default()).await.unwrap();
}

pub async fn read(tree: &MemoryTree, at: &str) -> Option<Vec<u8>> {
    let file = tree.read_whole(&path(at), 64 << 20, Vec::new(), &ReadOptions::default()).await.ok()?;
    Some(file.data)
}

/// All paths below a directory, sorted.
pub async fn names(tree: &MemoryTree, dir: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut dirs = vec![path(dir)];
    while let Some(dir) = dirs.pop() {
        let mut pages = tree.read_dir(&dir, &ReadOptions::default()).await.unwrap();
        while let Some(page) = pages.next().await {
            for entry in page.unwrap() {
                let at = dir.join(&entry.name).unwrap();
                names.push(at.to_string());
                if entry.metadata.kind == Kind::Dir {
                    dirs.push(at);
                }
            }
        }
    }
    names.sort();
    names
}

type Act = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Runs an action right before the `nth` call of an operation on a path.
pub struct Before {
    operation: Operation,
    at: RelPath,
    nth: u64,
    seen: AtomicU64,
    act: Act,
}

#[async_trait]
impl Hook for Before {
    async fn wait(&self, call: &Call<'_>) {
        let applies = call.operation == self.operation && *call.path == self.at;
        if applies && self.seen.fetch_add(1, SeqCst) + 1 == self.nth {
            (self.act)().await;
        }
    }
}

/// `tree`, with `act` before the `nth` call (from 1) of `operation` on `at`.
pub fn before<T, F>(tree: T, operation: Operation, at: &str, nth: u64, act: F) -> Hooked<T, Before>
where
    F: Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static,
{
    let hook = Before { operation, at: path(at), nth, seen: AtomicU64::new(0), act: Box::new(act) };
    Hooked::around(tree, Arc::new(hook))
}

/// An action for [`before`] that removes a file.
pub fn removes(tree: &MemoryTree, at: &'static str) -> impl Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + use<> {
    let tree = tree.clone();
    move || {
        let tree = tree.clone();
        Box::pin(async move { tree.remove_file(&path(at)).await.unwrap() })
    }
}

fn error_of(event: &Event) -> String {
    match event {
        Event::Failed { error, .. } | Event::Incomplete { error, .. } | Event::WillRetry { error, .. } => {
            error.to_string()
        }
        Event::Unreadable { error, .. } => error.to_string(),
        Event::AttributeNotAccepted { error, .. } => error.to_string(),
        _ => String::new(),
    }
}
