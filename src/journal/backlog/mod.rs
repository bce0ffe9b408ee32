//! The backlog: what is pending, page by page.

pub(super) mod dirs;
pub(super) mod hard_links;
pub(super) mod long_holes;
pub(super) mod partial;
pub(super) mod pending;
