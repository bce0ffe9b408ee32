//! Migrates from a backend of one's own: a source that lives in memory.
//!
//! ```text
//! cargo run --example custom_backend
//! ```

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::sync::Arc;

use towpath::{Event, Migration};
use towpath_backend::{
    Capabilities, Entry, EntryStream, Error, ErrorKind, FileReader, Identity, Kind, Metadata, RelPath, Result, Source,
    Timestamp, Tree, async_trait,
};
use towpath_local::LocalSink;

/// A flat tree of files in memory.
struct Memory(BTreeMap<RelPath, Arc<[u8]>>);

fn metadata(kind: Kind, size_bytes: usize) -> Metadata {
    Metadata::new(kind, size_bytes as u64, Timestamp(1_700_000_000_000_000_000))
}

impl Memory {
    fn file(&self, operation: &'static str, path: &RelPath) -> Result<&Arc<[u8]>> {
        self.0.get(path).ok_or_else(|| Error::new(ErrorKind::NotFound, operation, path, "no such file"))
    }
}

#[async_trait]
impl Tree for Memory {
    fn root(&self) -> &[u8] {
        b"memory:"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::PLAIN
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(Identity::new("the one and only"))
    }

    async fn read_dir(&self, _dir: &RelPath) -> Result<EntryStream> {
        let entry = |(path, data): (&RelPath, &Arc<[u8]>)| Entry {
            name: path.as_bytes().to_vec(),
            metadata: metadata(Kind::File, data.len()),
        };
        let page = self.0.iter().map(entry).collect();
        Ok(Box::pin(tokio_stream::iter([Ok(page)])))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        if path.is_root() {
            return Ok(metadata(Kind::Dir, 0));
        }
        self.file("look at", path).map(|data| metadata(Kind::File, data.len()))
    }
}

#[async_trait]
impl Source for Memory {
    async fn open(&self, path: &RelPath) -> Result<Box<dyn FileReader>> {
        self.file("open", path).map(|data| Box::new(Open(Arc::clone(data))) as _)
    }
}

struct Open(Arc<[u8]>);

#[async_trait]
impl FileReader for Open {
    async fn metadata(&mut self) -> Result<Metadata> {
        Ok(metadata(Kind::File, self.0.len()))
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let rest = &self.0[(offset as usize).min(self.0.len())..];
        buffer.extend_from_slice(&rest[..length_bytes.min(rest.len())]);
        Ok(buffer)
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("towpath-example-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let files = [("first.txt", "one"), ("second.txt", "two")];
    let files = files.map(|(name, text)| Ok((RelPath::new(name)?, Arc::from(text.as_bytes()))));
    let source = Memory(files.into_iter().collect::<std::result::Result<_, towpath_backend::InvalidPath>>()?);

    let mut migration = Migration::builder()
        .source(source)
        .sink(LocalSink::open(&folder.join("new"))?)
        .database(folder.join("backlog.db"))
        .audit_log(folder.join("audit.jsonl"))
        .build()?;
    let mut events = migration.events();
    let listener = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::Synced { paths, checksum: Some(checksum), .. } = event {
                println!("{}  {}", checksum.hash, String::from_utf8_lossy(&paths.dest));
            }
        }
    });
    let report = migration.run().await?;
    listener.await?;
    println!("{} files, all in sync: {}", report.synced.files, report.all_in_sync());
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
