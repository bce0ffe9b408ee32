//! The phases of a run. They are siblings: `migration/run.rs` orders them.

pub(crate) mod directories;
pub(crate) mod dry_run;
pub(crate) mod mirror;
pub(crate) mod recovery;
pub(crate) mod respell;
pub(crate) mod scan;
pub(crate) mod transfer;
pub(crate) mod unsent;
