//! Verification: reads what the sink has, and compares it with what was recorded when it was sent.
//!
//! A walk over the database hands the files in sync to lanes, which read them; a committer records the results in
//! batches. It changes neither tree.

mod bound;
mod builder;
mod check;
mod commit;
mod content;
mod facade;
mod guards;
mod lanes;
mod lines;
mod options;
mod pass;
mod progress;
mod report;
mod session;

pub use bound::UpperBound;
pub use builder::VerifyBuilder;
pub use facade::Verification;
pub use options::VerifyOptions;
pub use progress::{VerifyPhase, VerifyProgress, VerifySnapshot};
pub use report::VerifyReport;
