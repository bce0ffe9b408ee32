//! Every layer forwards every call: no default implementation bypasses the inner tree.

#![cfg(feature = "layers")]
#![warn(clippy::missing_trait_methods)]
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use towpath_backend::layer::{Fault, Faults, Metrics, Operation, Prefix, Rate, ReadOnly, Retry, RetryPolicy};
use towpath_backend::{
    Attributes, Bytes, Capabilities, EntryStream, Error, ErrorKind, FileReader, FileWriter, Freshness, Hints, Identity,
    Kind, Metadata, ObjectMetadata, Pacing, ReadOptions, RelPath, Result, Sink, Source, Times, Timestamp, Tree,
    WaitObserver, WaitReason, WholeFile, WriteOptions, Xattr, async_trait,
};

/// Records which methods are called.
#[derive(Clone, Default)]
struct Recording(Arc<Mutex<BTreeSet<&'static str>>>);

struct Deaf;

impl WaitObserver for Deaf {
    fn waiting(&self, _: WaitReason, _: &str) {}

    fn resumed(&self) {}
}

impl Recording {
    fn called(&self, name: &'static str) {
        self.0.lock().unwrap().insert(name);
    }

    /// A call whose options were forwarded.
    fn called_paced(&self, name: &'static str, pacing: Option<&Pacing>) {
        assert_eq!(pacing.map(Pacing::bytes_per_s), Some(RATE), "{name}");
        self.called(name);
    }
}

const RATE: u64 = 1 << 20;

fn read_options() -> ReadOptions {
    ReadOptions::default().paced_by(&Pacing::new(RATE)).bypassing_cache()
}

fn write_options() -> WriteOptions {
    WriteOptions::default().paced_by(&Pacing::new(RATE))
}

fn root() -> RelPath {
    RelPath::root()
}

fn metadata() -> Metadata {
    Metadata::new(Kind::Dir, 0, Timestamp::from_ns(0))
}

#[async_trait]
impl Tree for Recording {
    fn root(&self) -> &[u8] {
        self.called("root");
        b"recording:"
    }

    fn capabilities(&self) -> Capabilities {
        self.called("capabilities");
        Capabilities::PLAIN
    }

    fn hints(&self) -> Hints {
        self.called("hints");
        Hints::DEFAULT
    }

    fn locate(&self, _: &Path) -> Option<RelPath> {
        self.called("locate");
        None
    }

    fn observe_waits(&self, _: Arc<dyn WaitObserver>) {
        self.called("observe_waits");
    }

    fn stop_waiting(&self) {
        self.called("stop_waiting");
    }

    async fn identity(&self) -> Result<Identity> {
        self.called("identity");
        Ok(Identity::new("recording"))
    }

    async fn round_trip(&self) -> Result<()> {
        self.called("round_trip");
        Ok(())
    }

    async fn read_dir(&self, _: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        self.called_paced("read_dir", options.pacing.as_ref());
        Err(Error::new(ErrorKind::NotFound, "list", &root(), "none"))
    }

    async fn metadata(&self, _: &RelPath) -> Result<Metadata> {
        self.called("metadata");
        Ok(metadata())
    }

    async fn read_link(&self, _: &RelPath) -> Result<Vec<u8>> {
        self.called("read_link");
        Ok(Vec::new())
    }

    async fn xattrs(&self, _: &RelPath) -> Result<Vec<Xattr>> {
        self.called("xattrs");
        Ok(Vec::new())
    }
}

#[async_trait]
impl Source for Recording {
    async fn open(&self, _: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        assert!(options.bypass_cache);
        self.called_paced("open", options.pacing.as_ref());
        Ok(Box::new(self.clone()))
    }

    async fn read_whole(&self, _: &RelPath, _: usize, data: Vec<u8>, options: &ReadOptions) -> Result<WholeFile> {
        assert!(options.bypass_cache);
        self.called_paced("read_whole", options.pacing.as_ref());
        Ok(WholeFile::new(data, metadata()).with_holes(true).with_freshness(Freshness::Storage))
    }
}

#[async_trait]
impl FileReader for Recording {
    async fn metadata(&mut self) -> Result<Metadata> {
        self.called("reader.metadata");
        Ok(metadata())
    }

    async fn read_at(&mut self, _: u64, _: usize, buffer: Vec<u8>) -> Result<Vec<u8>> {
        self.called("reader.read_at");
        Ok(buffer)
    }

    async fn prefetch(&mut self, _: u64, _: u64) {
        self.called("reader.prefetch");
    }

    fn freshness(&self) -> Freshness {
        self.called("reader.freshness");
        Freshness::Storage
    }

    fn object(&self) -> Option<Arc<ObjectMetadata>> {
        self.called("reader.object");
        None
    }

    async fn next_data(&mut self, _: u64) -> Result<Option<Range<u64>>> {
        self.called("reader.next_data");
        Ok(None)
    }
}

#[async_trait]
impl Sink for Recording {
    async fn create(&self, _: &RelPath, _: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        self.called_paced("create", options.pacing.as_ref());
        Ok(Box::new(self.clone()))
    }

    async fn write_whole(&self, _: &RelPath, _: Bytes, _: &Metadata, options: &WriteOptions) -> Result<Metadata> {
        self.called_paced("write_whole", options.pacing.as_ref());
        Ok(metadata())
    }

    async fn create_dir(&self, _: &RelPath, _: Option<u32>) -> Result<()> {
        self.called("create_dir");
        Ok(())
    }

    async fn create_symlink(&self, _: &RelPath, _: &[u8]) -> Result<()> {
        self.called("create_symlink");
        Ok(())
    }

    async fn create_hard_link(&self, _: &RelPath, _: &RelPath) -> Result<()> {
        self.called("create_hard_link");
        Ok(())
    }

    async fn respell(&self, _: &RelPath, _: &RelPath) -> Result<()> {
        self.called("respell");
        Ok(())
    }

    async fn rename(&self, _: &RelPath, _: &RelPath) -> Result<()> {
        self.called("rename");
        Ok(())
    }

    async fn set_times(&self, _: &RelPath, _: &Times) -> Result<()> {
        self.called("set_times");
        Ok(())
    }

    async fn set_attributes(&self, _: &RelPath, _: &Attributes) -> Result<Vec<Error>> {
        self.called("set_attributes");
        Ok(Vec::new())
    }

    async fn remove_file(&self, _: &RelPath) -> Result<()> {
        self.called("remove_file");
        Ok(())
    }

    async fn remove_dir(&self, _: &RelPath) -> Result<()> {
        self.called("remove_dir");
        Ok(())
    }

    fn reserved_paths(&self) -> Vec<RelPath> {
        self.called("reserved_paths");
        Vec::new()
    }

    fn can_discard(&self) -> bool {
        self.called("can_discard");
        true
    }

    async fn discard(&self, _: &RelPath) -> Result<()> {
        self.called("discard");
        Ok(())
    }

    async fn flush(&self) -> Result<()> {
        self.called("flush");
        Ok(())
    }
}

#[async_trait]
impl FileWriter for Recording {
    async fn write_at(&mut self, _: u64, _: Bytes) -> Result<()> {
        self.called("writer.write_at");
        Ok(())
    }

    async fn finish(self: Box<Self>, _: u64, _: &Times) -> Result<Metadata> {
        self.called("writer.finish");
        Ok(metadata())
    }
}

/// Makes every call of a tree and of a source.
async fn read_everything(tree: &impl Source) {
    let path = RelPath::new("path").unwrap();
    assert!(!tree.root().is_empty());
    assert_eq!(tree.capabilities(), Capabilities::PLAIN);
    assert_eq!(tree.hints(), Hints::DEFAULT);
    assert_eq!(tree.locate(Path::new("/local")), None);
    tree.observe_waits(Arc::new(Deaf));
    tree.stop_waiting();
    tree.identity().await.unwrap();
    tree.round_trip().await.unwrap();
    assert!(tree.read_dir(&path, &read_options()).await.is_err());
    tree.metadata(&path).await.unwrap();
    let mut reader = tree.open(&path, &read_options()).await.unwrap();
    reader.metadata().await.unwrap();
    assert_eq!(reader.read_at(0, 1, b"kept".to_vec()).await.unwrap(), b"kept");
    reader.prefetch(0, 1).await;
    assert_eq!(reader.object(), None);
    assert_eq!(reader.freshness(), Freshness::Storage);
    reader.next_data(0).await.unwrap();
    let whole = tree.read_whole(&path, 1, Vec::new(), &read_options()).await.unwrap();
    assert!(whole.may_have_holes && whole.freshness.is_storage());
    tree.read_link(&path).await.unwrap();
    tree.xattrs(&path).await.unwrap();
}

/// Makes every call that only a sink has; returns their results, except those of the writer.
async fn write_everything(tree: &impl Sink) -> Vec<Result<()>> {
    let (path, other) = (RelPath::new("path").unwrap(), RelPath::new("other").unwrap());
    let (metadata, times) = (metadata(), metadata().times());
    assert!(tree.reserved_paths().is_empty() && tree.can_discard());
    if let Ok(mut writer) = tree.create(&path, &metadata, &write_options()).await {
        writer.write_at(0, Bytes::from_static(b"x")).await.unwrap();
        writer.finish(1, &times).await.unwrap();
    }
    vec![
        tree.create(&path, &metadata, &write_options()).await.map(drop),
        tree.write_whole(&path, Bytes::new(), &metadata, &write_options()).await.map(|_| ()),
        tree.create_dir(&path, None).await,
        tree.create_symlink(&path, b"target").await,
        tree.create_hard_link(&path, &other).await,
        tree.rename(&path, &other).await,
        tree.respell(&path, &other).await,
        tree.set_times(&path, &times).await,
        tree.set_attributes(&path, &Attributes::default()).await.map(drop),
        tree.remove_file(&path).await,
        tree.remove_dir(&path).await,
        tree.discard(&path).await,
    ]
}

/// All methods of all traits, called directly.
async fn everything() -> BTreeSet<&'static str> {
    let names: BTreeSet<_> = called_through(|tree| tree).await;
    assert_eq!(names.len(), 37, "{names:?}");
    names
}

/// The calls that reach the tree inside a layer.
async fn called_through<T: Source + Sink>(layer: impl FnOnce(Recording) -> T) -> BTreeSet<&'static str> {
    let recording = Recording::default();
    let tree = layer(recording.clone());
    read_everything(&tree).await;
    assert!(write_everything(&tree).await.iter().all(|done| done.is_ok()));
    tree.flush().await.unwrap();
    recording.0.lock().unwrap().clone()
}

#[tokio::test]
async fn pointers_forward_everything() {
    let everything = everything().await;
    assert_eq!(called_through(Box::new).await, everything);
    assert_eq!(called_through(Arc::new).await, everything);
    assert_eq!(called_through(|tree| &*Box::leak(Box::new(tree))).await, everything);
    let recording = Recording::default();
    read_everything(&(Box::new(recording.clone()) as Box<dyn Source>)).await;
    let sink: Arc<dyn Sink> = Arc::new(recording.clone());
    assert!(write_everything(&sink).await.iter().all(|done| done.is_ok()));
    sink.flush().await.unwrap();
    assert_eq!(*recording.0.lock().unwrap(), everything, "as a trait object too");
}

#[tokio::test]
async fn layers_forward_everything() {
    let everything = everything().await;
    assert_eq!(called_through(|tree| Prefix::new(tree, &RelPath::new("a/b").unwrap())).await, everything);
    assert_eq!(called_through(|tree| Retry::new(tree, RetryPolicy::default())).await, everything);
    assert_eq!(called_through(|tree| Fault::new(tree, Faults::new(1))).await, everything);
    assert_eq!(called_through(Metrics::new).await, everything);
    assert_eq!(called_through(|tree| Rate::new(tree, NonZeroU64::MAX)).await, everything);
}

#[tokio::test]
async fn a_read_only_tree_forwards_reads_and_rejects_changes() {
    let recording = Recording::default();
    let tree = ReadOnly::new(recording.clone());
    for rejected in write_everything(&tree).await {
        let rejected = rejected.unwrap_err();
        assert_eq!((rejected.kind(), rejected.is_temporary()), (ErrorKind::ReadOnly, false), "{rejected}");
    }
    assert_eq!(*recording.0.lock().unwrap(), BTreeSet::from(["can_discard", "reserved_paths"]));
    read_everything(&tree).await;
    tree.flush().await.unwrap();
    let all = everything().await;
    let read = recording.0.lock().unwrap().clone();
    let missing: Vec<_> = all.difference(&read).copied().collect();
    assert_eq!(missing.len(), 14, "{missing:?}");
}

#[tokio::test]
async fn every_operation_has_a_name_and_is_counted_as_itself() {
    let tree = Metrics::new(Recording::default());
    read_everything(&tree).await;
    write_everything(&tree).await;
    tree.flush().await.unwrap();
    let (counted, names): (Vec<_>, BTreeSet<_>) = (
        tree.snapshot().iter().map(|(operation, _)| operation).collect(),
        Operation::ALL.iter().map(|o| o.name()).collect(),
    );
    // A listing that cannot be opened has no pages.
    assert_eq!(counted.len(), Operation::ALL.len() - 1);
    assert!(!counted.contains(&Operation::NextPage));
    assert_eq!(names.len(), Operation::ALL.len());
}
