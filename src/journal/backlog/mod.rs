//! The backlog: pending files and directories, page by page.

pub(super) mod dirs;
pub(super) mod hard_links;
pub(super) mod impossible;
pub(super) mod long_holes;
pub(super) mod pending;
pub(super) mod retry;
pub(super) mod summary;
pub(super) mod unfinished;
