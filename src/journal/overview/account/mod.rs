//! The account of a migration: what became of each name of the source, as figures that must add up.

mod classes;
mod exceptions;
mod model;
mod read;
mod sizes;
mod sums;

pub use classes::{Amount, ByKind, NameClass};
pub use model::{Account, Exception, ExceptionList, ReasonCount, Reconciliation, SizeRange, SlowestFile};
