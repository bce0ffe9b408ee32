//! An assessment of a tree: what it consists of, what will be difficult to migrate, and how long it will take.

pub(crate) mod checks;
pub(crate) mod estimate;
pub(crate) mod findings;
mod hard_links;
mod histogram;
pub(crate) mod json;
mod kept;
pub(crate) mod noticed;
mod open_files;
pub(crate) mod report;
mod survey;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use std::sync::{Arc, Mutex};

use towpath::{ScanObserver, SeenEntry, Timestamp};
use towpath_backend::RelPath;

use crate::lock::locked;
pub(crate) use survey::{Reader, Survey, Terms};

/// Surveys what a scan lists.
#[derive(Clone)]
pub(crate) struct Surveyor(Arc<Mutex<Survey>>);

impl Surveyor {
    pub(crate) fn new(terms: Terms) -> Self {
        Self(Arc::new(Mutex::new(Survey::new(terms))))
    }

    pub(crate) fn survey(&self) -> Survey {
        locked(&self.0).clone()
    }
}

impl ScanObserver for Surveyor {
    fn listed(&self, dir: &RelPath, entries: &[SeenEntry<'_>]) {
        locked(&self.0).add_page(dir, entries, now());
    }

    fn dir_ended(&self, dir: &RelPath) {
        locked(&self.0).end_dir(dir);
    }
}

/// The current time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_total_ns(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default()
}
