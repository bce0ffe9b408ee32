//! The status of a migration: of its run, or from its database alone.

mod files;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod live;
pub(crate) mod model;
mod movement;
mod rates;
pub(crate) mod recorded;
pub(crate) mod text;
