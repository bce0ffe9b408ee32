//! What the walkers of the source received, counted before anything decides about it, and what they left out. A report
//! compares both with the rows.

use std::collections::BTreeMap;

use rusqlite::params;
use towpath_backend::{Metadata, RelPath};

use crate::error::Result;
use crate::journal::row::not_copied::NotCopied;
use crate::journal::store::db::Db;
use crate::journal::store::name_kind::{NameKind, counted_bytes};
use crate::journal::store::value::{Name, signed};

/// Names, and the sum of their sizes.
#[derive(Clone, Debug, Default)]
pub(in crate::journal) struct Amount {
    pub(in crate::journal) names: u64,
    pub(in crate::journal) bytes: u128,
    /// The first of them.
    pub(in crate::journal) example: Option<Vec<u8>>,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.names += 1;
        self.bytes += u128::from(bytes);
    }

    fn join(&mut self, other: Self) {
        self.names += other.names;
        self.bytes += other.bytes;
        self.example = self.example.take().or(other.example);
    }
}

/// What names are counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Listed,
    /// Names of a kind that was not theirs: links that are followed, and names whose listing had no kind.
    Resolved,
    /// The same names under the kind that they lead to.
    ResolvedTo,
    /// Directories of another file system, whose content is not listed.
    NotEntered,
    /// Not copied, and without a row.
    NotCopied(NotCopied),
    /// Excluded by the rule with this index.
    ByRule(usize),
}

/// What walkers of the source received and left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census(BTreeMap<(What, NameKind), Amount>);

impl Census {
    /// Counts a name that a listing has, before anything else is done with it.
    pub(crate) fn add_listed(&mut self, metadata: &Metadata) {
        self.0.entry((What::Listed, metadata.kind.into())).or_default().add(counted_bytes(metadata));
    }

    /// Counts a name under what it leads to instead of what was listed, if these differ.
    pub(crate) fn add_resolved(&mut self, listed: &Metadata, found: &Metadata) {
        let (before, after) = (counted_bytes(listed), counted_bytes(found));
        if listed.kind != found.kind || before != after {
            self.0.entry((What::Resolved, listed.kind.into())).or_default().add(before);
            self.0.entry((What::ResolvedTo, found.kind.into())).or_default().add(after);
        }
    }

    /// Counts a directory that is not entered.
    pub(crate) fn add_not_entered(&mut self, path: &RelPath) {
        self.add(What::NotEntered, path, NameKind::Dir, 0);
    }

    /// Counts a name that is not copied and has no row.
    pub(crate) fn add_not_copied(&mut self, path: &RelPath, metadata: &Metadata, reason: NotCopied) {
        self.add(What::NotCopied(reason), path, metadata.kind.into(), counted_bytes(metadata));
    }

    /// Counts a name that the rule with this index excludes.
    pub(crate) fn add_excluded(&mut self, path: &RelPath, metadata: &Metadata, rule: usize) {
        self.add(What::ByRule(rule), path, metadata.kind.into(), counted_bytes(metadata));
    }

    fn add(&mut self, what: What, path: &RelPath, kind: NameKind, bytes: u64) {
        let amount = self.0.entry((what, kind)).or_default();
        amount.add(bytes);
        amount.example.get_or_insert_with(|| path.as_bytes().to_vec());
    }

    /// Adds what another walker counted.
    pub(crate) fn join(&mut self, other: Self) {
        for (key, amount) in other.0 {
            self.0.entry(key).or_default().join(amount);
        }
    }
}

/// The counts of a scan, with the names of its rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamedCensus {
    pub(crate) census: Census,
    /// The rules by index.
    pub(crate) rules: Vec<String>,
}

impl Db {
    /// Records the counts of the scan that is complete, in place of those of an earlier one.
    pub(super) fn record_census(&self, counts: &NamedCensus) -> Result<()> {
        let scan = self.scan()?;
        self.execute("DELETE FROM scan_count", [])?;
        let insert = |what: &str, detail: &str, kind: NameKind, amount: &Amount| {
            self.execute(
                "INSERT OR REPLACE INTO scan_count(scan, what, detail, kind, names, bytes, example)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    scan.id,
                    what,
                    detail,
                    kind,
                    signed(amount.names),
                    amount.bytes.to_string(),
                    amount.example.as_deref().map(Name)
                ],
            )
            .map(drop)
        };
        // Also a source without a name was counted.
        insert("listed", "", NameKind::Dir, &Amount::default())?;
        for ((what, kind), amount) in &counts.census.0 {
            // Of two equal rules, only the later one decides.
            let (what, detail) = match what {
                What::Listed => ("listed", ""),
                What::Resolved => ("resolved", ""),
                What::ResolvedTo => ("resolved-to", ""),
                What::NotEntered => ("not-entered", ""),
                What::NotCopied(reason) => (reason.code(), ""),
                What::ByRule(rule) => (NotCopied::Excluded.code(), counts.rules.get(*rule).map_or("", String::as_str)),
            };
            insert(what, detail, *kind, amount)?;
        }
        for (kind, (names, bytes)) in NameKind::ALL.into_iter().zip(scan.twice.by_kind()) {
            if names > 0 {
                insert("listed-twice", "", kind, &Amount { names, bytes, example: None })?;
            }
        }
        Ok(())
    }
}
