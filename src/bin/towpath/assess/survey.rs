//! What a tree consists of: an accumulator over the pages of its listing. Its memory does not grow with the tree.

use std::collections::{BTreeMap, HashMap};

use towpath::{NotCopied, SeenEntry, Timestamp};
use towpath_backend::{Kind, Metadata, RelPath};

use super::hard_links::HardLinks;
use super::histogram::{Amount, CLOCK_SKEW_S, Histogram};
use super::kept::{Examples, Ranking, Sample, hash_of};

/// Directories and files in each ranking.
const RANKED: usize = 10;
/// What changed so recently may be changing now.
pub(crate) const RECENT_S: i64 = 300;
/// A file with holes lacks at least so much of its size on the storage.
const HOLE_BYTES: u64 = 4096;
/// The longest path below a drive letter in Windows' classic limit of 260, in UTF-16 units.
const WINDOWS_PATH: usize = 256;
/// The longest key of an object in S3, in bytes.
const OBJECT_KEY: usize = 1024;
/// The longest path that a system call takes, in bytes.
const POSIX_PATH: usize = 4095;

/// What a survey depends on.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// When it began.
    pub(crate) now: Timestamp,
    /// Who reads.
    pub(crate) reader: Reader,
    /// The length of the longer one of both roots.
    pub(crate) root_bytes: usize,
    /// The size of each sample.
    pub(crate) samples: usize,
}

/// The user and the groups of a process.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) user: u32,
    pub(crate) groups: Vec<u32>,
}

impl Reader {
    /// Whether the permission bits leave doubt that this user can read a file. Root can, except where a server takes it
    /// for another user.
    fn is_doubtful(&self, metadata: &Metadata) -> bool {
        let (Some(mode), Some(owner)) = (metadata.permissions, metadata.owner) else { return false };
        let needed = if self.user != 0 && owner.user == self.user {
            0o400
        } else if self.user != 0 && self.groups.contains(&owner.group) {
            0o040
        } else {
            0o004
        };
        mode & needed == 0
    }
}

/// Files whose content takes less than their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sparse {
    pub(crate) files: u64,
    pub(crate) size_bytes: u128,
    pub(crate) allocated_bytes: u128,
}

/// Paths that are longer than common limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LongPaths {
    pub(crate) windows: Examples,
    pub(crate) object: Examples,
    pub(crate) posix: Examples,
}

/// What the tree consists of.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    terms: Terms,
    pub(crate) files: Amount,
    pub(crate) links: u64,
    pub(crate) dirs: u64,
    /// Names that are not copied, by the reason.
    pub(crate) not_copied: BTreeMap<NotCopied, Amount>,
    pub(crate) sizes: Histogram<u64>,
    pub(crate) ages: Histogram<i64>,
    pub(crate) largest: Ranking<u64>,
    pub(crate) widest: Ranking<u64>,
    pub(crate) deepest: Ranking<usize>,
    pub(crate) longest: Ranking<usize>,
    pub(crate) hard_links: HardLinks,
    pub(crate) sparse: Sparse,
    pub(crate) specials: Examples,
    pub(crate) set_id: Examples,
    pub(crate) not_utf8: Examples,
    pub(crate) control: Examples,
    pub(crate) long_paths: LongPaths,
    pub(crate) future: Examples,
    pub(crate) recent: Examples,
    /// Of recent files, with what they were.
    pub(crate) recent_sample: Sample<Metadata>,
    /// Of all files and directories, to read their extended attributes.
    pub(crate) sample: Sample<()>,
    /// Of the files that this user may not be able to read.
    pub(crate) doubtful: Sample<()>,
    /// The entries so far of directories that are being listed.
    listing: HashMap<RelPath, u64>,
}

impl Survey {
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            files: Amount::default(),
            links: 0,
            dirs: 0,
            not_copied: BTreeMap::new(),
            sizes: Histogram::of_sizes(),
            ages: Histogram::of_ages(),
            largest: Ranking::new(RANKED),
            widest: Ranking::new(RANKED),
            deepest: Ranking::new(RANKED),
            longest: Ranking::new(1),
            hard_links: HardLinks::new(HardLinks::MAX),
            sparse: Sparse::default(),
            specials: Examples::default(),
            set_id: Examples::default(),
            not_utf8: Examples::default(),
            control: Examples::default(),
            long_paths: LongPaths::default(),
            future: Examples::default(),
            recent: Examples::default(),
            recent_sample: Sample::new(terms.samples),
            sample: Sample::new(terms.samples),
            doubtful: Sample::new(terms.samples),
            listing: HashMap::new(),
            terms,
        }
    }

    /// When it began.
    pub(crate) fn began(&self) -> Timestamp {
        self.terms.now
    }

    /// Adds a page of the listing of `dir`, which was read at `now`.
    pub(crate) fn add_page(&mut self, dir: &RelPath, entries: &[SeenEntry<'_>], now: Timestamp) {
        for entry in entries {
            self.add(dir.as_bytes(), entry, now);
        }
        match self.listing.get_mut(dir) {
            Some(count) => *count += entries.len() as u64,
            None => drop(self.listing.insert(dir.clone(), entries.len() as u64)),
        }
    }

    /// All of a directory was listed.
    pub(crate) fn end_dir(&mut self, dir: &RelPath) {
        let entries = self.listing.remove(dir).unwrap_or(0);
        self.widest.add(entries, || dir.as_bytes().to_vec());
    }

    fn add(&mut self, dir: &[u8], entry: &SeenEntry<'_>, now: Timestamp) {
        let metadata = entry.metadata;
        if let Some(reason) = entry.not_copied {
            self.not_copied.entry(reason).or_default().add(metadata.size_bytes);
            if reason == NotCopied::Special {
                self.specials.add(path_of(dir, entry.name), 0);
            }
            return;
        }
        self.add_name(dir, entry.name);
        match metadata.kind {
            Kind::File => self.add_file(dir, entry.name, metadata),
            Kind::Dir => {
                self.dirs += 1;
                let depth = dir.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).count() + 1;
                self.deepest.add(depth, || path_of(dir, entry.name));
            }
            Kind::Symlink => self.links += 1,
            Kind::Other => return,
        }
        if metadata.kind != Kind::Symlink {
            self.sample.add(hash_of(dir, entry.name), || path_of(dir, entry.name), ());
        }
        if metadata.kind == Kind::File {
            self.add_times(dir, entry.name, metadata, now);
        }
    }

    fn add_name(&mut self, dir: &[u8], name: &[u8]) {
        let length = if dir.is_empty() { name.len() } else { dir.len() + 1 + name.len() };
        self.longest.add(length, || path_of(dir, name));
        if std::str::from_utf8(name).is_err() {
            self.not_utf8.add(path_of(dir, name), 0);
        }
        if name.iter().any(u8::is_ascii_control) {
            self.control.add(path_of(dir, name), 0);
        }
        // In UTF-16 no path is longer than in bytes.
        if length > WINDOWS_PATH {
            let path = path_of(dir, name);
            if String::from_utf8_lossy(&path).encode_utf16().count() > WINDOWS_PATH {
                self.long_paths.windows.add(path, 0);
            }
        }
        if length > OBJECT_KEY {
            self.long_paths.object.add(path_of(dir, name), 0);
        }
        if self.terms.root_bytes + 1 + length > POSIX_PATH {
            self.long_paths.posix.add(path_of(dir, name), 0);
        }
    }

    fn add_file(&mut self, dir: &[u8], name: &[u8], metadata: &Metadata) {
        let size = metadata.size_bytes;
        self.files.add(size);
        self.sizes.add(size, size);
        self.ages.add(self.terms.now.seconds().saturating_sub(metadata.modified.seconds()), size);
        self.largest.add(size, || path_of(dir, name));
        self.hard_links.add(metadata);
        if let Some(allocated) = metadata.allocated_bytes.filter(|it| it.saturating_add(HOLE_BYTES) <= size) {
            self.sparse.files += 1;
            self.sparse.size_bytes += u128::from(size);
            self.sparse.allocated_bytes += u128::from(allocated);
        }
        if metadata.permissions.is_some_and(|mode| mode & 0o6000 != 0) {
            self.set_id.add(path_of(dir, name), size);
        }
        if self.terms.reader.is_doubtful(metadata) {
            self.doubtful.add(hash_of(dir, name), || path_of(dir, name), ());
        }
    }

    fn add_times(&mut self, dir: &[u8], name: &[u8], metadata: &Metadata, now: Timestamp) {
        if metadata.modified.seconds() > now.seconds().saturating_add(CLOCK_SKEW_S) {
            self.future.add(path_of(dir, name), metadata.size_bytes);
        }
        // An mtime can be set to any time, and a ctime cannot.
        let changed = metadata.changed.unwrap_or(metadata.modified).seconds();
        if now.seconds().saturating_sub(changed) < RECENT_S {
            self.recent.add(path_of(dir, name), metadata.size_bytes);
            self.recent_sample.add(hash_of(dir, name), || path_of(dir, name), *metadata);
        }
    }
}

/// The path of the entry `name` below the root.
pub(super) fn path_of(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}
