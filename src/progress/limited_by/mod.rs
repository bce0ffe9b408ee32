//! What limits a transfer: the time of its lanes, by what they wait for.
//!
//! A lane has a reader, a hash stage and a writer, which work at the same time. What limits it is the part that works
//! while the others wait for it: while the reader waits for a free block, the writer, and so the destination. So each
//! lane counts the time of each combination of states (`lane`), and `attribution` turns what passed into causes.

mod attribution;
mod cause;
mod lane;
mod ledger;
mod limit_mode;
mod presence;

pub use cause::{Cause, LimitedBy, Share};
pub(crate) use lane::{LaneClock, ReaderState, WriterState};
pub(crate) use ledger::{LaneClocks, Ledger};
pub(crate) use limit_mode::LimitMode;
pub(crate) use presence::CommitterState;
