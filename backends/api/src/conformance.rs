//! The conformance suite, which every backend must pass.
//!
//! A backend's crate provides a [`Fixture`]: a new, empty tree, both as a sink and as a source, so that what is written
//! through one is read back through the other. One line in its tests then generates a test for every case:
//!
//! ```ignore
//! towpath_backend::conformance!(MyFixture::new());
//! ```
//!
//! [`check`] runs all cases in one call instead, for trees that are expensive to set up, such as on a server that must
//! be started first.
//!
//! A source without a sink runs its part of the suite with content that something else wrote:
//! [`source_conformance!`](crate::source_conformance!).
//!
//! Cases that need something the tree does not support ([`crate::Capabilities`]) pass at once.

// A case fails by panicking, as any test does.
#![allow(clippy::panic, clippy::unwrap_used)]

mod attributes;
mod check;
mod errors;
mod fixture;
mod holes;
mod linking;
mod listing;
mod macros;
mod naming;
mod reading;
mod removing;
mod reopening;
mod roots;
mod source_alone;
mod symlinks;
mod together;
mod writing;

pub use attributes::*;
pub use check::{Failed, check};
pub use errors::*;
pub use fixture::Fixture;
pub use holes::*;
pub use linking::*;
pub use listing::*;
pub use naming::*;
pub use reading::*;
pub use removing::*;
pub use reopening::*;
pub use roots::*;
pub use source_alone::*;
pub use symlinks::*;
pub use together::*;
pub use writing::*;
