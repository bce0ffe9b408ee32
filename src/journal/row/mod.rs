//! What the columns of a row mean, and the updates that several jobs share.

pub(super) mod kept;
