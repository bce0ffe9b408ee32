//! What only the sink has, and its deletion.

pub(super) mod announced;
pub(super) mod extras;
mod overlap;
