//! The handle of a tree over an OpenDAL operator: its settings, and what follows from them for a file.

use std::sync::Arc;

use opendal::{Capability, EntryMode, HttpTransporter, Operator};
use tokio::sync::Mutex;
use towpath_backend::{ByteSet, Hints, Identity, Kind, Metadata, Pacing, Timestamp};

use crate::answers::Answers;
use crate::http::Outgoing;
use crate::multipart::{InFlight, MoreParts};
use crate::names::Keys;
use crate::patience::Patience;
use crate::stubs::is_stub;
use crate::{http, mtime, multipart, raw_keys};

/// The largest file where all of it travels in one request, from memory.
pub(crate) const MOST_AT_ONCE_BYTES: usize = 512 << 20;

/// A tree in a storage that OpenDAL reaches, as source and sink. Clones show the same tree.
#[derive(Clone, Debug)]
pub struct OpendalTree {
    pub(crate) operator: Operator,
    shared: Arc<Shared>,
}

/// Whether the store keeps the markers of empty directories.
#[derive(Debug)]
pub(crate) enum MarkerSupport {
    Kept,
    /// Why not.
    NotKept(String),
}

/// What is compared of written files by checksums, before this crate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "all-backends"), allow(dead_code, reason = "each service has one"))]
pub(crate) enum Checks {
    None,
    /// The content of each request, though not what is put together of several.
    Requests,
    /// All that is written.
    Files,
}

#[derive(Clone, Debug)]
struct Shared {
    root: Vec<u8>,
    identity: String,
    keeps_mtime: bool,
    /// Whether headers and user metadata of objects are read and written.
    carries_object_metadata: bool,
    has_directories: bool,
    /// Whether empty directories are created.
    empty_directories: bool,
    /// `None` before the first marker is sent. Locked while it is.
    marker_support: Arc<Mutex<Option<MarkerSupport>>>,
    /// The operator that does not retry, if there is one.
    once: Option<Operator>,
    /// Whether the service has multipart uploads.
    takes_parts: bool,
    lists_dir_times: bool,
    checks: Checks,
    rejected: ByteSet,
    lanes: usize,
    /// The settings of the HTTP client, if it is ours.
    outgoing: Option<Outgoing>,
    patience: Arc<Patience>,
    /// The options that hold the credentials, as errors name them.
    credentials: String,
    /// What the server was found to say in responses to GETs.
    answers: Arc<Answers>,
    more_parts: Arc<MoreParts>,
}

impl OpendalTree {
    /// The tree at the operator's root, which users know as `root`: a URL without secrets.
    ///
    /// mtimes are kept where objects have user metadata, unless [`Self::without_mtimes`]
    /// says otherwise.
    ///
    /// Over HTTP it sends by what the operator has for it (OpenDAL's feature `http-transport-reqwest`),
    /// unless it is [paced](Self::paced).
    pub fn new(operator: Operator, root: impl Into<String>) -> Self {
        let info = operator.info();
        // The service's own: for services without directories, OpenDAL creates them as empty objects.
        let (can, root) = (operator.base_service().capability_dyn(), root.into());
        let identity = format!("{}:{root}", info.scheme());
        let shared = Shared {
            root: root.into_bytes(),
            identity,
            keeps_mtime: can.write_with_user_metadata,
            carries_object_metadata: !can.create_dir,
            has_directories: can.create_dir,
            empty_directories: true,
            marker_support: Arc::default(),
            once: None,
            takes_parts: can.write_can_multi,
            lists_dir_times: true,
            checks: Checks::None,
            rejected: ByteSet::EMPTY,
            lanes: Hints::DEFAULT.lanes,
            outgoing: None,
            patience: Arc::default(),
            credentials: String::new(),
            answers: Arc::default(),
            more_parts: Arc::default(),
        };
        Self { operator, shared: Arc::new(shared) }
    }

    /// The same tree of another identity: the server belongs to it where the URL names only a bucket.
    #[must_use]
    pub fn with_identity(self, identity: impl Into<String>) -> Self {
        self.with(|shared| shared.identity = identity.into())
    }

    /// Neither writes nor reads mtimes: only sizes decide whether a file is in sync.
    /// For servers that do not keep user metadata, or where a request for each object is too much.
    #[must_use]
    pub fn without_mtimes(self) -> Self {
        self.with(|shared| shared.keeps_mtime = false)
    }

    /// Neither reads nor writes what objects have beside content and mtime: headers such as `Content-Type`, and user
    /// metadata.
    #[must_use]
    pub fn without_object_metadata(self) -> Self {
        self.with(|shared| shared.carries_object_metadata = false)
    }

    /// Creates no empty directories, where directories exist only as part of object names.
    #[must_use]
    pub fn without_empty_directories(self) -> Self {
        self.with(|shared| shared.empty_directories = false)
    }

    /// Sends by `once` what must not be retried automatically.
    pub(crate) fn trying_once_by(self, once: Operator) -> Self {
        self.with(|shared| shared.once = Some(once))
    }

    /// Reports waiting as this says, and sends through its gate once it is [paced](Self::paced).
    pub(crate) fn with_patience(self, patience: Arc<Patience>) -> Self {
        self.with(|shared| shared.patience = patience)
    }

    /// Names the options that hold the credentials, for the error of credentials that cannot be read again.
    pub(crate) fn with_credentials_named(self, options: String) -> Self {
        self.with(|shared| shared.credentials = options)
    }

    /// The options to renew credentials by, as errors name them.
    pub(crate) fn credentials_named(&self) -> &str {
        if self.shared.patience.can_renew() { "" } else { &self.shared.credentials }
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.shared.patience
    }

    /// Rejects names with these bytes too: the service would change them.
    #[must_use]
    pub fn without_names_of(self, rejected: ByteSet) -> Self {
        self.with(|shared| shared.rejected = rejected)
    }

    /// How many files at a time suit the service, if not as many as others: see [`Hints::lanes`].
    #[must_use]
    pub fn with_lanes(self, lanes: usize) -> Self {
        self.with(|shared| shared.lanes = lanes)
    }

    /// What OpenDAL does not say of Hadoop: it takes files piece by piece, and its listings leave the times of
    /// directories out.
    #[cfg(feature = "hdfs")]
    pub(crate) fn of_hadoop(self) -> Self {
        let checked = self.with_checks(Checks::Files);
        checked.with(|shared| (shared.takes_parts, shared.lists_dir_times) = (true, false))
    }

    /// Sends, over HTTP, by a client that keeps to the migration's limit, gives up stalled requests, and
    /// takes files of any size to services that want each in one request. What the operator sent by is
    /// not used any more; its layers are.
    #[must_use]
    pub fn paced(self) -> Self {
        let outgoing = Outgoing { gate: Arc::clone(&self.shared.patience.gate), ..Outgoing::default() };
        let client = http::client(outgoing.clone());
        let paced = self.with(|shared| shared.outgoing = Some(outgoing)).over(|_| client.clone());
        if paced.has_directories() { paced } else { paced.over(raw_keys::visible) }
    }

    /// The same tree, whose service or transport compares this.
    #[cfg(any(feature = "hdfs", feature = "s3"))]
    pub(crate) fn with_checks(self, checks: Checks) -> Self {
        self.with(|shared| shared.checks = checks)
    }

    pub(crate) fn checks(&self) -> Checks {
        self.shared.checks
    }

    /// Sends over HTTP by what `wrap` makes of the transport.
    pub(crate) fn over(self, wrap: impl Fn(HttpTransporter) -> HttpTransporter) -> Self {
        let wrapped = |operator: Operator| {
            let context = operator.base_context();
            let context = context.with_http_transport(wrap(context.http_transport().clone()));
            operator.with_context(context)
        };
        let operator = wrapped(self.operator.clone());
        Self { operator, ..self.with(|shared| shared.once = shared.once.take().map(wrapped)) }
    }

    /// Whether the bucket is known to be there, so that nobody has to ask: see [`http::Answered`].
    pub(crate) fn is_just_answered(&self) -> bool {
        !self.has_directories() && self.outgoing().is_some_and(|outgoing| outgoing.answered.is_recent())
    }

    pub(crate) fn outgoing(&self) -> Option<&Outgoing> {
        self.shared.outgoing.as_ref()
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Shared::clone(&self.shared);
        change(&mut shared);
        Self { operator: self.operator, shared: Arc::new(shared) }
    }

    /// The URL as users know it.
    pub(crate) fn shown_root(&self) -> &[u8] {
        &self.shared.root
    }

    pub(crate) fn own_identity(&self) -> Identity {
        Identity::new(self.shared.identity.clone())
    }

    pub(crate) fn lanes(&self) -> usize {
        self.shared.lanes
    }

    pub(crate) fn can(&self) -> Capability {
        self.operator.info().capability()
    }

    pub(crate) fn takes_parts(&self) -> bool {
        self.shared.takes_parts
    }

    pub(crate) fn keeps_mtime(&self) -> bool {
        self.shared.keeps_mtime
    }

    pub(crate) fn carries_object_metadata(&self) -> bool {
        self.shared.carries_object_metadata
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys { rejected: self.shared.rejected, in_folders: self.has_directories() }
    }

    /// Keeps what is sent to this limit from now on, or to none.
    pub(crate) fn pace(&self, pacing: Option<&Pacing>) {
        if let Some(outgoing) = self.outgoing() {
            outgoing.spacing.follow(pacing);
        }
    }

    /// The size of the multipart parts of a file of about `size_bytes`.
    pub(crate) fn part_bytes(&self, size_bytes: u64) -> usize {
        let can = self.can();
        if !self.takes_parts() {
            return MOST_AT_ONCE_BYTES;
        }
        let usual = multipart::part_bytes(size_bytes, can.write_multi_min_size, can.write_multi_max_size);
        // Where files are written in place, over one connection, any size will do.
        match self.outgoing().and_then(|outgoing| outgoing.spacing.piece_bytes()) {
            Some(piece) if self.has_directories() => usual.min(piece),
            _ => usual,
        }
    }

    /// How many multipart parts of a file may be in flight. Under a limit more would only take memory.
    pub(crate) fn parts_in_flight(&self, part_bytes: usize, size_bytes: u64) -> InFlight {
        let is_limited = self.outgoing().is_some_and(|outgoing| outgoing.spacing.piece_bytes().is_some());
        if is_limited || self.has_directories() {
            return InFlight::least();
        }
        self.shared.more_parts.take(part_bytes, size_bytes)
    }

    pub(crate) fn has_directories(&self) -> bool {
        self.shared.has_directories
    }

    /// Whether empty directories are created, by a marker where there are no directories.
    pub(crate) fn creates_empty_directories(&self) -> bool {
        self.has_directories() || self.shared.empty_directories
    }

    pub(crate) fn answers(&self) -> &Answers {
        &self.shared.answers
    }

    pub(crate) fn marker_support(&self) -> &Mutex<Option<MarkerSupport>> {
        &self.shared.marker_support
    }

    /// The operator that does not retry.
    pub(crate) fn once(&self) -> &Operator {
        self.shared.once.as_ref().unwrap_or(&self.operator)
    }

    /// What an object's own metadata contain.
    pub(crate) fn metadata_of(&self, theirs: &opendal::Metadata) -> Metadata {
        let stored = theirs.last_modified().and_then(timestamp);
        if theirs.mode() == EntryMode::Unknown {
            // Neither file nor directory: a special file, or a link to nowhere. It is reported, not read.
            return Metadata::new(Kind::Other, theirs.content_length(), stored.unwrap_or_default());
        }
        if !self.has_directories() && is_stub(theirs) {
            return Metadata::new(Kind::Dir, 0, Timestamp::default());
        }
        if theirs.mode() == EntryMode::DIR {
            let modified = stored.filter(|_| self.shared.lists_dir_times);
            return Metadata::new(Kind::Dir, 0, modified.unwrap_or_default());
        }
        let kept = if self.keeps_mtime() { theirs.user_metadata().and_then(mtime::find) } else { None };
        let modified = kept.or(stored).unwrap_or_default();
        // The time of storing shows whether it changed, even where its mtime was kept.
        Metadata { changed: stored, ..Metadata::new(Kind::File, theirs.content_length(), modified) }
    }

    /// What was written, as it is shown from now on.
    pub(crate) fn written(&self, size_bytes: u64, modified: Timestamp) -> Metadata {
        Metadata::new(Kind::File, size_bytes, modified)
    }
}

/// Their time as ours.
fn timestamp(theirs: opendal::raw::Timestamp) -> Option<Timestamp> {
    i64::try_from(theirs.into_inner().as_nanosecond()).ok().map(Timestamp::from_ns)
}
