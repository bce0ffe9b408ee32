//! Mounted trees: the conformance suite, attributes, names, mounts and other file systems.

#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code)]
#[path = "../../../../tests/it/root.rs"]
mod root;
#[path = "../../../../tests/it/skip.rs"]
mod skip;

mod attributes;
mod conformance;
mod holes_and_names;
mod mounted_trees;
mod name_rules;
mod other_file_systems;
mod trash;
mod uncached;
