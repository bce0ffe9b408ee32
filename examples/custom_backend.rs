//! Migrates from a custom backend: the files inside a tar archive.
//!
//! ```text
//! cargo run --example custom_backend -- archive.tar /mnt/new
//! ```
//!
//! Without arguments it archives these examples and unpacks them into a temporary folder.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use towpath::Migration;
use towpath_backend::{
    Capabilities, Entry, EntryStream, Error, ErrorKind, FileReader, Hints, Identity, Kind, Metadata, ReadOptions,
    RelPath, Result, Source, Timestamp, Tree, async_trait,
};
use towpath_local::LocalSink;

/// An archive, with the metadata of each member and the offset of its content.
struct Tar {
    root: Vec<u8>,
    archive: Arc<File>,
    members: BTreeMap<RelPath, (Metadata, u64)>,
}

impl Tar {
    fn open(path: &Path) -> std::io::Result<Self> {
        let archive = File::open(path)?;
        let mut members = BTreeMap::from([(RelPath::root(), (Metadata::new(Kind::Dir, 0, Timestamp::from_ns(0)), 0))]);
        let (mut at, mut header) = (0, [0; 512]);
        while archive.read_exact_at(&mut header, at).is_ok() && header[0] != 0 {
            let size = octal(&header[124..136]);
            let name = [text(&header[345..500]), text(&header[..100])].join(&b'/');
            let path: Vec<_> = name.split(|&b| b == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
            let kind = if header[156] == b'5' { Kind::Dir } else { Kind::File };
            let modified = Timestamp::from_parts(octal(&header[136..148]).cast_signed(), 0);
            if let (Ok(path), b'0' | b'5' | 0) = (RelPath::new(path.join(&b'/')), header[156]) {
                members.insert(path, (Metadata::new(kind, size, modified), at + 512));
            }
            at += 512 + size.next_multiple_of(512);
        }
        Ok(Self { root: path.as_os_str().as_encoded_bytes().to_vec(), archive: Arc::new(archive), members })
    }

    fn find(&self, operation: &'static str, path: &RelPath) -> Result<&(Metadata, u64)> {
        self.members.get(path).ok_or_else(|| Error::new(ErrorKind::NotFound, operation, path, "not in the archive"))
    }
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn octal(field: &[u8]) -> u64 {
    let digits = text(field).iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 8 + u64::from(digit - b'0'))
}

#[async_trait]
impl Tree for Tar {
    fn root(&self) -> &[u8] {
        &self.root
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { mtime_precision_ns: 1_000_000_000, ..Capabilities::PLAIN }
    }

    fn hints(&self) -> Hints {
        Hints { over_network: false, ..Hints::DEFAULT }
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(Identity::new(String::from_utf8_lossy(&self.root)))
    }

    async fn read_dir(&self, dir: &RelPath, _: &ReadOptions) -> Result<EntryStream> {
        self.find("list", dir)?;
        let inside = self.members.iter().filter(|(path, _)| path.parent().as_ref() == Some(dir));
        let name = |path: &RelPath| path.name().unwrap_or_default().to_vec();
        let entries: Vec<_> = inside.map(|(path, found)| Entry::new(name(path), found.0)).collect();
        let pages: Vec<_> = entries.chunks(1000).map(|page| Ok(page.to_vec())).collect();
        Ok(Box::pin(tokio_stream::iter(pages)))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.find("stat", path).map(|(metadata, _)| *metadata)
    }
}

#[async_trait]
impl Source for Tar {
    async fn open(&self, path: &RelPath, _: &ReadOptions) -> Result<Box<dyn FileReader>> {
        let &(metadata, begin) = self.find("open", path)?;
        Ok(Box::new(Member { archive: Arc::clone(&self.archive), path: path.clone(), metadata, begin }))
    }
}

struct Member {
    archive: Arc<File>,
    path: RelPath,
    metadata: Metadata,
    begin: u64,
}

#[async_trait]
impl FileReader for Member {
    async fn metadata(&mut self) -> Result<Metadata> {
        Ok(self.metadata)
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let rest = usize::try_from(self.metadata.size_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let from = buffer.len();
        buffer.resize(from + length_bytes.min(rest), 0);
        let read = self.archive.read_exact_at(&mut buffer[from..], self.begin + offset);
        read.map(|()| buffer).map_err(|error| Error::from_io("read", &self.path, error))
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("towpath-tar-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (archive, dest) = (arguments.next(), arguments.next().unwrap_or(folder.join("new")));
    let archive = archive.unwrap_or(folder.join("examples.tar"));
    if archive.starts_with(&folder) {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
        std::process::Command::new("tar")
            .args(["--format=ustar", "-C", here, "-cf"])
            .arg(&archive)
            .arg(".")
            .status()?;
    }
    let (migration, _) = Migration::builder()
        .source(Tar::open(&archive)?)
        .sink(LocalSink::open(&dest)?)
        .database(folder.join("backlog.db"))
        .audit_log(folder.join("audit.jsonl"))
        .build()?;
    let report = migration.run().await?;
    // The log has a line with the checksum of each file.
    print!("{}", std::fs::read_to_string(folder.join("audit.jsonl"))?);
    println!("{} files, all in sync: {}", report.synced.files, report.all_in_sync());
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
