//! How long a storage takes to answer.

use std::time::{Duration, Instant};

use towpath_backend::Tree;

use super::answer::answer;
use crate::doctor::model::Trips;

/// How many requests are sent.
const REQUESTS: usize = 20;

/// Sends small requests one after the other. The first, which may open a connection, does not count.
pub(crate) async fn round_trips<T: Tree + ?Sized>(tree: &T, limit: Duration) -> Trips {
    let mut trips = Trips { over_network: tree.hints().over_network, ..Trips::default() };
    for number in 0..=REQUESTS {
        let began = Instant::now();
        match answer(limit, tree.round_trip()).await {
            Ok(()) if number == 0 => {}
            Ok(()) => trips.times.push(began.elapsed()),
            Err(trouble) => {
                trips.trouble = Some(trouble.to_string());
                break;
            }
        }
    }
    trips.times.sort();
    trips
}
