//! The limits of both directions, and their shared state.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};
use towpath_backend::{Pacing, ReadOptions, WriteOptions};

use super::cost::{self, Link};
use super::limit::{Pace, Steps};
use super::rate::Rate;
use crate::event::Side;
use crate::options::{Bandwidth, Options};

/// The limits of both directions.
#[derive(Debug)]
pub(crate) struct Paces {
    pub(crate) read: Pace,
    pub(crate) write: Pace,
    /// The adaptive rate, if the options request one.
    pub(super) rate: Option<Arc<Rate>>,
    /// The limit as backends see it, if there is one.
    pub(super) pacing: Option<Pacing>,
    /// Whether one of the trees is behind a network.
    over_network: bool,
    /// Permits to list a directory, if there is a limit.
    listings: Option<Semaphore>,
}

impl Paces {
    /// The limits of the options. `over_network`: at least one of the trees is behind a network. `reading`: how the source
    /// is read.
    pub(crate) fn new(options: &Options, over_network: bool, reading: Steps) -> Arc<Self> {
        let link = if over_network { Link::Network } else { Link::None };
        let (fixed, rate) = match options.bandwidth {
            Bandwidth::Unlimited => (None, None),
            Bandwidth::Limit(bytes_per_s) => (Some(bytes_per_s), None),
            Bandwidth::Auto { max_bytes_per_s } => (max_bytes_per_s, Some(Arc::new(Rate::new(max_bytes_per_s)))),
        };
        let pace = |side, steps| {
            let pace = Pace::new(side, fixed, rate.clone(), link, steps);
            pace.owe_overhead(cost::OPENING_BYTES);
            pace
        };
        let listings = fixed.filter(|_| over_network).map(|limit| Semaphore::new(listings_at_once(limit)));
        let (read, write) = (pace(Side::Source, reading), pace(Side::Sink, Steps::Pages));
        let pacing = read.0.as_ref().map(|limit| Pacing::new(limit.bytes_per_s()));
        Arc::new(Self { read, write, rate, pacing, over_network, listings })
    }

    fn of(&self, side: Side) -> &Pace {
        match side {
            Side::Source => &self.read,
            Side::Sink => &self.write,
        }
    }

    /// How to read a file.
    pub(crate) fn read_options(&self) -> ReadOptions {
        self.pacing.as_ref().map_or_else(ReadOptions::default, |pacing| ReadOptions::default().paced_by(pacing))
    }

    /// How to list a directory. Between local disks listings cost no bandwidth.
    pub(crate) fn list_options(&self) -> ReadOptions {
        if self.over_network { self.read_options() } else { ReadOptions::default() }
    }

    /// How to write a file.
    pub(crate) fn write_options(&self) -> WriteOptions {
        self.pacing.as_ref().map_or_else(WriteOptions::default, |pacing| WriteOptions::default().paced_by(pacing))
    }

    /// Sets how much of each file may be in flight now. Called before each write, because it depends on the number of
    /// open files.
    pub(crate) fn bound_in_flight(&self) {
        if let (Some(pacing), Some(bytes)) = (&self.pacing, self.write.in_flight_bytes()) {
            pacing.set_in_flight_bytes(bytes);
        }
    }

    /// Returns when the limit has room for the listing of this many entries.
    pub(crate) async fn pass_listed(&self, entries: u64) {
        self.pass_overhead(entries * cost::LISTED_BYTES).await;
    }

    /// Waits for a permit to list a directory. How much of a listing a client fetches at once cannot be controlled; so
    /// few directories are listed at a time under a low limit, and each waits until the previous listings have been
    /// counted.
    pub(crate) async fn permit_to_list(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        let permit = self.listings.as_ref()?.acquire().await.ok()?;
        self.pass_overhead(0).await;
        Some(permit)
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
