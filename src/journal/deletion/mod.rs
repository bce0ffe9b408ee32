//! Entries that only the sink has, and their deletion.

pub(super) mod announced;
pub(super) mod extras;
mod overlap;
pub(super) mod protection;
pub(super) mod seen_dir;
