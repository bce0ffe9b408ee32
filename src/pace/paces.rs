//! The limits of both directions, and their shared state.

use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use towpath_backend::{Pacing, ReadOptions, WriteOptions};

use super::cost::{self, Link};
use super::direction::Pace;
use super::gate::Gate;
use super::limit::Steps;
use super::rate::Rate;
use crate::event::Side;
use crate::lock::locked;
use crate::options::{Bandwidth, Options};
use crate::per_side::PerSide;

/// The limits of both directions.
#[derive(Debug)]
pub(crate) struct Paces {
    pub(crate) read: Pace,
    pub(crate) write: Pace,
    /// What is in force.
    bandwidth: Mutex<Bandwidth>,
    /// The adaptive rate, if one is in force.
    pub(super) rate: watch::Sender<Option<Arc<Rate>>>,
    /// The limit as backends see it.
    pub(super) pacing: Pacing,
    /// Whether one of the trees is behind a network.
    over_network: bool,
    /// Permits to list a directory, if there is a limit.
    listings: Mutex<Option<Arc<Semaphore>>>,
    gate: Arc<Gate>,
}

impl Paces {
    /// The limits of the options. `over_network`: at least one of the trees is behind a network. `steps`: how the source
    /// is read, and how the sink is written.
    pub(crate) fn new(options: &Options, over_network: bool, steps: PerSide<Steps>) -> Arc<Self> {
        let link = if over_network { Link::Network } else { Link::None };
        let gate = Arc::new(Gate::default());
        let pace = |side, steps| Pace::new(side, link, steps, &gate);
        let paces = Self {
            read: pace(Side::Source, steps.source),
            write: pace(Side::Sink, steps.sink),
            bandwidth: Mutex::new(options.bandwidth),
            rate: watch::Sender::new(None),
            pacing: Pacing::unlimited(),
            over_network,
            listings: Mutex::default(),
            gate,
        };
        paces.apply(options.bandwidth, Pace::set_first);
        for pace in [&paces.read, &paces.write] {
            pace.owe_overhead(cost::OPENING_BYTES);
        }
        Arc::new(paces)
    }

    /// What is in force. While the migration is paused: what will be.
    pub(crate) fn bandwidth(&self) -> Bandwidth {
        *locked(&self.bandwidth)
    }

    /// Changes the limit, for files in flight too; returns whether it differs from the one before.
    pub(crate) fn set_bandwidth(&self, bandwidth: Bandwidth) -> bool {
        let mut now = locked(&self.bandwidth);
        if *now == bandwidth {
            return false;
        }
        *now = bandwidth;
        self.apply(bandwidth, Pace::set);
        true
    }

    fn apply(&self, bandwidth: Bandwidth, set: impl Fn(&Pace, Option<u64>, Option<Arc<Rate>>)) {
        let (fixed, rate) = match bandwidth {
            Bandwidth::Unlimited => (None, None),
            Bandwidth::Limit(bytes_per_s) => (Some(bytes_per_s), None),
            Bandwidth::Auto { max_bytes_per_s } => (max_bytes_per_s, Some(Arc::new(Rate::new(max_bytes_per_s)))),
        };
        let listings =
            fixed.filter(|_| self.over_network).map(|limit| Arc::new(Semaphore::new(listings_at_once(limit))));
        *locked(&self.listings) = listings;
        let now_per_s = rate.as_ref().map(|rate| rate.bytes_per_s()).or(fixed);
        self.pacing.set_bytes_per_s(now_per_s.unwrap_or(u64::MAX));
        for pace in [&self.read, &self.write] {
            set(pace, fixed, rate.clone());
        }
        self.bound_in_flight();
        self.rate.send_replace(rate);
    }

    /// Lets nothing pass until [`Self::resume`]; returns whether it passed before.
    pub(crate) fn pause(&self) -> bool {
        self.gate.set_closed(true)
    }

    /// Lets bytes pass again; returns whether they did not before.
    pub(crate) fn resume(&self) -> bool {
        self.gate.set_closed(false)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.gate.is_closed()
    }

    /// Returns once the migration is not paused.
    pub(crate) async fn resumed(&self) {
        self.gate.opened().await;
    }

    /// Returns once the migration is paused.
    pub(crate) async fn paused(&self) {
        self.gate.closed().await;
    }

    fn of(&self, side: Side) -> &Pace {
        match side {
            Side::Source => &self.read,
            Side::Sink => &self.write,
        }
    }

    /// How to read a file.
    pub(crate) fn read_options(&self) -> ReadOptions {
        ReadOptions::default().paced_by(&self.pacing)
    }

    /// How to list a directory. Between local disks listings cost no bandwidth.
    pub(crate) fn list_options(&self) -> ReadOptions {
        if self.over_network { self.read_options() } else { ReadOptions::default() }
    }

    /// How to write a file.
    pub(crate) fn write_options(&self) -> WriteOptions {
        WriteOptions::default().paced_by(&self.pacing)
    }

    /// Sets how much of each file may be in flight now. Called before each write, because it depends on the number of
    /// open files.
    pub(crate) fn bound_in_flight(&self) {
        self.pacing.set_in_flight_bytes(self.write.in_flight_bytes().unwrap_or(u64::MAX));
    }

    /// Returns when the limit has room for the listing of this many entries.
    pub(crate) async fn pass_listed(&self, entries: u64) {
        self.pass_overhead(entries * cost::LISTED_BYTES).await;
    }

    /// Waits for a permit to list a directory. How much of a listing a client fetches at once cannot be controlled; so
    /// few directories are listed at a time under a low limit, and each waits until the previous listings have been
    /// counted.
    pub(crate) async fn permit_to_list(&self) -> Option<OwnedSemaphorePermit> {
        let listings = locked(&self.listings).clone();
        let permit = match listings {
            // The semaphore is never closed.
            Some(listings) => listings.acquire_owned().await.ok(),
            None => None,
        };
        self.pass_overhead(0).await;
        permit
    }

    /// Returns when this many bytes of small requests and answers may pass: they count in both directions.
    async fn pass_overhead(&self, bytes: u64) {
        self.read.pass_overhead(bytes).await;
        self.write.pass_overhead(bytes).await;
    }

    /// Returns when the requests that every file needs may pass.
    pub(crate) async fn pass_file(&self) {
        self.pass_overhead(cost::REQUESTS_PER_FILE * cost::REQUEST_BYTES).await;
    }
}

/// Held while a file is read or written in steps; see [`Pace::ahead_bytes`] and [`Pace::in_flight_bytes`].
#[derive(Debug)]
pub(crate) struct OpenFile {
    paces: Arc<Paces>,
    side: Side,
}

impl OpenFile {
    pub(crate) fn new(paces: &Arc<Paces>, side: Side) -> Self {
        paces.of(side).count_files(1);
        Self { paces: Arc::clone(paces), side }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.paces.of(self.side).count_files(-1);
    }
}

/// The number of directories that are listed at a time: their listings are a small fraction of a second's bytes.
fn listings_at_once(limit_bytes_per_s: u64) -> usize {
    usize::try_from(limit_bytes_per_s >> 20).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests;
