//! Facts about both trees, the machine and the process.

mod answer;
mod leftovers;
mod machine;
mod place;
mod probe;
mod sample;
mod state;
mod trips;

pub(crate) use answer::{Trouble, answer, within};
pub(crate) use machine::process;
pub(crate) use place::{is_writable, place, space};
pub(crate) use probe::probe;
pub(crate) use sample::sample;
pub(crate) use state::{database, other_migrations};
pub(crate) use trips::round_trips;
