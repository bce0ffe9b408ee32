//! From the backlog to the sink: lanes of reader, bounded queue and writer.
//!
//! Two tasks page through the backlog, one for small files and one for large ones. Each lane's reader takes files
//! from them and feeds their blocks into the lane's queue; its writer drains the queue into the sink. One committer
//! makes batches of written files durable and records them. Every channel between them is bounded.

mod attempts;
mod block;
mod commit;
mod dispatch;
mod hole_lane;
mod hole_map;
mod in_place;
mod lane;
mod lane_role;
mod lanes;
mod reader;
mod row_update;
mod shared;
mod task;
mod writer;

pub(crate) use attempts::{run_attempt, run_attempts};
pub(crate) use hole_lane::HoleLane;
pub(crate) use shared::{LAST_ATTEMPT, Transfer};
