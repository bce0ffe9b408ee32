//! A tree over an OpenDAL operator: what source and sink share.

use std::sync::Arc;

use opendal::options::ListOptions;
use opendal::{Capability, EntryMode, Operator};
use tokio_stream::StreamExt as _;
use towpath_backend::{
    ByteSet, Capabilities, EntryStream, Error, ErrorKind, Identity, Kind, Metadata, Pacing, ReadOptions, RelPath,
    Result, Timestamp, Tree, async_trait,
};

use crate::http::Outgoing;
use crate::markers::Markers;
use crate::names::Keys;
use crate::{error, http, listing, mtime, part_size};

/// The largest file where all of it travels in one request, from memory.
pub(crate) const MOST_AT_ONCE_BYTES: usize = 512 << 20;

/// A tree in a storage that OpenDAL reaches, as source and sink. Clones show the same tree.
#[derive(Clone, Debug)]
pub struct OpendalTree {
    pub(crate) operator: Operator,
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
struct Shared {
    root: Vec<u8>,
    identity: String,
    keeps_mtime: bool,
    has_directories: bool,
    /// Whether empty directories are created.
    empty_directories: bool,
    markers: Arc<Markers>,
    /// The operator without another try of what failed, if there is one.
    once: Option<Operator>,
    /// Whether a file may be written in any number of parts.
    takes_parts: bool,
    lists_dir_times: bool,
    refused: ByteSet,
    lanes: usize,
    /// How the client is told, if it is ours.
    outgoing: Option<Outgoing>,
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
        // The service's own: OpenDAL makes directories of empty objects for those that have none.
        let (can, root) = (operator.base_service().capability_dyn(), root.into());
        let identity = format!("{}:{root}", info.scheme());
        let shared = Shared {
            root: root.into_bytes(),
            identity,
            keeps_mtime: can.write_with_user_metadata,
            has_directories: can.create_dir,
            empty_directories: true,
            markers: Arc::default(),
            once: None,
            takes_parts: can.write_can_multi,
            lists_dir_times: true,
            refused: ByteSet::EMPTY,
            lanes: Capabilities::PLAIN.lanes,
            outgoing: None,
        };
        Self { operator, shared: Arc::new(shared) }
    }

    /// The same tree of another identity: the server belongs to it where the URL names only a bucket.
    #[must_use]
    pub fn with_identity(self, identity: impl Into<String>) -> Self {
        self.with(|shared| shared.identity = identity.into())
    }

    /// Neither writes nor looks for mtimes: only sizes tell whether a file is in sync.
    /// For servers that do not keep user metadata, or where a request for each object is too much.
    #[must_use]
    pub fn without_mtimes(self) -> Self {
        self.with(|shared| shared.keeps_mtime = false)
    }

    /// Creates no empty directories, where directories are there by what is in them.
    #[must_use]
    pub fn without_empty_directories(self) -> Self {
        self.with(|shared| shared.empty_directories = false)
    }

    /// Sends by `once` what is not to be tried again by itself.
    pub(crate) fn trying_once_by(self, once: Operator) -> Self {
        self.with(|shared| shared.once = Some(once))
    }

    /// Refuses names with these bytes too: the service would make others of them.
    #[must_use]
    pub fn without_names_of(self, refused: ByteSet) -> Self {
        self.with(|shared| shared.refused = refused)
    }

    /// How many files at a time suit the service, if not as many as others: see [`Capabilities::lanes`].
    #[must_use]
    pub fn with_lanes(self, lanes: usize) -> Self {
        self.with(|shared| shared.lanes = lanes)
    }

    /// What OpenDAL does not say of Hadoop: it takes files piece by piece, and its listings leave the times of
    /// directories out.
    #[cfg(feature = "hdfs")]
    pub(crate) fn of_hadoop(self) -> Self {
        self.with(|shared| (shared.takes_parts, shared.lists_dir_times) = (true, false))
    }

    /// Sends, over HTTP, by a client that keeps to the migration's limit, gives up what stands still, and
    /// takes files of any size to services that want each in one request. What the operator sent by is
    /// not used any more; its layers are.
    #[must_use]
    pub fn paced(self) -> Self {
        let outgoing = Outgoing::default();
        let context = self.operator.base_context().with_http_transport(http::client(outgoing.clone()));
        let operator = self.operator.clone().with_context(context.clone());
        let paced = self.with(|shared| {
            shared.outgoing = Some(outgoing);
            shared.once = shared.once.take().map(|once| once.with_context(context));
        });
        Self { operator, ..paced }
    }

    pub(crate) fn outgoing(&self) -> Option<&Outgoing> {
        self.shared.outgoing.as_ref()
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Shared::clone(&self.shared);
        change(&mut shared);
        Self { operator: self.operator, shared: Arc::new(shared) }
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

    pub(crate) fn keys(&self) -> Keys {
        Keys { refused: self.shared.refused, in_folders: self.has_directories() }
    }

    /// Keeps what is sent to this limit from now on, or to none.
    pub(crate) fn pace(&self, pacing: Option<&Pacing>) {
        if let Some(outgoing) = self.outgoing() {
            outgoing.spacing.follow(pacing);
        }
    }

    /// The size of the parts of a file of about `size_bytes`.
    pub(crate) fn part_bytes(&self, size_bytes: u64) -> usize {
        let can = self.can();
        if !self.takes_parts() {
            return MOST_AT_ONCE_BYTES;
        }
        let usual = part_size::part_bytes(size_bytes, can.write_multi_min_size, can.write_multi_max_size);
        // Where files are written in place, over one connection, any size will do.
        match self.outgoing().and_then(|outgoing| outgoing.spacing.piece_bytes()) {
            Some(piece) if self.has_directories() => usual.min(piece),
            _ => usual,
        }
    }

    pub(crate) fn has_directories(&self) -> bool {
        self.shared.has_directories
    }

    /// Whether empty directories are created, by a marker where there are no directories.
    pub(crate) fn creates_empty_directories(&self) -> bool {
        self.has_directories() || self.shared.empty_directories
    }

    pub(crate) fn markers(&self) -> &Markers {
        &self.shared.markers
    }

    /// The operator that tries once.
    pub(crate) fn once(&self) -> &Operator {
        self.shared.once.as_ref().unwrap_or(&self.operator)
    }

    /// What an object's own metadata say.
    pub(crate) fn metadata_of(&self, theirs: &opendal::Metadata) -> Metadata {
        let stored = theirs.last_modified().and_then(timestamp);
        if theirs.mode() == EntryMode::Unknown {
            // Neither file nor directory: a special file, or a link to nowhere. It is reported, not read.
            return Metadata::new(Kind::Other, theirs.content_length(), stored.unwrap_or_default());
        }
        if theirs.mode() == EntryMode::DIR {
            let told = stored.filter(|_| self.shared.lists_dir_times);
            return Metadata::new(Kind::Dir, 0, told.unwrap_or_default());
        }
        let kept = if self.keeps_mtime() { theirs.user_metadata().and_then(mtime::find) } else { None };
        let modified = kept.or(stored).unwrap_or_default();
        // When it was stored tells whether it changed, even where its mtime was kept.
        Metadata { changed: stored, ..Metadata::new(Kind::File, theirs.content_length(), modified) }
    }

    /// The object of this name, if it is a file.
    pub(crate) async fn stat_file(&self, operation: &'static str, path: &RelPath) -> Result<Metadata> {
        let key = self.keys().file(operation, path)?;
        match self.operator.stat(&key).await {
            Ok(found) => Ok(self.metadata_of(&found)),
            Err(problem) => Err(self.or_absent(error::of(operation, path, &problem), path.parent()).await),
        }
    }

    /// The error of a look at what should lie below `dir`: that it is not there, if `dir` or one above
    /// it is a file. Some servers do not say that nothing is below a file, but that they do not
    /// understand who asks (Apache).
    pub(crate) async fn or_absent(&self, error: Error, dir: Option<RelPath>) -> Error {
        if error.kind() != ErrorKind::Other || !self.leads_to_a_file(dir).await {
            return error;
        }
        Error::new(ErrorKind::NotFound, error.operation(), error.path(), "a file is in the middle of the path")
    }

    /// Whether a file is at this path or above it, where there are directories.
    async fn leads_to_a_file(&self, mut at: Option<RelPath>) -> bool {
        while let Some(path) = at.filter(|path| self.has_directories() && !path.is_root()) {
            if let Ok(key) = self.keys().file("stat", &path)
                && let Ok(found) = self.operator.stat(&key).await
            {
                return !found.is_dir();
            }
            at = path.parent();
        }
        false
    }

    /// Whether anything is there to be read. A root that holds nothing is none, where it is not
    /// an object itself: a prefix that was mistyped looks like that.
    pub(crate) async fn is_there(&self) -> Result<bool> {
        const OPERATION: &str = "open";
        let root = RelPath::root();
        if self.has_directories() {
            return self.is_directory(OPERATION, &root).await;
        }
        let problem = |problem: &opendal::Error| error::of(OPERATION, &root, problem);
        let mut lister = self.operator.lister_options("/", self.any_one()).await.map_err(|error| problem(&error))?;
        match lister.next().await {
            None => Ok(false),
            Some(found) => found.map(|_| true).map_err(|error| problem(&error)),
        }
    }

    /// Asks for one name below a key, whichever. Where names are only prefixes, for one of all
    /// below it: a server that has to put them together first looks at many of them.
    fn any_one(&self) -> ListOptions {
        let recursive = !self.has_directories() && self.can().list_with_recursive;
        ListOptions { limit: Some(1), recursive, ..ListOptions::default() }
    }

    /// Makes the folder that is the root, and those above it, where there are folders.
    pub(crate) async fn make_root(&self) -> Result<()> {
        if !self.has_directories() {
            return Ok(());
        }
        let made = self.operator.create_dir("/").await;
        made.map_err(|problem| error::of("create directory", &RelPath::root(), &problem))
    }

    /// Whether there is a directory of this name: itself, or something in it.
    pub(crate) async fn is_directory(&self, operation: &'static str, path: &RelPath) -> Result<bool> {
        let key = self.keys().directory(operation, path)?;
        let problem = |problem: &opendal::Error| error::of(operation, path, problem);
        // OpenDAL says of every root that it is there.
        if self.has_directories() && !path.is_root() {
            return match self.operator.stat(&key).await {
                Ok(found) => Ok(found.is_dir()),
                Err(error) => match self.or_absent(problem(&error), Some(path.clone())).await {
                    error if error.kind() == ErrorKind::NotFound => Ok(false),
                    error => Err(error),
                },
            };
        }
        let mut lister = self.operator.lister_options(&key, self.any_one()).await.map_err(|error| problem(&error))?;
        match lister.next().await {
            None => Ok(path.is_root()),
            Some(Ok(_)) => Ok(true),
            Some(Err(error)) if problem(&error).kind() == ErrorKind::NotFound => Ok(false),
            Some(Err(error)) => Err(problem(&error)),
        }
    }
}

/// Their time as ours.
pub(crate) fn timestamp(theirs: opendal::raw::Timestamp) -> Option<Timestamp> {
    i64::try_from(theirs.into_inner().as_nanosecond()).ok().map(Timestamp::from_ns)
}

#[async_trait]
impl Tree for OpendalTree {
    fn root(&self) -> &[u8] {
        &self.shared.root
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            sets_mtime: self.keeps_mtime(),
            names: self.keys().rules(),
            implied_directories: !self.has_directories(),
            empty_directories: self.creates_empty_directories(),
            probes: true,
            // OpenDAL refuses an answer that is shorter than what was asked for.
            exact_sizes: true,
            lanes: self.shared.lanes,
            ..Capabilities::PLAIN
        }
    }

    /// Looks whether the storage answers: a bucket that is gone is not an empty one.
    async fn identity(&self) -> Result<Identity> {
        self.is_directory("stat", &RelPath::root()).await?;
        Ok(Identity::new(self.shared.identity.clone()))
    }

    async fn read_dir(&self, dir: &RelPath, _: &ReadOptions) -> Result<EntryStream> {
        listing::open(self, dir).await
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        const OPERATION: &str = "stat";
        if !path.is_root() {
            match self.stat_file(OPERATION, path).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                result => return result,
            }
        }
        if self.is_directory(OPERATION, path).await? {
            return Ok(Metadata::new(Kind::Dir, 0, Timestamp::default()));
        }
        Err(Error::new(ErrorKind::NotFound, OPERATION, path, "there is no such object, and nothing below it"))
    }
}

#[cfg(test)]
#[cfg(feature = "s3")]
mod tests {
    use super::*;
    use opendal::services::S3;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    /// A bucket with one object, whose server tells what the first request was for.
    fn bucket() -> (OpendalTree, std::thread::JoinHandle<String>) {
        let listing = "<ListBucketResult><Contents><Key>dir/a/b</Key><Size>1</Size>\
                       <LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>";
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = S3::default()
            .bucket("bucket")
            .region("here")
            .endpoint(&format!("http://{}", server.local_addr().unwrap()))
            .access_key_id("id")
            .secret_access_key("key");
        let first = std::thread::spawn(move || {
            let mut connection = BufReader::new(server.accept().unwrap().0);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(connection.read_line(&mut head).unwrap(), 0);
            }
            let length = listing.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{listing}");
            connection.get_mut().write_all(answer.as_bytes()).unwrap();
            head.lines().next().unwrap().to_owned()
        });
        (OpendalTree::new(Operator::new(service).unwrap(), "s3://bucket").paced(), first)
    }

    #[tokio::test]
    async fn whether_a_directory_is_there_is_asked_for_one_object_of_all_below_it() {
        let (tree, first) = bucket();
        let path = RelPath::new(b"dir").unwrap();
        assert!(tree.is_directory("stat", &path).await.unwrap());
        let asked = first.join().unwrap();
        assert!(asked.contains("prefix=dir/") || asked.contains("prefix=dir%2F"), "{asked}");
        assert!(asked.contains("max-keys=1") && !asked.contains("delimiter"), "{asked}");
    }
}
