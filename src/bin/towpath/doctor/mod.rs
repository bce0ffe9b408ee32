//! `towpath doctor`: facts about a planned migration, and what they mean.
//!
//! The facts are gathered by one module for each topic, each within a time limit (`facts`). Pure functions turn them into
//! findings (`judge`), so that every kind of mount can be tested without having it.

mod code;
pub(crate) mod facts;
pub(crate) mod judge;
pub(crate) mod model;

pub(crate) use code::Code;

use towpath::Side;

use crate::finding::{Finding, Severity};

/// What the planned run is to do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) keeps_permissions: bool,
    pub(crate) keeps_owner: bool,
    pub(crate) keeps_xattrs: bool,
    pub(crate) copies_links: bool,
    pub(crate) keeps_hard_links: bool,
    pub(crate) is_atomic: bool,
    pub(crate) lanes: u64,
    pub(crate) walkers: u64,
    /// Bytes of file content in memory at most.
    pub(crate) buffer_bytes: u64,
    /// Whether there is a limit that is not `off`.
    pub(crate) is_limited: bool,
    /// Whether the process runs as root.
    pub(crate) is_root: bool,
}

impl Plan {
    #[cfg(test)]
    pub(crate) fn of_test() -> Self {
        Self {
            keeps_permissions: false,
            keeps_owner: false,
            keeps_xattrs: false,
            copies_links: true,
            keeps_hard_links: true,
            is_atomic: false,
            lanes: 16,
            walkers: 8,
            buffer_bytes: 100 << 20,
            is_limited: false,
            is_root: true,
        }
    }
}

/// How findings and JSON name a side.
pub(crate) fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Sink => "dest",
    }
}

fn ok(code: Code, found: impl Into<String>) -> Finding {
    Finding::ok(code.name(), found)
}

fn info(code: Code, found: impl Into<String>, reason: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding::new(Severity::Info, code.name(), found, reason, remedy)
}

fn warning(code: Code, found: impl Into<String>, reason: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding::new(Severity::Warning, code.name(), found, reason, remedy)
}

/// A finding that prevents the migration from doing what it is to do.
pub(crate) fn problem(
    code: Code,
    found: impl Into<String>,
    reason: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    Finding::new(Severity::Problem, code.name(), found, reason, remedy)
}
