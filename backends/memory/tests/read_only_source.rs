//! A source without a sink passes its part of the conformance suite: an archive that something else wrote.

#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use towpath_backend::conformance::{Sample, SourceFixture, sample};
use towpath_backend::{
    Capabilities, Entry, EntryStream, Error, ErrorKind, FileReader, Identity, Kind, Metadata, NameRules, ReadOptions,
    RelPath, Result, Source, Timestamp, Tree, async_trait,
};

/// Files and directories in one file: for each a line `KIND SIZE SECONDS PATH`, followed by its content.
pub struct Archive {
    file: PathBuf,
    entries: BTreeMap<RelPath, (Metadata, Arc<[u8]>)>,
}

impl Archive {
    pub fn open(file: &Path) -> std::io::Result<Self> {
        let bytes = std::fs::read(file)?;
        let root = Metadata::new(Kind::Dir, 0, Timestamp::default());
        let mut entries = BTreeMap::from([(RelPath::root(), (root, Arc::from([])))]);
        let mut rest = &bytes[..];
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, behind) = (&rest[..end], &rest[end + 1..]);
            let (path, metadata) = parse(line).ok_or(std::io::ErrorKind::InvalidData)?;
            let (content, next) = behind.split_at(metadata.size_bytes as usize);
            entries.insert(path, (metadata, Arc::from(content)));
            rest = next;
        }
        Ok(Self { file: file.to_owned(), entries })
    }

    fn find(&self, operation: &'static str, path: &RelPath) -> Result<&(Metadata, Arc<[u8]>)> {
        self.entries.get(path).ok_or_else(|| Error::new(ErrorKind::NotFound, operation, path, "is not in the archive"))
    }
}

fn parse(line: &[u8]) -> Option<(RelPath, Metadata)> {
    let mut fields = std::str::from_utf8(line).ok()?.splitn(4, ' ');
    let kind = if fields.next()? == "dir" { Kind::Dir } else { Kind::File };
    let (size, seconds) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((RelPath::new(fields.next()?).ok()?, Metadata::new(kind, size, Timestamp::from_parts(seconds, 0))))
}

#[async_trait]
impl Tree for Archive {
    fn root(&self) -> &[u8] {
        self.file.as_os_str().as_encoded_bytes()
    }

    fn capabilities(&self) -> Capabilities {
        let names = NameRules { utf8_only: true, ..NameRules::BYTES };
        Capabilities { mtime_precision_ns: 1_000_000_000, names, ..Capabilities::PLAIN }
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(Identity::new(format!("archive {}", self.file.display())))
    }

    async fn read_dir(&self, dir: &RelPath, _: &ReadOptions) -> Result<EntryStream> {
        if self.find("list", dir)?.0.kind != Kind::Dir {
            return Err(Error::new(ErrorKind::NotADirectory, "list", dir, "is a file"));
        }
        let inside = self.entries.iter().filter(|(path, _)| path.parent().as_ref() == Some(dir));
        let entry = |path: &RelPath, metadata| Entry::new(path.name().unwrap_or_default().to_vec(), metadata);
        let entries: Vec<_> = inside.map(|(path, (metadata, _))| entry(path, *metadata)).collect();
        let pages: Vec<_> = entries.chunks(1000).map(|page| Ok(page.to_vec())).collect();
        Ok(Box::pin(tokio_stream::iter(pages)))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.find("stat", path).map(|(metadata, _)| *metadata)
    }
}

#[async_trait]
impl Source for Archive {
    async fn open(&self, path: &RelPath, _: &ReadOptions) -> Result<Box<dyn FileReader>> {
        let (metadata, content) = self.find("open", path)?.clone();
        match metadata.kind {
            Kind::File => Ok(Box::new(Member { metadata, content })),
            _ => Err(Error::new(ErrorKind::IsADirectory, "open", path, "is a directory")),
        }
    }
}

struct Member {
    metadata: Metadata,
    content: Arc<[u8]>,
}

#[async_trait]
impl FileReader for Member {
    async fn metadata(&mut self) -> Result<Metadata> {
        Ok(self.metadata)
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.content.len());
        let end = start.saturating_add(length_bytes).min(self.content.len());
        buffer.extend_from_slice(&self.content[start..end]);
        Ok(buffer)
    }
}

/// The program that writes such archives.
fn pack(file: &Path, sample: &[Sample]) {
    let mut bytes = Vec::new();
    for Sample { path, kind, content, modified, .. } in sample {
        let kind = if *kind == Kind::Dir { "dir" } else { "file" };
        bytes.extend(format!("{kind} {} {} {path}\n", content.len(), modified.seconds()).into_bytes());
        bytes.extend(content);
    }
    assert!(std::fs::write(file, bytes).is_ok());
}

/// An archive in its own folder.
struct Packed {
    archive: Archive,
    _folder: Arc<tempfile::TempDir>,
}

impl Packed {
    fn new() -> std::io::Result<Self> {
        let folder = Arc::new(tempfile::tempdir()?);
        let file = folder.path().join("archive");
        pack(&file, &[]);
        let capabilities = Archive::open(&file)?.capabilities();
        pack(&file, &sample(&capabilities));
        Ok(Self { archive: Archive::open(&file)?, _folder: folder })
    }
}

#[async_trait]
impl SourceFixture for Packed {
    fn source(&self) -> &dyn Source {
        &self.archive
    }

    async fn reopen(&self) -> Option<Box<dyn SourceFixture>> {
        let archive = Archive::open(&self.archive.file).ok()?;
        Some(Box::new(Self { archive, _folder: Arc::clone(&self._folder) }))
    }
}

mod conformance {
    towpath_backend::source_conformance!(super::Packed::new().expect("a folder for an archive"));
}
