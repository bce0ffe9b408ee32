//! Which ranges the engine prefetches from a source, and in which order.

use std::ops::Range;
use std::sync::Arc;

use towpath::{Bandwidth, Options};
use towpath_backend::mock::{MockFileReader, MockSource};
use towpath_backend::{FileReader, Metadata, Result, async_trait};

use crate::mocks::*;

const SIZE: usize = 5 << 20;

/// A mocked reader that also records prefetches.
struct Hinted {
    reader: MockFileReader,
    calls: CallLog,
}

#[async_trait]
impl FileReader for Hinted {
    async fn metadata(&mut self) -> Result<Metadata> {
        self.reader.metadata().await
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, buffer: Vec<u8>) -> Result<Vec<u8>> {
        self.reader.read_at(offset, length_bytes, buffer).await
    }

    async fn prefetch(&mut self, offset: u64, length_bytes: u64) {
        note(&self.calls, format!("prefetch {offset}+{length_bytes}"));
    }
}

fn hinted_source(calls: &CallLog) -> MockSource {
    let mut source = listing(&[("a", SIZE)]);
    let calls = Arc::clone(calls);
    source.expect_open().returning(move |_, options| {
        note(&calls, if options.is_limited() { "open paced" } else { "open" });
        Ok(Box::new(Hinted { reader: sevens(SIZE, &calls), calls: Arc::clone(&calls) }))
    });
    source
}

/// The calls of the source, in order, while one file was sent.
async fn noted(options: Options) -> Vec<String> {
    let calls = CallLog::default();
    let ran = Bench::new(options).run(hinted_source(&calls), without_files(accepting_sink(&CallLog::default()))).await;
    assert!(ran.result.unwrap().all_in_sync());
    let calls = calls.lock().unwrap();
    calls.clone()
}

/// The range of `line`, if it begins with `what`.
fn range(line: &str, what: &str) -> Option<Range<usize>> {
    let (offset, length) = line.strip_prefix(what)?.trim().split_once('+')?;
    let offset: usize = offset.parse().unwrap();
    Some(offset..offset + length.parse::<usize>().unwrap())
}

/// Asserts that the prefetches cover the file from start to end, each byte once and before it is read.
fn assert_prefetched_once_and_before_reading(lines: &[String]) {
    let mut prefetched_until = 0;
    for line in lines {
        if let Some(prefetch) = range(line, "prefetch") {
            assert_eq!(prefetch.start, prefetched_until, "{lines:#?}");
            prefetched_until = prefetch.end;
        }
        // A read beyond the end of the file cannot be prefetched.
        if let Some(read) = range(line, "read").filter(|read| read.start < SIZE) {
            assert!(read.end <= prefetched_until, "{line} in {lines:#?}");
        }
    }
    assert_eq!(prefetched_until, SIZE, "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_block_of_a_file_is_not_prefetched_ahead_of_its_read() {
    let lines = noted(Options::default()).await;
    let first_read = lines.iter().position(|line| line.starts_with("read")).unwrap();
    let block: Vec<_> = lines[..=first_read].iter().filter(|line| *line != "stat" && *line != "open").collect();
    assert_eq!(block, ["prefetch 0+262144", "read 0+262144"], "{lines:#?}");
    assert_prefetched_once_and_before_reading(&lines);
    assert!(!lines.contains(&"open paced".to_owned()), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_limit_every_byte_is_prefetched_once_and_readahead_is_off() {
    let lines = noted(Options::default().bandwidth(Bandwidth::Limit(64 << 20))).await;
    let hints_or_reads = |line: &String| line.starts_with("prefetch") || line.starts_with("read");
    let forbidden = lines.iter().position(|line| line == "open paced").unwrap();
    assert!(forbidden < lines.iter().position(hints_or_reads).unwrap(), "{lines:#?}");
    assert_prefetched_once_and_before_reading(&lines);
}
