//! Reacts to the kind of a failure: `cargo run --example failure_kinds`
//!
//! The sink denies the first write and is full at the second.

#![allow(clippy::print_stdout)]

use towpath::{Error, Event, FileError, GuardRefusal, Migration, Mirror, Options, Timestamp, TreeFailure};
use towpath_backend::ext::SinkExt as _;
use towpath_backend::layer::{Fault, Faults, Operation, Rule};
use towpath_backend::{ErrorKind, RelPath};
use towpath_memory::MemoryTree;

/// What a program would do about an event.
fn advice(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::Failed { error, .. } if error.kind() == ErrorKind::PermissionDenied => "run as the owner",
        Event::Failed { error: FileError::GaveUp { cause, .. }, .. } if matches!(**cause, FileError::Changed) => {
            "stop the program that writes it"
        }
        Event::Failed { error, .. } => match error.backend_error() {
            Some(error) if error.is_temporary() => "try again later",
            _ => "see the log",
        },
        _ => return None,
    })
}

/// What a program would do about the end of a run.
fn after(error: &Error) -> &'static str {
    match error {
        Error::Tree { failure: TreeFailure::Full(_), .. } => "free some space",
        Error::Refused(GuardRefusal::TooManyExtras { .. }) => "check the list of extras",
        Error::Usage(_) => "correct the call",
        _ => "see the error",
    }
}

async fn migrate(kind: ErrorKind) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let source = MemoryTree::new("old");
    source.write(&RelPath::new("image.iso")?, b"content", Timestamp::from_ns(0)).await?;
    let rule = Rule::new(kind).on(Operation::WriteWhole);
    let (migration, mut events) = Migration::builder()
        .source(source)
        .sink(Fault::new(MemoryTree::new("new"), Faults::new(1).with(rule)))
        .database(folder.path().join("backlog.db"))
        .audit_log(folder.path().join("audit.jsonl"))
        .options(Options::default().mirror(Mirror::default()))
        .build()?;
    let listener = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Some(advice) = advice(&event) {
                println!("{kind:?}: {advice}");
            }
        }
    });
    match migration.run().await {
        Ok(report) => println!("{kind:?}: all in sync: {}", report.all_in_sync()),
        Err(error) => println!("{kind:?}: {}: {error}", after(&error)),
    }
    Ok(listener.await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    migrate(ErrorKind::PermissionDenied).await?;
    migrate(ErrorKind::NoSpace).await
}
