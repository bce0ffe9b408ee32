//! The public model.

use std::collections::BTreeMap;
use std::time::Duration;

use towpath_backend::Timestamp;

use super::classes::{Amount, ByKind, NameClass};
use crate::event::Side;
use crate::journal::overview::accepted::AcceptedEntry;
use crate::journal::overview::model::Overview;
use crate::journal::overview::verification::VerifyOverview;
use crate::journal::store::name_kind::NameKind;
use crate::progress::RateSample;
use crate::verify_result::VerifyClass;

/// The account of a migration: what became of each name of the source at the last complete scan.
///
/// Reading it takes time in proportion to the number of files, in memory that does not grow with it.
///
/// ```no_run
/// # fn example() -> towpath::Result<()> {
/// let most_exceptions = 1000;
/// let account = towpath::Account::read("backlog.db", most_exceptions)?;
/// if let Some(names) = account.and_then(|account| account.names) {
///     assert!(names.is_balanced());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// The migration and all its runs, read in the same transaction.
    pub overview: Overview,
    /// `None`: no scan is complete yet, or another one began and is not.
    pub names: Option<Reconciliation>,
    /// Names of the source that failed.
    pub failed: ExceptionList,
    /// Names of the source that failed and are accepted as they are.
    pub accepted: ExceptionList,
    /// What was accepted ever, the oldest first: also what has settled or was withdrawn since.
    pub acceptances: Vec<AcceptedEntry>,
    /// Names of the source that were skipped.
    pub skipped: ExceptionList,
    /// Directories of either side whose content is unknown.
    pub unreadable: ExceptionList,
    /// The last passes of `towpath verify`, and what did not match, at most as many as there are exceptions.
    pub verification: VerifyOverview,
    /// The files and links in sync by what their last verification found; `None`: not verified since they were sent.
    pub verified: BTreeMap<Option<VerifyClass>, Amount>,
    /// The files and links of the source by size, the smallest first.
    pub sizes: Vec<SizeRange>,
    /// The files that took the longest to send, the slowest first. None took less than a second.
    pub slowest: Vec<SlowestFile>,
    /// How fast files were sent.
    pub samples: Vec<RateSample>,
}

/// A file that took long to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowestFile {
    /// The number of the run that sent it.
    pub run: i64,
    /// The path below the roots of both trees, as raw bytes.
    pub path: Vec<u8>,
    /// Its size.
    pub size_bytes: u64,
    /// The time from the start of its lane to the end of its last write.
    pub took: Duration,
}

/// The names of the source at the last complete scan. The walkers of the scan count each name that a listing has before
/// anything decides about it; everything else is counted from the rows of the database.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Reconciliation {
    /// When the scan began.
    pub scanned_at: Timestamp,
    /// What the listings had. `None`: a scan of an earlier version, which did not count it.
    pub listed: Option<ByKind>,
    /// Of these, what they had twice, because a directory changed while it was listed.
    pub listed_twice: ByKind,
    /// Links that are followed, and names whose listing had no kind, as listed.
    pub resolved: ByKind,
    /// The same names as what they lead to.
    pub resolved_to: ByKind,
    /// What became of them. The sizes are those of the scan.
    pub classes: BTreeMap<NameClass, ByKind>,
    /// The reasons for each class but `synced`.
    pub reasons: Vec<ReasonCount>,
    /// Files in sync whose content was hashed when it was sent.
    pub with_checksum: Amount,
    /// Files whose size changed between the scan and the last attempt: as scanned, and as sent.
    pub resized: (Amount, Amount),
    /// Files of earlier scans below directories that could not be read. They are in no class: it is not known whether
    /// the source still has them.
    pub unlisted: Amount,
    /// Directories of other file systems, whose content is not part of the migration.
    pub not_entered: u64,
}

impl Reconciliation {
    /// The names of a class.
    pub fn class(&self, class: NameClass) -> ByKind {
        self.classes.get(&class).copied().unwrap_or_default()
    }

    /// What the listings had of a kind, once what they had twice is taken off and each link that is followed counts as
    /// what it leads to. `None`: it was not counted.
    pub fn source(&self, kind: NameKind) -> Option<(i128, i128)> {
        let listed = self.listed?;
        let parts = [
            (listed.of(kind), 1),
            (self.listed_twice.of(kind), -1),
            (self.resolved.of(kind), -1),
            (self.resolved_to.of(kind), 1),
        ];
        Some(sum(parts))
    }

    /// Listed names of a kind less those of all classes, and their bytes: both are zero if the account is right.
    pub fn difference(&self, kind: NameKind) -> Option<(i128, i128)> {
        let (names, bytes) = self.source(kind)?;
        let (classed, classed_bytes) = sum(self.classes.values().map(|class| (class.of(kind), 1)));
        Some((names - classed, bytes - classed_bytes))
    }

    /// Whether each kind is balanced, in names and bytes; `false` if it was not counted.
    pub fn is_balanced(&self) -> bool {
        NameKind::ALL.into_iter().all(|kind| self.difference(kind) == Some((0, 0)))
    }
}

fn sum(parts: impl IntoIterator<Item = (Amount, i128)>) -> (i128, i128) {
    let bytes = |amount: Amount| i128::try_from(amount.bytes).unwrap_or(i128::MAX);
    parts.into_iter().fold((0, 0), |(names, total), (amount, sign)| {
        (names + sign * i128::from(amount.names), total + sign * bytes(amount))
    })
}

/// The names of a class for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReasonCount {
    /// The class.
    pub class: NameClass,
    /// The reason, a stable code such as `special-file`.
    pub reason: String,
    /// The rule that excludes them; else empty.
    pub detail: String,
    /// How many there are.
    pub amount: ByKind,
    /// The path of one of them, where it is recorded.
    pub example: Option<Vec<u8>>,
}

/// Exceptions, at most as many as were asked for.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExceptionList {
    /// The first of them, sorted by path.
    pub first: Vec<Exception>,
    /// How many there are.
    pub count: u64,
    /// Of these, those that are not accepted.
    pub open: u64,
}

/// A name that is not in sync, or a directory whose content is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exception {
    /// The path below the roots of both trees, as raw bytes.
    pub path: Vec<u8>,
    /// What it is, where that is recorded.
    pub kind: Option<NameKind>,
    /// Its size at the source.
    pub size_bytes: Option<u64>,
    /// The side that failed, where that is recorded.
    pub side: Option<Side>,
    /// Why, as a stable code.
    pub reason: String,
    /// Why, as a text.
    pub error: Option<String>,
    /// The acceptance that covers it.
    pub accepted: Option<AcceptedEntry>,
}

/// Files and links whose sizes are in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SizeRange {
    /// The smallest size.
    pub from_bytes: u64,
    /// The first size that is larger than all of them; `None`: there is no bound.
    pub below_bytes: Option<u64>,
    /// How many there are, and their bytes.
    pub amount: Amount,
    /// Of these, those in sync.
    pub synced: Amount,
}
