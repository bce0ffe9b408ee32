//! Options for reading and writing: the bandwidth limit, caches, and what object stores keep of a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::object::ObjectMetadata;

/// The part of the bandwidth limit that concerns backends. Clones share one limit, which may change while files are
/// open and listings run.
///
/// The engine enforces the limit. A backend only has to avoid turning an even stream into bursts: see [`ReadOptions`]
/// and [`WriteOptions`].
///
/// ```
/// use towpath_backend::{Pacing, WriteOptions};
///
/// let pacing = Pacing::new(20 << 20);
/// let options = WriteOptions::default().paced_by(&pacing);
/// pacing.set_bytes_per_s(10 << 20);
/// assert_eq!(options.pacing.map(|pacing| pacing.bytes_per_s()), Some(10 << 20));
/// ```
#[derive(Clone, Debug)]
pub struct Pacing(Arc<Limits>);

#[derive(Debug)]
struct Limits {
    bytes_per_s: AtomicU64,
    in_flight_bytes: AtomicU64,
}

impl Pacing {
    /// Without a limit for now: one may come while files are open.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// A limit of `bytes_per_s` in each direction. The number of bytes in flight is not bounded.
    pub fn new(bytes_per_s: u64) -> Self {
        let (bytes_per_s, in_flight_bytes) = (AtomicU64::new(bytes_per_s), AtomicU64::new(u64::MAX));
        Self(Arc::new(Limits { bytes_per_s, in_flight_bytes }))
    }

    /// Whether there is a limit now.
    pub fn is_limited(&self) -> bool {
        self.bytes_per_s() != u64::MAX
    }

    /// How many bytes per second may be read, and how many may be written, evenly spread; [`u64::MAX`] without a limit.
    pub fn bytes_per_s(&self) -> u64 {
        self.0.bytes_per_s.load(Relaxed)
    }

    /// Changes the rate.
    pub fn set_bytes_per_s(&self, bytes_per_s: u64) {
        self.0.bytes_per_s.store(bytes_per_s, Relaxed);
    }

    /// The most bytes of one file that may be in flight to a sink.
    pub fn in_flight_bytes(&self) -> u64 {
        self.0.in_flight_bytes.load(Relaxed)
    }

    /// Changes how much of each file may be in flight.
    pub fn set_in_flight_bytes(&self, bytes: u64) {
        self.0.in_flight_bytes.store(bytes, Relaxed);
    }
}

/// How to list a directory or read a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The bandwidth limit, if there is one now or may come. While it is limited ([`Pacing::is_limited`]), nothing may be fetched from the storage that was not requested: no
    /// cache reads ahead in a file; a page of a listing holds the response to one small request, and is not fetched
    /// before it is polled. Backends that never read ahead ignore it.
    pub pacing: Option<Pacing>,
    /// Whether the content of files must come from the storage (its disk, its server) as it is now, not from a cache of
    /// this machine: a cached copy would hide what changed below it. This makes reading slower, and is for verification.
    ///
    /// A backend drops cached content, or reads past the cache; local changes that are still to be written to the
    /// storage are written first. Metadata of open files are asked for again, too. Where a backend cannot guarantee
    /// where content comes from, it reads as well as it can and says so: [`FileReader::freshness`] and
    /// [`WholeFile::freshness`]. That alone is no error.
    ///
    /// Backends without a cache on this machine ignore it, and report [`Freshness::Storage`]. Listings ignore it.
    ///
    /// [`FileReader::freshness`]: crate::FileReader::freshness
    /// [`WholeFile::freshness`]: crate::WholeFile::freshness
    /// [`Freshness::Storage`]: crate::Freshness::Storage
    pub bypass_cache: bool,
}

impl ReadOptions {
    /// Under this limit.
    #[must_use]
    pub fn paced_by(self, pacing: &Pacing) -> Self {
        Self { pacing: Some(pacing.clone()), ..self }
    }

    /// From the storage, not from a cache of this machine.
    ///
    /// ```
    /// use towpath_backend::ReadOptions;
    ///
    /// let options = ReadOptions::default().bypassing_cache();
    /// assert!(options.bypass_cache);
    /// ```
    #[must_use]
    pub fn bypassing_cache(self) -> Self {
        Self { bypass_cache: true, ..self }
    }

    /// Whether there is a limit now.
    pub fn is_limited(&self) -> bool {
        self.pacing.as_ref().is_some_and(Pacing::is_limited)
    }
}

/// How to write a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WriteOptions {
    /// The bandwidth limit, if there is one now or may come. While it is limited ([`Pacing::is_limited`]), nothing may be held back and sent as a burst: when
    /// [`write_at`](crate::FileWriter::write_at) returns, at most about [`Pacing::in_flight_bytes`] of the file are in
    /// flight; a backend that buffers sends its buffers at [`Pacing::bytes_per_s`]. Backends that send each write at
    /// once and wait for the response ignore it.
    pub pacing: Option<Pacing>,
    /// What the source's object store keeps of the file beside its content. Sinks that cannot keep it ignore it.
    pub object: Option<Arc<ObjectMetadata>>,
}

impl WriteOptions {
    /// Under this limit.
    #[must_use]
    pub fn paced_by(self, pacing: &Pacing) -> Self {
        Self { pacing: Some(pacing.clone()), ..self }
    }

    /// With what the source's object store keeps of the file.
    #[must_use]
    pub fn with_object(self, object: Option<Arc<ObjectMetadata>>) -> Self {
        Self { object, ..self }
    }
}
