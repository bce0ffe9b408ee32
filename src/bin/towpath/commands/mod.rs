//! The subcommands, and what they share: opening the trees, watching a run, checks of what was given.

pub(crate) mod backends;
mod dry_run;
mod only_run;
mod patterns;
mod remote;
pub(crate) mod sync;
mod trees;
mod watch;
