//! The façade: one run of a migration, from its first access to the trees to its report.

mod beside;
mod builder;
mod control;
mod done;
mod facade;
mod run;
mod run_lines;
mod same_tree;
mod sampling;
mod steering;
mod stopper;

pub use builder::Builder;
pub use control::Control;
pub use facade::Migration;
pub use stopper::Stopper;
