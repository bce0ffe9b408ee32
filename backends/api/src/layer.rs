//! Wrappers for trees. Each layer is a tree itself, and forwards every call that it does not change.
//!
//! | layer | what it does |
//! | --- | --- |
//! | [`ReadOnly`] | rejects every change |
//! | [`Prefix`] | presents a directory of a tree as a tree |
//! | [`Retry`] | retries temporary failures |
//! | [`Rate`] | limits the bytes per second |
//! | [`Metrics`] | counts calls, errors, bytes and time |
//! | [`Fault`] | injects failures, for tests |
//!
//! Layers can be nested; the outermost one sees a call first. `Metrics::new(Retry::new(tree, policy))` counts calls,
//! and `Retry::new(Metrics::new(tree), policy)` counts each attempt.
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
