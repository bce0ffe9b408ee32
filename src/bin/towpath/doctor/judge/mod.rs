//! What facts mean: pure functions from facts to findings.

mod keeps;
mod limits;
mod mounts;
mod network_mounts;
mod process;
mod room;
mod state;
mod trees;
mod words;

pub(crate) use keeps::{capabilities, missing, probed, static_note};
pub(crate) use limits::time_zone;
pub(crate) use mounts::place;
pub(crate) use process::process;
pub(crate) use room::room;
pub(crate) use state::{database, other_migrations};
pub(crate) use trees::{round_trips, sample};
