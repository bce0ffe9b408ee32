//! Write-back that starts at once, within a bounded window.
//!
//! The kernel keeps written pages until a threshold or the close. On a network mount this makes a copy half-duplex
//! (nothing is sent while it reads) and a bandwidth limit ineffective (paced writes are sent in one burst later). So
//! write-back of each written step starts at once; at most a window of bytes is in flight; and bytes that have arrived
//! are dropped from the page cache.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustix::fs::{Advice, fadvise};

use crate::calls::sync_range;
use crate::in_flight::InFlightWindow;

/// The maximum number of bytes of one file in flight: 70 ms at 1 Gbit/s, so that the link stays busy and a stop is
/// quick.
const WINDOW_BYTES: u64 = 8 << 20;
/// The bytes that a file may have in flight over a network even if the other files fill the window.
const LEAST_WINDOW_BYTES: u64 = 256 << 10;
/// The maximum number of bytes that are waited for at once.
const DRAIN_BYTES: u64 = 2 << 20;

const PAGE_BYTES: u64 = 4 << 10;
/// The minimum number of bytes for which write-back is started, except for the first ones of a file.
const MIN_START_BYTES: u64 = 16 << 10;
/// The maximum number of bytes that are gathered before write-back is started: when the first blocks of eight files
/// waited for second ones, the link was idle for a third of a second.
const MAX_START_BYTES: u64 = 256 << 10;

/// The minimum number of bytes that are dropped from the page cache at once, over a network.
const LEAVE_BYTES: u64 = 4 << 20;
/// The maximum number of bytes of a file that stay in the page cache after they have arrived.
const MAX_KEPT_BYTES: u64 = 32 << 20;

/// The maximum number of ranges of one file in flight at a time, which bounds the memory for them.
const MAX_RANGES: usize = 1024;

/// The write-back of one file that is written from start to end, without its holes: gaps between two ranges cost
/// nothing.
#[derive(Debug)]
pub(crate) struct WriteBack {
    /// The maximum number of bytes in flight at a time.
    window_bytes: u64,
    /// The window that it shares with the other files, over a network.
    window: Option<Arc<InFlightWindow>>,
    /// The ranges whose write-back was started and which may not have arrived, the oldest first.
    in_flight: VecDeque<Range<u64>>,
    /// The number of bytes in them.
    bytes: u64,
    /// The range that was written without starting its write-back; the close starts it at the latest.
    waiting: Option<Range<u64>>,
    /// The range that has arrived and is still in the page cache.
    kept: Option<Range<u64>>,
    /// A thread that drops pages from the page cache.
    leaving: Option<JoinHandle<()>>,
}

impl WriteBack {
    /// For a disk: with a fixed window.
    pub(crate) fn to_disk() -> Self {
        let in_flight = VecDeque::new();
        Self { window_bytes: WINDOW_BYTES, window: None, in_flight, bytes: 0, waiting: None, kept: None, leaving: None }
    }

    /// Over a network: with a window for all files together, as large as the link needs.
    pub(crate) fn over_network(window: Arc<InFlightWindow>) -> Self {
        let mut write_back = Self::to_disk();
        write_back.window = Some(window);
        write_back
    }

    /// Limits the bytes in flight from now on.
    pub(crate) fn limit(&mut self, bytes: u64) {
        self.window_bytes = bytes.min(WINDOW_BYTES);
    }

    /// Starts the write-back of a range that was just written, and waits for older bytes if the window is full.
    ///
    /// # Errors
    /// Write errors that show only now, such as a full disk.
    pub(crate) fn written(&mut self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        let Some(start) = self.gather(offset..offset.saturating_add(length)) else { return Ok(()) };
        sync_range(file, start.start, start.end - start.start, libc::SYNC_FILE_RANGE_WRITE)?;
        self.started(start);
        while let Some(arriving) = self.next_to_wait_for() {
            let wait =
                libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
            let length = arriving.end - arriving.start;
            sync_range(file, arriving.start, length, wait)?;
            self.leave_cache(file, arriving);
            self.arrived(length);
        }
        Ok(())
    }

    /// Drops bytes that have arrived from the page cache.
    ///
    /// For this, an NFS client first has the server commit them, which flushes its disk: so it is done rarely. That
    /// request waits behind everything in flight, and when its response arrives, nothing is in flight any more: so
    /// another thread waits for it, not the writer.
    fn leave_cache(&mut self, file: &File, arrived: Range<u64>) {
        if self.window.is_none() {
            return drop_from_cache(file, &arrived);
        }
        let kept = self.kept.take().map_or(arrived.start, |kept| kept.start)..arrived.end;
        let bytes = kept.end - kept.start;
        let is_busy = self.leaving.as_ref().is_some_and(|leaving| !leaving.is_finished());
        if bytes < LEAVE_BYTES || is_busy && bytes < MAX_KEPT_BYTES {
            self.kept = Some(kept);
            return;
        }
        self.end_leaving();
        let spawned = file.try_clone().and_then(|file| {
            let kept = kept.clone();
            thread::Builder::new().name("page-cache".to_owned()).spawn(move || drop_from_cache(&file, &kept))
        });
        match spawned {
            Ok(leaving) => self.leaving = Some(leaving),
            Err(_) => drop_from_cache(file, &kept),
        }
    }

    /// Waits until no other thread holds the file.
    fn end_leaving(&mut self) {
        if let Some(leaving) = self.leaving.take() {
            let _ended = leaving.join();
        }
    }

    /// Marks everything as arrived: the data were flushed.
    pub(crate) fn all_arrived(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.in_flight.clear();
        self.arrived(bytes);
    }

    fn arrived(&self, bytes: u64) {
        if let Some(window) = &self.window {
            window.arrived(bytes, Instant::now());
        }
    }

    /// Adds a written range to the one that waits; returns the range whose write-back should start now.
    ///
    /// Each start is a separate request, so two or more small writes are started together if the window has room for
    /// twice as much. The first write of a file is started at once.
    fn gather(&mut self, written: Range<u64>) -> Option<Range<u64>> {
        let length = written.end - written.start;
        let waiting = match self.waiting.take() {
            // The gap between them is a hole, which is not sent.
            Some(waiting) if waiting.end == written.start => waiting.start..written.end,
            Some(waiting) => waiting.start..written.end.max(waiting.end),
            None => written,
        };
        let enough = length.saturating_mul(2).clamp(MIN_START_BYTES, MAX_START_BYTES);
        let enough = enough.min(self.window_bytes / 2);
        if self.in_flight.is_empty() || waiting.end - waiting.start >= enough {
            return Some(waiting);
        }
        self.waiting = Some(waiting);
        None
    }

    /// Drops what has arrived by the end; the rest is evicted from the cache in time.
    pub(crate) fn drop_pages(&mut self, file: &File) {
        self.end_leaving();
        if let Some(first) = self.kept.as_ref().or(self.in_flight.front()) {
            drop_from_cache(file, &(first.start..first.start));
        }
    }

    /// Records a range. A gap smaller than what is waited for at once is included, so that small holes do not cause
    /// many small waits.
    fn started(&mut self, range: Range<u64>) {
        let small_gap = self.drain_bytes();
        let before = self.bytes;
        match self.in_flight.back_mut() {
            Some(last) if last.start <= range.start && range.start.saturating_sub(last.end) < small_gap => {
                self.bytes += range.end.saturating_sub(last.end);
                last.end = last.end.max(range.end);
            }
            _ => {
                self.bytes += range.end - range.start;
                self.in_flight.push_back(range);
            }
        }
        if let Some(window) = &self.window {
            window.started(self.bytes - before);
        }
    }

    fn is_full(&self) -> bool {
        let shared = || self.window.as_ref().is_some_and(|window| window.is_full());
        self.bytes > self.window_bytes
            || self.in_flight.len() > MAX_RANGES
            || self.bytes > LEAST_WINDOW_BYTES && shared()
    }

    /// Takes the oldest piece if the window is exceeded.
    fn next_to_wait_for(&mut self) -> Option<Range<u64>> {
        if !self.is_full() {
            return None;
        }
        let most = self.drain_bytes();
        let first = self.in_flight.front_mut()?;
        let piece = first.start..first.end.min(first.start + most);
        first.start = piece.end;
        self.bytes -= piece.end - piece.start;
        if first.is_empty() {
            self.in_flight.pop_front();
        }
        Some(piece)
    }
}

impl Drop for WriteBack {
    /// In any case, its bytes no longer count in the shared window, and no thread holds it open.
    fn drop(&mut self) {
        self.end_leaving();
        if let Some(window) = &self.window {
            window.forgotten(self.bytes);
        }
    }
}

impl WriteBack {
    /// A quarter of the window, in whole pages.
    fn drain_bytes(&self) -> u64 {
        let window_bytes =
            self.window.as_ref().map_or(WINDOW_BYTES, |window| window.window_bytes()).min(self.window_bytes);
        (window_bytes / 4 / PAGE_BYTES * PAGE_BYTES).clamp(PAGE_BYTES, DRAIN_BYTES)
    }
}

/// An empty range means everything after its start. Advice may be rejected; nothing depends on it.
fn drop_from_cache(file: &File, range: &Range<u64>) {
    let _advice = fadvise(file, range.start, NonZeroU64::new(range.end - range.start), Advice::DontNeed);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranges that are waited for when these ranges are written.
    fn waits(write_back: &mut WriteBack, ranges: impl IntoIterator<Item = Range<u64>>) -> Vec<Range<u64>> {
        let mut waits = Vec::new();
        for range in ranges {
            write_back.started(range);
            while let Some(piece) = write_back.next_to_wait_for() {
                // Forgotten instead of arrived: the window keeps its size.
                if let Some(window) = &write_back.window {
                    window.forgotten(piece.end - piece.start);
                }
                waits.push(piece);
            }
            assert!(write_back.bytes <= write_back.window_bytes && write_back.in_flight.len() <= MAX_RANGES);
        }
        waits
    }

    #[test]
    fn no_more_than_the_window_is_in_flight_and_the_oldest_goes_first() {
        let mut write_back = WriteBack::to_disk();
        let step = 1 << 20;
        let waited = waits(&mut write_back, (0..20).map(|n| n * step..(n + 1) * step));
        assert_eq!(waited, (0..6).map(|n| n * DRAIN_BYTES..(n + 1) * DRAIN_BYTES).collect::<Vec<_>>());
        assert_eq!(write_back.in_flight.front(), Some(&(6 * DRAIN_BYTES..20 * step)));
    }

    #[test]
    fn a_smaller_window_is_kept_and_nothing_is_held_back_in_it() {
        let (mut write_back, step) = (WriteBack::to_disk(), 40 << 10);
        write_back.limit(step);
        for n in 0..20 {
            let start = write_back.gather(n * step..(n + 1) * step);
            assert_eq!(start, Some(n * step..(n + 1) * step), "each step goes at once");
            waits(&mut write_back, start);
            assert!(write_back.bytes <= step);
        }
        write_back.limit(u64::MAX);
        waits(&mut write_back, (20..1000).map(|n| n * step..(n + 1) * step));
        assert!(write_back.bytes > 4 << 20, "and can be widened again, to its usual size");
    }

    #[test]
    fn over_a_network_all_files_share_the_window() {
        let window = Arc::new(InFlightWindow::new());
        let mut files: Vec<_> = (0..20).map(|_| WriteBack::over_network(Arc::clone(&window))).collect();
        let step = 128 << 10;
        for n in 0..40 {
            for file in &mut files {
                waits(file, std::iter::once(n * step..(n + 1) * step));
            }
        }
        assert!(files.iter().all(|file| file.bytes <= LEAST_WINDOW_BYTES), "{files:?}");
        let mut alone = files.swap_remove(0);
        drop(files);
        waits(&mut alone, (40..80).map(|n| n * step..(n + 1) * step));
        assert!(alone.bytes > window.window_bytes() / 2, "{alone:?}");
        assert!(alone.bytes <= window.window_bytes(), "{alone:?}");
        alone.all_arrived();
        assert!(!window.is_full());
    }

    #[test]
    fn over_a_network_pages_are_dropped_while_writing_continues() {
        let (file, mut write_back) =
            (tempfile::tempfile().unwrap(), WriteBack::over_network(Arc::new(InFlightWindow::new())));
        let step = LEAVE_BYTES / 4;
        for n in 0..3 {
            write_back.leave_cache(&file, n * step..(n + 1) * step);
        }
        assert!(write_back.leaving.is_none(), "little is kept for more");
        write_back.leave_cache(&file, 3 * step..4 * step);
        assert!(write_back.leaving.is_some() && write_back.kept.is_none());
        // One that does not end is waited for eventually.
        let (end, ended) = std::sync::mpsc::channel();
        let ends = move || {
            let _end = ended.recv();
        };
        write_back.end_leaving();
        write_back.leaving = Some(thread::spawn(ends));
        let mut at = 4 * step;
        while at + step < 4 * step + MAX_KEPT_BYTES {
            write_back.leave_cache(&file, at..at + step);
            at += step;
        }
        assert_eq!(write_back.kept, Some(4 * step..at));
        end.send(()).unwrap();
        write_back.leave_cache(&file, at..at + step);
        assert_eq!(write_back.kept, None);
        write_back.drop_pages(&file);
        assert!(write_back.leaving.is_none(), "no thread holds the file when it is closed");
    }

    #[test]
    fn a_hole_of_a_terabyte_costs_nothing() {
        let (mut write_back, far) = (WriteBack::to_disk(), 1 << 40);
        assert_eq!(waits(&mut write_back, [0..4096, far..far + 4096]), []);
        let full = std::iter::once(far + (1 << 30)..far + (1 << 30) + WINDOW_BYTES);
        assert_eq!(waits(&mut write_back, full), [0..4096, far..far + 4096]);
    }

    #[test]
    fn many_small_ranges_are_bounded_too() {
        let mut write_back = WriteBack::to_disk();
        let waited = waits(&mut write_back, (0..5000).map(|n| n << 30..(n << 30) + 1));
        assert_eq!(waited.len(), 5000 - MAX_RANGES);
        let close_by =
            waits(&mut write_back, (0..100).map(|n| (5000 << 30) + n * 8192..(5000 << 30) + n * 8192 + 4096));
        assert_eq!(close_by.len(), 1, "small gaps do not separate ranges");
    }
}
