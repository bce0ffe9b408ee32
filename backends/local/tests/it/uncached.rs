//! A disk whose content changes below the page cache: only reads from the storage see it. Skipped where mounting is not
//! allowed.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use towpath_backend::{CacheReason, FileReader, Freshness, ReadOptions, RelPath, Source as _};
use towpath_local::LocalSource;

use crate::root::Mount;
use crate::skip::skip;

/// More than one window in which pages are dropped, and not a multiple of anything.
const LARGE_BYTES: usize = (10 << 20) + 789;

/// No 16 bytes occur twice.
fn content(seed: u64, bytes: usize) -> Vec<u8> {
    let mut content = Vec::with_capacity(bytes + 8);
    for n in 0..bytes.div_ceil(8) as u64 {
        content.extend_from_slice(&(n << 8 | seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    content.truncate(bytes);
    content
}

struct Disk {
    _mount: Mount,
    _folder: TempDir,
    root: PathBuf,
    image: PathBuf,
    device: String,
}

impl Drop for Disk {
    /// The device is freed when its file system is unmounted, too.
    fn drop(&mut self) {
        let _best_effort = Command::new("losetup").args(["--detach", &self.device]).output();
    }
}

impl Disk {
    /// A disk with the files `small` and `large`, both in the page cache. `None` where that is not possible.
    fn new(mkfs: &[&str], options: &[&str], direct_io: &str) -> Option<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let [image, root] = ["image", "root"].map(|name| folder.path().join(name));
        fs::create_dir(&root).unwrap();
        let megabytes = if mkfs[0] == "mkfs.xfs" { 320 } else { 40 };
        File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        let formatted = Command::new(mkfs[0]).args(&mkfs[1..]).arg(&image).output();
        let attach = ["--find", "--show", direct_io];
        let attached = formatted.is_ok_and(|output| output.status.success()).then(|| {
            let output = Command::new("losetup").args(attach).arg(&image).output().ok()?;
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
        });
        let Some(device) = attached.flatten() else {
            skip(format_args!(
                "needs root, loop devices with direct I/O and {}: changes below the page cache",
                mkfs[0]
            ));
            return None;
        };
        let mount = || Mount::new(&root, &[options, &[&device]].concat());
        let Some(first) = mount() else {
            let _best_effort = Command::new("losetup").args(["--detach", &device]).output();
            return None;
        };
        fs::write(root.join("small"), content(1, 9000)).unwrap();
        fs::write(root.join("large"), content(2, LARGE_BYTES)).unwrap();
        // Everything is in its place afterwards, not in a journal.
        drop(first);
        let disk = Self { _mount: mount().unwrap(), root, image, device, _folder: folder };
        assert!(disk.cached("small") == content(1, 9000) && disk.cached("large") == content(2, LARGE_BYTES));
        Some(disk)
    }

    /// What any other program reads.
    fn cached(&self, name: &str) -> Vec<u8> {
        fs::read(self.root.join(name)).unwrap()
    }

    /// Flips one bit on the disk, below the file system, and wherever a journal has it.
    fn flip(&self, seed: u64, bytes: usize, at: usize) {
        let place = &content(seed, bytes)[at..at + 16];
        let image = fs::read(&self.image).unwrap();
        // Files begin at a sector.
        let found: Vec<_> = (at % 512..image.len() - 16).step_by(512).filter(|&n| image[n..n + 16] == *place).collect();
        assert!(!found.is_empty());
        let file = File::options().write(true).open(&self.image).unwrap();
        for at in found {
            file.write_all_at(&[image[at] ^ 1], at as u64).unwrap();
        }
        file.sync_all().unwrap();
    }

    async fn read_small(&self) -> (Vec<u8>, Freshness) {
        let source = LocalSource::open(&self.root).unwrap();
        let options = ReadOptions::default().bypassing_cache();
        let whole = source.read_whole(&path("small"), 9001, Vec::new(), &options).await.unwrap();
        (whole.data, whole.freshness)
    }

    async fn read_large(&self, reader: &mut dyn FileReader) -> (Vec<u8>, Freshness) {
        let mut data = Vec::new();
        while data.len() < LARGE_BYTES {
            let at = data.len() as u64;
            reader.prefetch(at + (1 << 20), 1 << 20).await;
            data = reader.read_at(at, 1 << 20, data).await.unwrap();
        }
        (data, reader.freshness())
    }

    async fn open_large(&self) -> Box<dyn FileReader> {
        let options = ReadOptions::default().bypassing_cache();
        LocalSource::open(&self.root).unwrap().open(&path("large"), &options).await.unwrap()
    }
}

fn path(name: &str) -> RelPath {
    RelPath::new(name).unwrap()
}

fn flipped(seed: u64, bytes: usize, at: usize) -> Vec<u8> {
    let mut data = content(seed, bytes);
    data[at] ^= 1;
    data
}

/// Where the large file is changed: in its second window, and after its last whole block.
const PLACES: [usize; 2] = [9 << 20, LARGE_BYTES - 500];

async fn sees_changes_below_the_page_cache(mkfs: &[&str], options: &[&str]) {
    let Some(disk) = Disk::new(mkfs, options, "--direct-io=on") else { return };
    disk.flip(1, 9000, 8500);
    PLACES.iter().for_each(|&at| disk.flip(2, LARGE_BYTES, at));
    assert!(disk.cached("small") == content(1, 9000), "the page cache hides it");
    assert!(disk.cached("large") == content(2, LARGE_BYTES));

    let (data, freshness) = disk.read_small().await;
    assert!(data == flipped(1, 9000, 8500), "{freshness}");
    assert_eq!(freshness, Freshness::Storage);
    let (data, freshness) = disk.read_large(&mut *disk.open_large().await).await;
    let mut expected = content(2, LARGE_BYTES);
    PLACES.iter().for_each(|&at| expected[at] ^= 1);
    assert!(data == expected, "{freshness}");
    assert_eq!(freshness, Freshness::Storage);
}

#[tokio::test]
async fn a_byte_flipped_on_ext4_is_seen() {
    sees_changes_below_the_page_cache(&["mkfs.ext4", "-q"], &[]).await;
}

/// Direct reads go through the page cache there.
#[tokio::test]
async fn a_byte_flipped_on_ext4_with_journaled_data_is_seen() {
    sees_changes_below_the_page_cache(&["mkfs.ext4", "-q"], &["-o", "data=journal"]).await;
}

#[tokio::test]
async fn a_byte_flipped_on_xfs_is_seen() {
    sees_changes_below_the_page_cache(&["mkfs.xfs", "-q"], &[]).await;
}

#[tokio::test]
async fn a_loop_device_with_a_cache_is_reported() {
    let Some(disk) = Disk::new(&["mkfs.ext4", "-q"], &[], "--direct-io=off") else { return };
    let expected = Freshness::MaybeCached(CacheReason::OwnCache);
    assert_eq!(disk.read_small().await, (content(1, 9000), expected));
}

/// The pages of a file that another program has mapped stay in the cache.
async fn read_while_mapped(options: &[&str]) -> Option<(Vec<u8>, Freshness)> {
    let disk = Disk::new(&["mkfs.ext4", "-q"], options, "--direct-io=on")?;
    let mut holder = map(&disk.root.join("large"))?;
    disk.flip(2, LARGE_BYTES, PLACES[0]);
    let read = disk.read_large(&mut *disk.open_large().await).await;
    assert!(disk.cached("large") == content(2, LARGE_BYTES));
    drop(holder.stdin.take());
    holder.wait().unwrap();
    Some(read)
}

#[tokio::test]
async fn direct_reads_bypass_pages_that_cannot_be_dropped() {
    let Some((data, freshness)) = read_while_mapped(&[]).await else { return };
    assert!(data == flipped(2, LARGE_BYTES, PLACES[0]), "{freshness}");
    assert_eq!(freshness, Freshness::Storage);
}

#[tokio::test]
async fn pages_that_cannot_be_dropped_are_reported() {
    let Some((data, freshness)) = read_while_mapped(&["-o", "data=journal"]).await else { return };
    assert!(data == content(2, LARGE_BYTES), "the page cache hides the change, as a direct read goes through it");
    assert_eq!(freshness, Freshness::MaybeCached(CacheReason::Pinned));
}

/// A process that has a file mapped, and touched each page, until its standard input is closed.
fn map(file: &Path) -> Option<std::process::Child> {
    let program = "import mmap, sys\nf = open(sys.argv[1], 'rb')\nm = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n\
                   sum(m[::4096])\nprint('mapped', flush=True)\nsys.stdin.read()";
    let mut child = Command::new("python3");
    child.args(["-c", program]).arg(file);
    let Ok(mut child) = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
        skip("needs python3: pages that another process maps");
        return None;
    };
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "mapped\n");
    Some(child)
}
