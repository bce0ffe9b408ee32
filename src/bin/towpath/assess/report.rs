//! All that an assessment found out.

use std::time::Duration;

use super::checks::Checks;
use super::estimate::{Estimate, Work, estimates};
use super::hard_links::Linked;
use super::histogram::Amount;
use super::noticed::Noticed;
use super::survey::Survey;
use towpath::{Timestamp, Totals};
use towpath_backend::RelPath;

/// All that was found out.
#[derive(Clone, Debug)]
pub(crate) struct Assessment {
    pub(crate) place: Place,
    pub(crate) settings: Settings,
    pub(crate) began: Timestamp,
    pub(crate) scan: Duration,
    pub(crate) survey: Survey,
    pub(crate) noticed: Noticed,
    pub(crate) checks: Checks,
    /// What the destination lacks; `None`: there is no destination.
    pub(crate) pending: Option<Totals>,
}

/// The trees, and the database that has the scan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) source: Vec<u8>,
    pub(crate) dest: Option<Vec<u8>>,
    pub(crate) database: Option<Vec<u8>>,
    /// Whether the destination is a URL.
    pub(crate) is_dest_remote: bool,
}

impl Place {
    /// The path in the source of what is at `path` below its root.
    pub(crate) fn whole_path(&self, path: &[u8]) -> Vec<u8> {
        RelPath::new(path).map_or_else(|_| path.to_vec(), |path| path.under(&self.source))
    }
}

/// The options that decide what is serious.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) keeps_hard_links: bool,
    pub(crate) keeps_permissions: bool,
    pub(crate) keeps_owner: bool,
    pub(crate) keeps_xattrs: bool,
    /// Whether special files count as failures.
    pub(crate) fails_specials: bool,
    /// The limit, if it is fixed.
    pub(crate) limit_bytes_per_s: Option<u64>,
}

impl Assessment {
    pub(crate) fn linked(&self) -> Linked {
        self.survey.hard_links.linked()
    }

    /// What a migration begins with.
    pub(crate) fn baseline(&self) -> Amount {
        match self.pending {
            Some(pending) => Amount { files: pending.files, bytes: pending.bytes },
            None => {
                let Amount { files, bytes } = self.survey.files;
                let saved = if self.settings.keeps_hard_links { self.linked().saved_bytes } else { 0 };
                Amount { files, bytes: bytes.saturating_sub(saved) }
            }
        }
    }

    /// What changed on the last day.
    pub(crate) fn of_a_day(&self) -> Amount {
        self.survey.ages.named("< 1 day")
    }

    pub(crate) fn estimates(&self) -> Vec<Estimate> {
        let work = Work { baseline: self.baseline(), of_a_day: self.of_a_day(), scan: self.scan };
        estimates(&work, self.settings.limit_bytes_per_s)
    }
}
