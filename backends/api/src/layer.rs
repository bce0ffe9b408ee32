//! What can be put around any tree: each layer is a tree itself, and passes on
//! every call that it does not change.
//!
//! | layer | what it does |
//! | --- | --- |
//! | [`ReadOnly`] | rejects every change |
//! | [`Prefix`] | shows a directory of a tree as a tree |
//! | [`Retry`] | tries again what failed for a while |
//! | [`Rate`] | moves no more than so many bytes in a second |
//! | [`Metrics`] | counts calls, errors, bytes and time |
//! | [`Fault`] | makes calls fail, for tests |
//!
//! They can be put around each other; the outermost sees a call first. So
//! `Metrics::new(Retry::new(tree, policy))` counts what was asked for, and
//! `Retry::new(Metrics::new(tree), policy)` each try.
//!
//! Implement [`Hook`] for a custom layer that only observes, delays or rejects calls.

// A method that is not forwarded would use the trait's default instead of the tree's own.
#![warn(clippy::missing_trait_methods)]

mod fault;
mod hook;
mod hooked;
mod metrics;
mod operation;
mod prefix;
mod random;
mod rate;
mod read_only;
mod retry;

pub use fault::{Fault, Faults, Rule};
pub use hook::{Hook, Outcome};
pub use hooked::Hooked;
pub use metrics::{Counts, Meter, Metrics, Snapshot};
pub use operation::{Call, Operation};
pub use prefix::Prefix;
pub use rate::{Limiter, Rate};
pub use read_only::{ReadOnly, Reject};
pub use retry::{Retry, RetryPolicy};
