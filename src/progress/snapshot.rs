//! The state of a migration at one moment.

use std::time::Duration;

use towpath_backend::{RelPath, Timestamp};

use super::limited_by::LimitedBy;
use super::operations::CurrentOperation;
use super::recorded::Recorded;
use crate::event::{Counts, Totals};
use crate::options::Bandwidth;

/// What a migration is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Opening the database and identifying the trees.
    #[default]
    Starting,
    /// Walking both trees.
    Scanning,
    /// Sending files.
    Transferring,
    /// Deleting extras from the sink.
    Mirroring,
    /// Creating empty directories, and setting the attributes and times of directories.
    Finalizing,
    /// Done, or stopped.
    Ended,
}

/// A file in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CurrentFile {
    /// Its path in both trees.
    pub path: RelPath,
    /// Its size.
    pub size_bytes: u64,
    /// Data that was written to the sink.
    pub written_bytes: u64,
    /// Holes that were skipped. They are not written; with a checksum, their zeros are hashed.
    pub hole_bytes: u64,
    /// Whether it has long holes: files that do are sent one at a time, beside the others.
    pub has_long_holes: bool,
    /// Whether a hole of it is being hashed right now.
    pub hashes_hole: bool,
}

impl CurrentFile {
    /// An unsent file, for tests of code that uses snapshots.
    pub fn new(path: RelPath, size_bytes: u64) -> Self {
        Self { path, size_bytes, written_bytes: 0, hole_bytes: 0, has_long_holes: false, hashes_hole: false }
    }

    /// The progress of its copy: the bytes written and the holes skipped.
    pub fn position_bytes(&self) -> u64 {
        self.written_bytes.saturating_add(self.hole_bytes).min(self.size_bytes)
    }

    /// What is left of it.
    pub fn left_bytes(&self) -> u64 {
        self.size_bytes - self.position_bytes()
    }
}

/// The state of a migration at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// The phase.
    pub phase: Phase,
    /// When the scan began that `source`, `sink` and `pending` are from; `None` until it is complete.
    pub scanned_at: Option<Timestamp>,
    /// What the scan has found in the source so far, or found when the backlog was created.
    pub source: Counts,
    /// What the scan has found in the sink so far.
    pub sink: Counts,
    /// Files to be sent: those found so far while scanning, those left while transferring.
    pub pending: Totals,
    /// Of these, the files with long holes, as far as they were found. They are sent one at a time.
    pub long_holes: Totals,
    /// Files made durable by this run.
    pub synced: Totals,
    /// Files that failed in this run.
    pub failed_files: u64,
    /// Their sizes.
    pub failed_bytes: u128,
    /// Bytes read by this run, files in flight included.
    pub read_bytes: u64,
    /// Bytes written by this run, files in flight included.
    pub written_bytes: u64,
    /// Holes that this run skipped, files in flight included.
    pub hole_bytes: u128,
    /// Of `written_bytes` and `hole_bytes`, the part of files with long holes.
    pub long_holes_bytes: u128,
    /// Files in flight, by lane.
    pub current: Vec<CurrentFile>,
    /// Of the calls of the trees and of the database that no lane makes, the one in progress for the longest time.
    pub operation: Option<CurrentOperation>,
    /// How many such calls of the trees have returned.
    pub operations_done: u64,
    /// The bandwidth in force.
    pub bandwidth: Bandwidth,
    /// The adaptive limit, if there is one ([`crate::Bandwidth::Auto`]).
    pub adaptive_limit: Option<AdaptiveLimit>,
    /// The time that this run has spent on sending files, by what limited it.
    pub limited_by: LimitedBy,
    /// Whether the migration is paused ([`crate::Control::pause`]).
    pub paused: bool,
    /// What the database has recorded, over all runs. `None` before it is open.
    pub recorded: Option<Recorded>,
    /// Which part of the queue between reading and writing is full, from 0 to 1. `None` while no files are sent.
    pub queue_fill: Option<f64>,
    /// Steps of long statements of the database: while it changes, the database is at work.
    pub database_steps: u64,
}

/// A limit that adapts to the other traffic on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdaptiveLimit {
    /// The limit at that moment.
    pub limit_bytes_per_s: u64,
    /// How much longer small requests take than the shortest ones.
    pub delay: Duration,
    /// How long the shortest ones take, on the side with that delay.
    pub base_round_trip: Duration,
}

impl AdaptiveLimit {
    /// A limit, for tests of code that uses snapshots.
    pub fn new(limit_bytes_per_s: u64, delay: Duration) -> Self {
        Self { limit_bytes_per_s, delay, base_round_trip: Duration::ZERO }
    }
}

impl Snapshot {
    /// Everything in sync, earlier runs included.
    pub fn in_sync_in_all(&self) -> Totals {
        Totals {
            files: self.source.files.saturating_sub(self.pending.files),
            bytes: self.source.bytes.saturating_sub(self.pending.bytes),
        }
    }

    /// The limit in force: a fixed one, or what the adaptive one is now. `None`: there is none, or it is not known yet.
    pub fn limit_bytes_per_s(&self) -> Option<u64> {
        match self.bandwidth {
            Bandwidth::Unlimited => None,
            Bandwidth::Limit(limit) => Some(limit),
            Bandwidth::Auto { .. } => self.adaptive_limit.map(|limit| limit.limit_bytes_per_s),
        }
    }
}
