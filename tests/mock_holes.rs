//! Files with long holes: their sums, and that they do not keep other files from being sent.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod mocks;

use std::ops::Range;

use mocks::*;
use towpath::{Event, Options};
use towpath_backend::mock::{MockSink, MockSource};
use towpath_backend::{Bytes, Capabilities, FileReader, FileWriter, Kind, Metadata, Result, Times, async_trait};

const EIB: u64 = 1 << 60;

/// A file of zeros, with ones where it has data.
struct Sparse {
    size_bytes: u64,
    data: Vec<Range<u64>>,
}

#[async_trait]
impl FileReader for Sparse {
    async fn metadata(&mut self) -> Result<Metadata> {
        Ok(Metadata { size_bytes: self.size_bytes, ..metadata(Kind::File, 0) })
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let end = self.size_bytes.min(offset + length_bytes as u64);
        for at in offset..end {
            buffer.push(u8::from(self.data.iter().any(|data| data.contains(&at))));
        }
        Ok(buffer)
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        let data = self.data.iter().find(|data| data.end > offset);
        Ok(data.map(|data| data.start.max(offset)..data.end))
    }
}

/// A sink's file that has the size that it is told at its end.
struct Swallows;

#[async_trait]
impl FileWriter for Swallows {
    async fn write_at(&mut self, _offset: u64, _data: Bytes) -> Result<()> {
        Ok(())
    }

    async fn finish(self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        Ok(Metadata { size_bytes, modified: times.modified, ..metadata(Kind::File, 0) })
    }
}

/// A source of files, each with its name, its size, and where it has data.
fn source(files: Vec<(String, u64, Vec<Range<u64>>)>) -> MockSource {
    let listed: Vec<_> = files.iter().map(|(name, size, _)| (name.as_str(), usize::try_from(*size).unwrap())).collect();
    let mut source = listing(&listed);
    source.expect_open().returning(move |at| {
        let (_, size_bytes, data) = files.iter().find(|(name, ..)| path(name) == *at).unwrap().clone();
        Ok(Box::new(Sparse { size_bytes, data }))
    });
    source
}

fn sink() -> MockSink {
    let mut sink = finds_nothing(empty_sink_with(Capabilities { holes: true, ..capabilities() }));
    sink.expect_create().returning(|_, _| Ok(Box::new(Swallows)));
    sink.expect_flush().returning(|| Ok(()));
    sink
}

fn huge(count: usize) -> Vec<(String, u64, Vec<Range<u64>>)> {
    (0..count).map(|n| (format!("huge{n}"), 7 * EIB, Vec::new())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_beyond_64_bits_are_right_in_events_and_report() {
    let bench = Bench::new(Options { checksum: None, ..Options::default() });
    let ran = bench.run(source(huge(9)), sink()).await;
    let all = u128::from(EIB) * 63;
    let scanned = ran.events.iter().find_map(|event| match event {
        Event::ScanFinished { source, pending, .. } => Some((source.bytes, pending.bytes)),
        _ => None,
    });
    assert_eq!(scanned, Some((all, all)));
    let report = ran.result.unwrap();
    assert_eq!((report.source.bytes, report.synced.bytes, report.pending.bytes), (all, all, 0));
    assert_eq!((report.hole_bytes, report.written_bytes), (all, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_knows_sums_beyond_64_bits() {
    let bench = Bench::new(Options { checksum: None, dry_run: true, ..Options::default() });
    let planned = bench.run(source(huge(9)), sink()).await.result.unwrap().planned.unwrap();
    assert_eq!((planned.sent.files, planned.sent.bytes), (9, u128::from(EIB) * 63));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_size_there_is_arrives() {
    let bench = Bench::new(Options { checksum: None, ..Options::default() });
    let size = i64::MAX.cast_unsigned();
    let report = bench.run(source(vec![("max".to_owned(), size, vec![size - 5..size])]), sink()).await.result.unwrap();
    assert_eq!((report.all_in_sync(), report.written_bytes), (true, 5));
    assert_eq!(report.hole_bytes, u128::from(size) - 5);
}
