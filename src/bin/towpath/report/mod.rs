//! The report of a migration: one model, written as JSON or rendered as HTML.

mod deletions;
mod gather;
mod html;
mod manifest;
mod model;

pub(crate) use gather::{Asked, gather};
pub(crate) use html::{imbalance, page};
pub(crate) use model::Report;
