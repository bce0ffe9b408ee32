//! A scan, from its beginning to its end.

pub(super) mod finish;
pub(super) mod listing;
pub(super) mod mounts;
pub(super) mod names;
pub(super) mod spelling;
