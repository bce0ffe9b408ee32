//! What the engine asks a source for ahead of its reads, and in which order.

use std::ops::Range;
use std::sync::Arc;

use towpath::{Bandwidth, Options};
use towpath_backend::mock::{MockFileReader, MockSource};
use towpath_backend::{FileReader, Metadata, Result, async_trait};

use crate::mocks::*;

const SIZE: usize = 5 << 20;

/// A mocked reader that notes its hints too.
struct Hinted {
    reader: MockFileReader,
    journal: Journal,
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
        note(&self.journal, format!("prefetch {offset}+{length_bytes}"));
    }
}

fn hinted_source(journal: &Journal) -> MockSource {
    let mut source = listing(&[("a", SIZE)]);
    let journal = Arc::clone(journal);
    source.expect_open().returning(move |_, options| {
        note(&journal, if options.pacing.is_some() { "open paced" } else { "open" });
        Ok(Box::new(Hinted { reader: sevens(SIZE, &journal), journal: Arc::clone(&journal) }))
    });
    source
}

/// What happened at the source, in order, while one file was sent.
async fn noted(options: Options) -> Vec<String> {
    let journal = Journal::default();
    let ran = Bench::new(options).run(hinted_source(&journal), finds_nothing(willing_sink(&Journal::default()))).await;
    assert!(ran.result.unwrap().all_in_sync());
    let journal = journal.lock().unwrap();
    journal.clone()
}

/// The range of `line`, if it begins with `what`.
fn range(line: &str, what: &str) -> Option<Range<usize>> {
    let (offset, length) = line.strip_prefix(what)?.trim().split_once('+')?;
    let offset: usize = offset.parse().unwrap();
    Some(offset..offset + length.parse::<usize>().unwrap())
}

/// Sees that what was asked for ahead is the file from its start to its end, each byte once and before it is read.
fn assert_asked_once_and_before_reading(lines: &[String]) {
    let mut asked_until = 0;
    for line in lines {
        if let Some(asked) = range(line, "prefetch") {
            assert_eq!(asked.start, asked_until, "{lines:#?}");
            asked_until = asked.end;
        }
        // What would lie behind its end is not there to be asked for.
        if let Some(read) = range(line, "read").filter(|read| read.start < SIZE) {
            assert!(read.end <= asked_until, "{line} in {lines:#?}");
        }
    }
    assert_eq!(asked_until, SIZE, "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_files_first_block_nothing_is_asked_for_ahead() {
    let lines = noted(Options::default()).await;
    let first_read = lines.iter().position(|line| line.starts_with("read")).unwrap();
    let block: Vec<_> = lines[..=first_read].iter().filter(|line| *line != "stat" && *line != "open").collect();
    assert_eq!(block, ["prefetch 0+262144", "read 0+262144"], "{lines:#?}");
    assert_asked_once_and_before_reading(&lines);
    assert!(!lines.contains(&"open paced".to_owned()), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_limit_every_byte_is_asked_for_once_and_nothing_else_may_be_fetched() {
    let lines = noted(Options::default().bandwidth(Bandwidth::Limit(64 << 20))).await;
    let hints_or_reads = |line: &String| line.starts_with("prefetch") || line.starts_with("read");
    let forbidden = lines.iter().position(|line| line == "open paced").unwrap();
    assert!(forbidden < lines.iter().position(hints_or_reads).unwrap(), "{lines:#?}");
    assert_asked_once_and_before_reading(&lines);
}
