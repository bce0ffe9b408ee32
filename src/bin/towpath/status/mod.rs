//! The status of a migration: of its run, or from its database alone.

mod deadline;
mod files;
pub(crate) mod history;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod live;
pub(crate) mod model;
mod movement;
pub(crate) mod notice;
mod rates;
pub(crate) mod recorded;
mod scan_pace;
pub(crate) mod sentence;
mod steered;
pub(crate) mod text;
