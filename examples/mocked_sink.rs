//! Tests a program that uses Towpath without a real storage: the mocked sink is full halfway.
//!
//! ```text
//! cargo run --example mocked_sink
//! ```

#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use towpath::{Migration, Timestamp};
use towpath_backend::ext::SinkExt as _;
use towpath_backend::mock::{MockFileWriter, MockSink};
use towpath_backend::{Capabilities, Error, ErrorKind, Identity, Kind, Metadata, RelPath};
use towpath_memory::MemoryTree;

/// A sink with space for `room` files.
fn full_after(room: u64) -> MockSink {
    let mut sink = MockSink::new();
    sink.expect_root().return_const(b"mock:".to_vec());
    sink.expect_capabilities().return_const(Capabilities::PLAIN);
    sink.expect_locate().return_const(None);
    sink.expect_identity().returning(|| Ok(Identity::new("the mock")));
    sink.expect_read_dir().returning(|_, _| Ok(Box::pin(tokio_stream::empty())));
    sink.expect_metadata().returning(|_| Ok(Metadata::new(Kind::Dir, 0, Timestamp::from_ns(0))));
    let taken = Arc::new(AtomicU64::new(0));
    sink.expect_create().returning(move |path, _, _| {
        if taken.fetch_add(1, Relaxed) >= room {
            return Err(Error::new(ErrorKind::NoSpace, "create", path, "no space left"));
        }
        let mut writer = MockFileWriter::new();
        writer.expect_write_at().returning(|_, _| Ok(()));
        writer.expect_finish().returning(|size, times| Ok(Metadata::new(Kind::File, size, times.modified)));
        Ok(Box::new(writer))
    });
    sink.expect_set_times().returning(|_, _| Ok(()));
    sink.expect_flush().returning(|| Ok(()));
    sink
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let source = MemoryTree::new("old");
    for n in 0..10 {
        source.write(&RelPath::new(format!("file {n}"))?, b"content", Timestamp::from_ns(0)).await?;
    }
    let (migration, _) = Migration::builder()
        .source(source)
        .sink(full_after(4))
        .database(folder.path().join("backlog.db"))
        .audit_log(folder.path().join("audit.jsonl"))
        .build()?;
    let outcome = match migration.run().await {
        Ok(report) => format!("{} sent, {} failed", report.synced.files, report.failed_files),
        // A full sink ends the run, since all following files would fail too.
        Err(error) => format!("ended: {error}"),
    };
    println!("{outcome}");
    let log = std::fs::read_to_string(folder.path().join("audit.jsonl"))?;
    println!("{} files in the log", log.matches(r#""status":"synced""#).count());
    Ok(())
}
