//! The bandwidth limit: bytes pass in small steps, each at its time.
//!
//! Two parts work together. A leaky bucket, refilled every
//! [`REFILL_INTERVAL`], bounds the rate over any stretch of time. Its tokens
//! come in lumps, which is a burst to the others on the link; so the steps
//! that it lets through are also spaced evenly on a schedule of their own.
//!
//! What passes is counted as what it takes on the link ([`cost`]), and what a
//! client holds back is bounded too ([`Pace::in_flight_bytes`]): bytes that wait
//! in a cache while a server is away all leave when it is back.

mod adaptive;
mod clock;
mod controller;
mod cost;
mod limit;
mod paces;
mod rate;

pub(crate) use adaptive::adapt;
pub(crate) use paces::{OpenFile, Paces};
