//! A migration inside a tokio service: start it, query its progress, stop it, and resume it.
//!
//! ```text
//! cargo run --example service
//! ```

#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinHandle;
use towpath::{Bandwidth, CancellationToken, Migration, Options, Progress, Report, RunOutcome, Timestamp};
use towpath_backend::RelPath;
use towpath_backend::ext::SinkExt as _;
use towpath_memory::MemoryTree;

/// Runs one migration at a time. Its trees and its state outlive each run.
struct Service {
    source: MemoryTree,
    sink: MemoryTree,
    state: PathBuf,
    running: Option<Running>,
}

struct Running {
    progress: Progress,
    stop: CancellationToken,
    task: JoinHandle<towpath::Result<Report>>,
}

impl Service {
    fn new(source: MemoryTree, sink: MemoryTree, state: &Path) -> Self {
        Self { source, sink, state: state.to_owned(), running: None }
    }

    /// Starts a run, which resumes the last one if that was stopped.
    fn start(&mut self, bandwidth: Bandwidth) -> towpath::Result<()> {
        let (migration, _) = Migration::builder()
            .source(self.source.clone())
            .sink(self.sink.clone())
            .database(self.state.join("backlog.db"))
            .audit_log(self.state.join("audit.jsonl"))
            .options(Options::default().bandwidth(bandwidth))
            .build()?;
        let (progress, stop) = (migration.progress(), migration.cancellation());
        self.running = Some(Running { progress, stop, task: tokio::spawn(migration.run()) });
        Ok(())
    }

    fn status(&self) -> String {
        match &self.running {
            None => "nothing is running".to_owned(),
            Some(running) => {
                let now = running.progress.snapshot();
                format!("{} files to go, {} bytes written", now.pending.files, now.written_bytes)
            }
        }
    }

    /// Waits for the run to end, after stopping it if `stop` is set.
    async fn end(&mut self, stop: bool) -> Result<Option<Report>, Box<dyn std::error::Error>> {
        let Some(running) = self.running.take() else { return Ok(None) };
        if stop {
            running.stop.cancel();
        }
        Ok(Some(running.task.await??))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let source = MemoryTree::new("old");
    for n in 0..200 {
        source.write(&RelPath::new(format!("file {n:03}"))?, &vec![n; 20_000], Timestamp::from_ns(0)).await?;
    }
    let mut service = Service::new(source, MemoryTree::new("new"), folder.path());
    println!("{}", service.status());

    service.start(Bandwidth::Limit(2_000_000))?;
    tokio::time::sleep(Duration::from_millis(700)).await;
    println!("{}", service.status());

    // A service that shuts down stops its migration; the next run resumes it.
    if let Some(report) = service.end(true).await? {
        println!("stopped: {}, {} files pending", report.outcome == RunOutcome::Stopped, report.pending.files);
    }
    service.start(Bandwidth::Unlimited)?;
    if let Some(report) = service.end(false).await? {
        println!("resumed with a new scan: {}, all in sync: {}", report.scanned, report.all_in_sync());
    }
    Ok(())
}
