//! Reading past the page cache, checked by what the page cache has.

use std::fs::{self, File};
use std::io::Write as _;

use rustix::io::pread;
use tempfile::TempDir;
use towpath_backend::CacheReason;

use super::dropped::Dropped;
use super::*;
use crate::calls::{is_any_cached, is_cached};
use crate::filesystem::FileSystem;

const SIZE: usize = (3 << 20) + 1234;

fn content() -> Vec<u8> {
    (0..SIZE as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// A tree with one file, which is cached and not yet written to the disk; `None` where files exist only in memory.
fn tree_on_disk() -> Option<(TempDir, Root, RelPath)> {
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    fs::write(folder.path().join("file"), content()).unwrap();
    let root = Root::open(folder.path()).unwrap();
    (!root.filesystem.is_memory()).then(|| (folder, root, RelPath::new("file").unwrap()))
}

/// By reading through the page cache, without direct reads.
fn through_page_cache(root: &Root, path: RelPath) -> UncachedReader {
    let mut reader = UncachedReader::open(root, path).unwrap();
    reader.access = reader.access.dropping(&reader.file);
    reader
}

/// Any offset and length, with and without a prefetch before.
async fn reads_any_range(mut reader: UncachedReader) {
    let data = content();
    for step in 0..120_usize {
        let offset = step * 1_048_583 % SIZE;
        let length = [1, 511, 4096, 70_001, 1 << 20][step % 5];
        reader.prefetch(offset as u64, [0, length, length / 2][step % 3] as u64).await;
        let read = reader.read_at(offset as u64, length, b"before".to_vec()).await.unwrap();
        assert!(read == [b"before", &data[offset..SIZE.min(offset + length)]].concat(), "{length} bytes at {offset}");
    }
    // As a lane reads: requested ahead, in whole requests.
    let (mut all, mut requested) = (Vec::new(), 0);
    while all.len() < SIZE {
        while requested < SIZE && requested < all.len() + (1 << 20) {
            reader.prefetch(requested as u64, (SIZE - requested).min(100_000) as u64).await;
            requested += (SIZE - requested).min(100_000);
        }
        let (at, step) = (all.len() as u64, (SIZE - all.len()).min(70_000));
        all = reader.read_at(at, step, all).await.unwrap();
    }
    assert!(all == data);
    assert_eq!(reader.read_at(SIZE as u64, 10, Vec::new()).await.unwrap(), b"");
    assert!(reader.freshness().is_storage(), "{}", reader.freshness());
}

#[tokio::test]
async fn any_range_is_read_in_either_way() {
    let Some((_folder, root, path)) = tree_on_disk() else { return };
    reads_any_range(UncachedReader::open(&root, path.clone()).unwrap()).await;
    reads_any_range(through_page_cache(&root, path)).await;
}

#[tokio::test]
async fn what_is_cached_is_dropped_before_it_is_read() {
    let Some((folder, root, path)) = tree_on_disk() else { return };
    let file = File::open(folder.path().join("file")).unwrap();
    assert!(is_any_cached(&file, &(0..SIZE as u64)).unwrap());
    let mut reader = through_page_cache(&root, path);
    let read = reader.read_at(0, 4096, Vec::new()).await.unwrap();
    assert!(read == content()[..4096]);
    assert!(!is_any_cached(&file, &(8192..SIZE as u64)).unwrap(), "also what was not yet written to the disk");
    // Cached by others since then: it comes from the disk, and is not dropped again.
    pread(&file, &mut [0], 2_000_000).unwrap();
    reader.prefetch(1_000_000, 100).await;
    assert!(is_cached(&file, 2_000_000).unwrap());
    assert_eq!(reader.freshness(), Freshness::Storage);
}

#[tokio::test]
async fn direct_reads_leave_the_page_cache_as_it_is() {
    let Some((folder, root, path)) = tree_on_disk() else { return };
    let file = File::open(folder.path().join("file")).unwrap();
    file.sync_all().unwrap();
    let _advice = fadvise(&file, 0, None, Advice::DontNeed);
    let _advice = fadvise(&file, 0, None, Advice::Random);
    pread(&file, &mut [0], 2_500_000).unwrap();
    let mut reader = UncachedReader::open(&root, path.clone()).unwrap();
    if reader.access.uses_page_cache() {
        return;
    }
    reader.prefetch(0, 100_000).await;
    assert!(reader.read_at(0, SIZE, Vec::new()).await.unwrap() == content());
    assert!(read_whole(&root, &path, SIZE + 1, Vec::new()).unwrap().data == content());
    assert!(is_cached(&file, 2_500_000).unwrap() && !is_any_cached(&file, &(0..2_000_000)).unwrap());
}

#[tokio::test]
async fn what_exists_in_memory_only_is_reported() {
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
    fs::write(folder.path().join("file"), content()).unwrap();
    let root = Root::open(folder.path()).unwrap();
    if !root.filesystem.is_memory() {
        return;
    }
    let path = RelPath::new("file").unwrap();
    let whole = read_whole(&root, &path, SIZE, Vec::new()).unwrap();
    assert!(whole.data == content());
    assert_eq!(whole.freshness, Freshness::MaybeCached(CacheReason::InMemory));
    // The pages of such a file cannot be dropped. It is read nevertheless.
    let file = File::open(folder.path().join("file")).unwrap();
    assert!(!Dropped::default().drop_pages(&file, &(0..SIZE as u64)).unwrap());
    let mut reader = through_page_cache(&root, path);
    assert!(reader.read_at(0, SIZE, Vec::new()).await.unwrap() == content());
}

#[test]
fn windows_are_checked_once_each() {
    let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    if FileSystem::of(&file).unwrap().is_memory() {
        return;
    }
    file.write_all(&content()).unwrap();
    let mut dropped = Dropped::default();
    assert!(dropped.drop_pages(&file, &(100..200)).unwrap());
    pread(&file, &mut [0], 3_000_000).unwrap();
    assert!(dropped.drop_pages(&file, &(200..SIZE as u64)).unwrap());
    assert!(is_cached(&file, 3_000_000).unwrap(), "in the first window of 8 MiB");
    assert!(dropped.drop_pages(&file, &(1 << 30..(1 << 30) + 1)).unwrap(), "another window, past a gap");
    assert!(dropped.drop_pages(&file, &(0..1)).unwrap());
    assert!(!is_cached(&file, 3_000_000).unwrap(), "only one range is remembered");
}
