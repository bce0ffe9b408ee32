//! The status of a migration: of its run, or from its database alone.

pub(crate) mod list;
pub(crate) mod model;
pub(crate) mod recorded;
pub(crate) mod text;
