//! A custom progress bar: the counters of a running migration, and its estimated end.
//!
//! ```text
//! cargo run --example progress_bar
//! ```
//!
//! It uses trees in memory and a bandwidth limit that makes the progress visible.

#![allow(clippy::print_stdout)]

use std::time::Duration;

use towpath::{Bandwidth, Estimator, Migration, Options, Phase, Timestamp};
use towpath_backend::RelPath;
use towpath_backend::ext::SinkExt as _;
use towpath_memory::MemoryTree;

/// The width of the bar in characters.
const WIDTH: usize = 30;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let source = MemoryTree::new("old");
    for n in 0..20 {
        source.write(&RelPath::new(format!("file {n:02}"))?, &vec![n; 100_000], Timestamp::from_ns(0)).await?;
    }
    let (migration, _) = Migration::builder()
        .source(source)
        .sink(MemoryTree::new("new"))
        .database(folder.path().join("backlog.db"))
        .audit_log(folder.path().join("audit.jsonl"))
        .options(Options::default().bandwidth(Bandwidth::Limit(2_000_000)))
        .build()?;

    let progress = migration.progress();
    let bar = tokio::spawn(async move {
        let mut estimator = Estimator::default();
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = progress.snapshot();
            if now.phase == Phase::Scanning {
                continue;
            }
            let estimate = estimator.estimate(std::time::Instant::now(), &now);
            let done = u128::from(now.written_bytes).min(now.source.bytes);
            let filled = (done * WIDTH as u128 / now.source.bytes.max(1)) as usize;
            let seconds =
                |time: Option<Duration>| time.map_or("?".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
            let current = estimate.current_file.map(|(_, time)| time);
            println!(
                "[{:<WIDTH$}] {} of {} KB, {} KB/s; this file in {}, all in {}",
                "#".repeat(filled),
                done / 1000,
                now.source.bytes / 1000,
                estimate.bandwidth_bytes_per_s / 1000,
                seconds(current),
                seconds(estimate.backlog)
            );
        }
    });
    let report = migration.run().await?;
    bar.abort();
    println!("[{}] {} files, all in sync: {}", "#".repeat(WIDTH), report.synced.files, report.all_in_sync());
    Ok(())
}
