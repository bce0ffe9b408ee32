//! Migrates one mounted tree into another from your own program: options,
//! events, progress, and a stop on Ctrl-C.
//!
//! ```text
//! cargo run --example migrate -- /mnt/old /mnt/new /var/lib/migration
//! ```
//!
//! The third path is a folder for the database and the log.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use towpath::{Bandwidth, Event, Migration, Options};
use towpath_local::{LocalSink, LocalSource};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [source, sink, state]: [PathBuf; 3] = std::env::args_os()
        .skip(1)
        .map(PathBuf::from)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: migrate SOURCE DEST STATE-FOLDER")?;
    let (migration, mut events) = Migration::builder()
        .source(LocalSource::open(Path::new(&source))?)
        .sink(LocalSink::open(Path::new(&sink))?)
        .database(state.join("backlog.db"))
        .audit_log(state.join("audit.jsonl"))
        .options(Options::default().bandwidth(Bandwidth::Limit(50 << 20)))
        .build()?;

    let stop = migration.cancellation();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });

    let progress = migration.progress();
    let ticker = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = progress.snapshot();
            println!("{} files pending, {} bytes written", now.pending.files, now.written_bytes);
        }
    });

    let listener = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::Failed { paths, error, .. } = event {
                eprintln!("{}: {error}", String::from_utf8_lossy(&paths.source));
            }
        }
    });

    let report = migration.run().await?;
    ticker.abort();
    listener.await?;
    println!("{} files sent, all in sync: {}", report.synced.files, report.all_in_sync());
    Ok(())
}
