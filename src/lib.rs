//! Towpath migrates huge file trees from one storage to another, within a
//! bandwidth limit, and proves afterwards what it did.
//!
//! This crate is the engine and its façade, [`Migration`]; the program
//! `towpath` is built on it and on nothing else. A migration reads from any
//! [`Source`] and writes into any [`Sink`]: mounted paths are the crate
//! `towpath-local`; a backend of your own depends on `towpath-backend` alone.
//!
//! ```no_run
//! # async fn example(source: impl towpath::Source + 'static, sink: impl towpath::Sink + 'static) -> towpath::Result<()> {
//! use towpath::{Bandwidth, Event, Migration, Options};
//!
//! let (migration, mut events) = Migration::builder()
//!     .source(source)
//!     .sink(sink)
//!     .database("backlog.db")
//!     .audit_log("audit.jsonl")
//!     .options(Options::default().bandwidth(Bandwidth::Limit(20 << 20)))
//!     .build()?;
//! let listener = tokio::spawn(async move {
//!     while let Some(event) = events.next().await {
//!         if let Event::Failed { error, .. } = event {
//!             println!("{error}");
//!         }
//!     }
//! });
//! let report = migration.run().await?;
//! println!("all in sync: {}", report.all_in_sync());
//! # let _ = listener.await;
//! # Ok(())
//! # }
//! ```

// First, because the modules below use its macro.
#[macro_use]
mod failpoint;

pub mod json;
pub mod private_file;

mod absence;
mod attributes;
mod audit;
mod blocking;
mod blocks;
mod checksum;
mod compare;
mod conflict;
mod dir_locks;
mod error;
mod event;
mod event_stream;
mod exceptions;
mod filter;
mod guard;
mod journal;
mod lock;
mod migration;
mod mounts;
mod nowhere;
mod observer;
mod options;
mod own_files;
mod pace;
mod partial;
mod passes;
mod patience;
mod per_side;
mod phase;
mod progress;
mod removal;
mod report;
mod reporter;
mod selection;
mod session;
mod setters;
mod side;
mod tally;
mod verify;
mod verify_result;
mod waits;
mod xattrs;

pub use audit::{ChainBreak, ChainCheck};
pub use checksum::{Algorithm, Checksum, FileHash, Hasher, UnknownAlgorithm};
pub use error::{
    AuditLogError, CopyState, DatabaseError, Error, ErrorFilter, FailureCode, FileChange, FileError, GuardRefusal,
    LinkProblem, NoBacklog, ProtectedReason, Remedy, Result, SkipReason, SqliteError, TreeFailure, Uncertainty,
    UnknownCode, UnreadableError, UsageError,
};
pub use event::{
    Action, BacklogOrigin, Counts, Event, FilePaths, PlanReason, ScanReason, Side, SteerAction, Totals, Warning,
};
pub use event_stream::EventStream;
pub use exceptions::AcceptedRequest;
pub use filter::{BadPattern, Filter, LeftOut, PatternProblem, Rule, Rules};
pub use journal::{
    AcceptedEnd, AcceptedEntries, AcceptedEntry, Account, Amount, ByKind, ErrorGroup, ErrorSummary, Exception,
    ExceptionList, FailedKind, NameClass, NameKind, NotCopied, NotMatching, Overview, Passes, ReasonCount,
    Reconciliation, RecordedBacklog, RecordedError, RecordedErrors, RecordedFailures, RecordedFile, RecordedFiles,
    RecordedOutcome, RecordedPass, RecordedRun, RecordedScan, RecordedSink, RecordedVerification, SizeRange,
    SlowestFile, VerifyOverview,
};
pub use migration::{Builder, Control, Migration, Stopper};
pub use observer::{ScanObserver, SeenEntry};
pub use options::{AfterBacklog, Bandwidth, Extent, HardLinks, Links, MaxDelete, Mirror, Options, Specials, WriteMode};
pub use own_files::{canonical as canonical_path, of_database as database_files};
pub use passes::PassForecast;
pub use patience::Patience;
pub use progress::{
    AdaptiveLimit, Allowed, Cause, CurrentFile, CurrentOperation, Estimate, Estimator, FailureCount, LimitedBy,
    Outlook, Phase, Progress, RateHistory, RateSample, Recorded, RoundTrips, Share, Snapshot,
};
pub use report::{Planned, Report, RunOutcome};
pub use selection::{Sample, Selection};
pub use tokio_util::sync::CancellationToken;
pub use towpath_backend::{Sink, Source, Timestamp};
pub use verify::{
    UpperBound, Verification, VerifyBuilder, VerifyOptions, VerifyPhase, VerifyProgress, VerifyReport, VerifySnapshot,
};
pub use verify_result::{Difference, SourceChange, VerifyClass, VerifyResult};
