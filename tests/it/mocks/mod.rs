//! Mocked trees with default behavior that tests override.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use towpath::{Event, Migration, Options, Report};
use towpath_backend::mock::{MockFileReader, MockFileWriter, MockSink, MockSource};
use towpath_backend::{
    Capabilities, Entry, EntryStream, Error, ErrorKind, Identity, Kind, Metadata, RelPath, Sink, Source, Timestamp,
};

pub const MTIME: Timestamp = Timestamp::from_ns(1_700_000_000_000_000_007);

/// Bytes of a large block.
pub const BLOCK: usize = 1 << 20;

/// One lane and fixed blocks, so that all calls are predictable.
pub fn one_lane() -> Options {
    Options::default().lanes(1).block_size_bytes(BLOCK).queue_capacity(4)
}

/// The position of a call.
pub fn position(calls: &CallLog, text: &str) -> usize {
    let calls = calls.lock().unwrap();
    calls.iter().position(|line| line == text).unwrap_or_else(|| panic!("no {text:?} in {calls:?}"))
}

pub fn metadata(kind: Kind, size_bytes: usize) -> Metadata {
    Metadata {
        accessed: Some(Timestamp::from_ns(5)),
        changed: Some(Timestamp::from_ns(6)),
        permissions: Some(0o640),
        ..Metadata::new(kind, size_bytes as u64, MTIME)
    }
}

pub fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

pub fn error(kind: ErrorKind, operation: &'static str, at: &RelPath) -> Error {
    Error::new(kind, operation, at, "injected by the test")
}

pub fn capabilities() -> Capabilities {
    Capabilities { symlinks: true, ..Capabilities::PLAIN }
}

/// A listing of these entries, on one page.
pub fn page(entries: Vec<Entry>) -> towpath_backend::Result<EntryStream> {
    Ok(Box::pin(tokio_stream::iter([Ok(entries)])))
}

pub fn entry(name: impl AsRef<[u8]>, kind: Kind, size_bytes: usize) -> Entry {
    Entry::new(name.as_ref().to_vec(), metadata(kind, size_bytes))
}

/// The calls of both mocked trees, in order.
pub type CallLog = Arc<Mutex<Vec<String>>>;

pub fn note(calls: &CallLog, text: impl Into<String>) {
    calls.lock().unwrap().push(text.into());
}

/// A source without expectations for its identity, listing and files.
pub fn bare_source(root: Metadata, capabilities: Capabilities) -> MockSource {
    let mut source = MockSource::new();
    source.expect_root().return_const(b"/old".to_vec());
    source.expect_capabilities().return_const(capabilities);
    source.expect_locate().return_const(None);
    source.expect_metadata().withf(RelPath::is_root).returning(move |_| Ok(root));
    source
}

/// A source with this identity at each check, and this listing.
pub fn identified_source(
    identity: impl Fn() -> &'static str + Send + 'static,
    list: impl Fn(&RelPath) -> towpath_backend::Result<EntryStream> + Send + 'static,
) -> MockSource {
    let mut source = bare_source(metadata(Kind::Dir, 0), capabilities());
    source.expect_identity().returning(move || Ok(Identity::new(identity())));
    source.expect_read_dir().returning(move |dir, _| list(dir));
    source
}

/// A source with this listing, without an expectation for `open`.
pub fn listed_source(list: impl Fn(&RelPath) -> towpath_backend::Result<EntryStream> + Send + 'static) -> MockSource {
    identified_source(|| "old", list)
}

/// A source with these files in its root, without an expectation for `open`.
pub fn listing(files: &[(&str, usize)]) -> MockSource {
    let entries: Vec<_> = files.iter().map(|(name, size)| entry(name, Kind::File, *size)).collect();
    let mut source = listed_source(move |_| page(entries.clone()));
    // After a failed read the engine stats the file, which fails too.
    source.expect_metadata().returning(|at| Err(error(ErrorKind::PermissionDenied, "stat", at)));
    source
}

/// A reader of a file of `size` sevens.
pub fn sevens(size: usize, calls: &CallLog) -> MockFileReader {
    let mut reader = MockFileReader::new();
    let noted = Arc::clone(calls);
    reader.expect_metadata().returning(move || {
        note(&noted, "stat");
        Ok(metadata(Kind::File, size))
    });
    let noted = Arc::clone(calls);
    reader.expect_read_at().returning(move |offset, length, buffer| {
        note(&noted, format!("read {offset}+{length}"));
        Ok(sevens_of(size, offset, length, buffer))
    });
    reader
}

/// The result of reading a file of `size` sevens.
pub fn sevens_of(size: usize, offset: u64, length: usize, mut buffer: Vec<u8>) -> Vec<u8> {
    let left = size.saturating_sub(offset as usize);
    buffer.resize(buffer.len() + left.min(length), 7);
    buffer
}

/// A source of files of sevens.
pub fn source(files: &'static [(&'static str, usize)], calls: &CallLog) -> MockSource {
    let mut source = listing(files);
    let sizes: BTreeMap<_, _> = files.iter().map(|(name, size)| (path(name), *size)).collect();
    let calls = Arc::clone(calls);
    source.expect_open().returning(move |path, _| {
        note(&calls, format!("open {path}"));
        Ok(Box::new(sevens(sizes[path], &calls)))
    });
    source
}

/// An empty sink, without expectations for `create` and `flush`.
pub fn empty_sink() -> MockSink {
    empty_sink_with(capabilities())
}

/// Like [`empty_sink`], with these capabilities.
pub fn empty_sink_with(capabilities: Capabilities) -> MockSink {
    let mut sink = bare_sink(capabilities);
    sink.expect_read_dir().returning(|_, _| page(Vec::new()));
    sink
}

/// A sink without expectations for its listing and files.
pub fn bare_sink(capabilities: Capabilities) -> MockSink {
    let mut sink = MockSink::new();
    sink.expect_root().return_const(b"/new".to_vec());
    sink.expect_capabilities().return_const(capabilities);
    sink.expect_locate().return_const(None);
    sink.expect_identity().returning(|| Ok(Identity::new("new")));
    sink.expect_set_times().returning(|_, _| Ok(()));
    sink.expect_metadata().withf(RelPath::is_root).returning(|_| Ok(metadata(Kind::Dir, 0)));
    sink
}

/// A writer that accepts everything.
pub fn accepting_writer(calls: &CallLog) -> MockFileWriter {
    let mut writer = MockFileWriter::new();
    let written = Arc::new(Mutex::new(0));
    let (noted, counted) = (Arc::clone(calls), Arc::clone(&written));
    writer.expect_write_at().returning(move |offset, data| {
        note(&noted, format!("write {offset}+{}", data.len()));
        *counted.lock().unwrap() += data.len();
        Ok(())
    });
    let noted = Arc::clone(calls);
    writer.expect_finish().returning(move |_, times| {
        note(&noted, "finish");
        let mut metadata = metadata(Kind::File, *written.lock().unwrap());
        metadata.modified = times.modified;
        Ok(metadata)
    });
    writer
}

/// A sink that accepts everything.
pub fn accepting_sink(calls: &CallLog) -> MockSink {
    let mut sink = empty_sink();
    let noted = Arc::clone(calls);
    sink.expect_create().returning(move |path, _, _| {
        note(&noted, format!("create {path}"));
        Ok(Box::new(accepting_writer(&noted)))
    });
    let noted = Arc::clone(calls);
    sink.expect_flush().returning(move || {
        note(&noted, "flush");
        Ok(())
    });
    sink
}

/// Makes a sink report that it has no files.
pub fn without_files(mut sink: MockSink) -> MockSink {
    sink.expect_metadata().returning(|at| Err(error(ErrorKind::NotFound, "stat", at)));
    sink
}

/// A folder for database and log, with methods to run a migration and inspect the result.
pub struct Bench {
    folder: tempfile::TempDir,
    pub options: Options,
}

pub struct Ran {
    pub result: towpath::Result<Report>,
    pub events: Vec<Event>,
}

impl Bench {
    pub fn new(options: Options) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), options }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("backlog.db")
    }

    /// The lines of the log about files and directories.
    pub fn log_lines(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| !line["status"].as_str().unwrap().starts_with("run-")).collect()
    }

    pub fn migration(
        &self,
        source: impl Source + 'static,
        sink: impl Sink + 'static,
    ) -> (Migration, towpath::EventStream) {
        Migration::builder()
            .source(source)
            .sink(sink)
            .database(self.database())
            .audit_log(self.folder.path().join("audit.jsonl"))
            .options(self.options.clone())
            .build()
            .unwrap()
    }

    pub async fn run(&self, source: impl Source + 'static, sink: impl Sink + 'static) -> Ran {
        run(self.migration(source, sink)).await
    }

    /// Name and status of each row, in order.
    pub fn rows(&self) -> Vec<(String, String)> {
        rows(&self.database())
    }
}

pub fn rows(database: &std::path::Path) -> Vec<(String, String)> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let mut statement = connection.prepare("SELECT source_path, status FROM files ORDER BY 1").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

pub async fn run((migration, mut stream): (Migration, towpath::EventStream)) -> Ran {
    let listener = tokio::spawn(async move {
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            events.push(event);
        }
        events
    });
    let result = migration.run().await;
    Ran { result, events: listener.await.unwrap() }
}
