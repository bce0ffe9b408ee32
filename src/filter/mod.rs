//! Excludes files from a migration by name, size, time and file system.

mod bad_pattern;
mod encoding;
mod glob;
mod hits;
mod left_out;
mod reserved;
mod rules;

use std::fmt::Write as _;
use std::time::Duration;

use towpath_backend::{Kind, Metadata, RelPath, Timestamp};

use crate::error::UsageError;
use crate::setters::setters;
pub use bad_pattern::{BadPattern, PatternProblem};
pub use left_out::LeftOut;
pub(crate) use reserved::is_reserved;
pub use rules::{Rule, Rules};

/// Which files a migration excludes; by default none. Excluded entries are ignored on both sides: they are neither sent
/// nor deleted. Nothing below an excluded directory can be included again.
///
/// ```
/// use towpath::{Filter, Rule, Rules};
///
/// let rules = Rules::new([Rule::exclude("*.tmp")?, Rule::exclude("/cache/")?, Rule::include("keep.tmp")?])?;
/// let filter = Filter::default().rules(rules).max_size_bytes(1 << 30);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Filter {
    /// Which paths are excluded.
    pub rules: Rules,
    /// Larger files are left out.
    pub max_size_bytes: Option<u64>,
    /// Smaller files are left out.
    pub min_size_bytes: Option<u64>,
    /// Files are left out whose mtime is not later.
    pub newer_than: Option<Timestamp>,
    /// The age that [`Self::newer_than`] was computed from, if it was given as an age: the same age tomorrow is the
    /// same filter.
    pub newer_than_age: Option<Duration>,
    /// Directories on which another file system is mounted are not entered.
    pub one_file_system: bool,
}

/// Setters. An optional value is taken with or without `Some`.
impl Filter {
    setters! {
        rules: Rules,
        max_size_bytes: impl Into<Option<u64>>,
        min_size_bytes: impl Into<Option<u64>>,
        newer_than: impl Into<Option<Timestamp>>,
        newer_than_age: impl Into<Option<Duration>>,
        one_file_system: bool,
    }
}

impl Filter {
    /// Whether nothing is excluded.
    pub fn is_empty(&self) -> bool {
        self.fingerprint().is_empty()
    }

    /// Whether the rules exclude `path` itself. A walk does not enter an excluded directory, and need not check its
    /// content.
    pub fn excludes(&self, path: &RelPath, is_dir: bool) -> bool {
        self.rules.exclude(path, is_dir)
    }

    /// Whether a rule includes `path` itself, and no later one excludes it.
    pub fn includes(&self, path: &RelPath, is_dir: bool) -> bool {
        self.rules.include(path, is_dir)
    }

    /// Whether the rules exclude `path` or a directory above it.
    pub fn excludes_with_parents(&self, path: &RelPath, is_dir: bool) -> bool {
        self.excluding_rule_with_parents(path, is_dir).is_some()
    }

    /// The index of the rule that excludes `path` itself.
    pub(crate) fn excluding_rule(&self, path: &RelPath, is_dir: bool) -> Option<usize> {
        self.rules.excluding(path, is_dir)
    }

    /// The index of the rule that excludes `path` or a directory above it.
    pub(crate) fn excluding_rule_with_parents(&self, path: &RelPath, is_dir: bool) -> Option<usize> {
        let mut parents = std::iter::successors(path.parent(), RelPath::parent);
        let above = || parents.find_map(|parent| self.excluding_rule(&parent, true));
        self.excluding_rule(path, is_dir).or_else(above)
    }

    /// The same filter, with no rule marked as matched: for a walk that reports its [`Self::unmatched`] rules.
    #[must_use]
    pub fn unmatched_again(self) -> Self {
        Self { rules: self.rules.unmatched_again(), ..self }
    }

    /// The rules that matched none of the paths that this filter and its clones checked.
    pub fn unmatched(&self) -> impl Iterator<Item = &Rule> {
        self.rules.unmatched()
    }

    /// Why a file of this size and time is left out; `None` if it is not, and for everything except regular files.
    pub fn leaves_out(&self, metadata: &Metadata) -> Option<LeftOut> {
        if metadata.kind != Kind::File {
            return None;
        }
        if self.max_size_bytes.is_some_and(|max| metadata.size_bytes > max) {
            Some(LeftOut::TooLarge)
        } else if self.min_size_bytes.is_some_and(|min| metadata.size_bytes < min) {
            Some(LeftOut::TooSmall)
        } else if self.newer_than.is_some_and(|time| metadata.modified <= time) {
            Some(LeftOut::TooOld)
        } else {
            None
        }
    }

    /// The filter as text, which is stored with a scan: equal if and only if the filters are equal. Empty if nothing is
    /// excluded.
    pub fn fingerprint(&self) -> String {
        let mut text: String = self.rules.iter().map(|rule| rule.line() + "\n").collect();
        let mut line = |name: &str, value: Option<i128>| {
            if let Some(value) = value {
                // Writing to a string does not fail.
                let _written = writeln!(text, "{name} {value}");
            }
        };
        line("max-size", self.max_size_bytes.map(i128::from));
        line("min-size", self.min_size_bytes.map(i128::from));
        match (self.newer_than, self.newer_than_age) {
            (Some(_), Some(age)) => line("newer-than-age", i128::try_from(age.as_nanos()).ok()),
            (time, _) => line("newer-than", time.map(Timestamp::total_ns)),
        }
        line("one-file-system", self.one_file_system.then_some(1));
        text
    }

    /// Checks that the limits do not exclude every file.
    ///
    /// # Errors
    /// [`UsageError::SizesExcludeAll`] if they do.
    pub(crate) fn check(&self) -> Result<(), UsageError> {
        match (self.min_size_bytes, self.max_size_bytes) {
            (Some(min_bytes), Some(max_bytes)) if min_bytes > max_bytes => {
                Err(UsageError::SizesExcludeAll { min_bytes, max_bytes })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
