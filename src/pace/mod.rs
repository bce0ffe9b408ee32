//! The bandwidth limit: bytes pass in small steps, each at its time.
//!
//! Two parts work together. A leaky bucket, refilled every [`REFILL_INTERVAL`], bounds the rate over any stretch of
//! time. Its tokens come in bursts; so the steps that it lets through are also spaced evenly by a separate schedule.
//!
//! A step counts as the bytes that it takes on the link ([`cost`]), and the in-flight window bounds what a client may
//! cache ([`Pace::in_flight_bytes`]): bytes that wait in a cache while a server does not answer are all sent when it
//! does.

mod adaptive;
mod clock;
mod controller;
mod cost;
mod direction;
mod gate;
mod limit;
mod paces;
mod rate;
mod timing;

pub(crate) use adaptive::adapt;
pub(crate) use limit::Steps;
pub(crate) use paces::{OpenFile, Paces};
pub(crate) use timing::time_requests;
