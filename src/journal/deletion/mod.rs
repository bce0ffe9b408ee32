//! What only the sink has, and its deletion.

pub(super) mod announced;
pub(super) mod extras;
mod overlap;
pub(super) mod protection;
pub(super) mod seen_dir;
