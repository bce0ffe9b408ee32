//! Questions about one name: what has it, if anything has.

use opendal::options::ListOptions;
use tokio_stream::StreamExt as _;
use towpath_backend::{Error, ErrorKind, Kind, Metadata, RelPath, Result};

use crate::error;
use crate::file_stat::Stat;
use crate::handle::OpendalTree;

/// Why a name cannot be a file or directory.
pub(crate) const IS_BOTH: &str =
    "there are an object of this name and objects below it, and a tree holds only one of a name: rename one";

/// The error of an operation that is not for directories.
pub(crate) fn is_a_directory(operation: &'static str, path: &RelPath) -> Error {
    Error::new(ErrorKind::IsADirectory, operation, path, "is a directory")
}

impl OpendalTree {
    /// The file of this name; a directory is none.
    pub(crate) async fn file(&self, operation: &'static str, path: &RelPath) -> Result<Stat> {
        if path.is_root() {
            return Err(is_a_directory(operation, path));
        }
        match self.stat_object(operation, path).await {
            Ok(stat) if stat.metadata.kind == Kind::Dir => Err(is_a_directory(operation, path)),
            Ok(stat) if stat.metadata.kind != Kind::File => {
                let cause = format!("a {} is not read", stat.metadata.kind);
                Err(Error::new(ErrorKind::Unsupported, operation, path, cause))
            }
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_directory(operation, path).await? => {
                Err(is_a_directory(operation, path))
            }
            result => result,
        }
    }

    /// The object of this name, and whether there is a directory of it, where a store may have both: asked for at the same
    /// time, as a file needs both answers, and a missing one, too.
    pub(crate) async fn object_and_directory(
        &self,
        operation: &'static str,
        path: &RelPath,
    ) -> (Result<Metadata>, Result<bool>) {
        tokio::join!(self.stat_file(operation, path), self.is_directory(operation, path))
    }

    /// The object of this name, if it is a file.
    pub(crate) async fn stat_file(&self, operation: &'static str, path: &RelPath) -> Result<Metadata> {
        Ok(self.stat_object(operation, path).await?.metadata)
    }

    /// The same, with all that the server says.
    pub(crate) async fn stat_object(&self, operation: &'static str, path: &RelPath) -> Result<Stat> {
        let key = self.keys().file(operation, path)?;
        match self.operator.stat(&key).await {
            Ok(found) => Ok(Stat::of(self, found)),
            Err(problem) => Err(self.or_absent(error::of(operation, path, &problem), path.parent()).await),
        }
    }

    /// The error of a stat of what should lie below `dir`: that it is not there, if `dir` or one above
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
    /// an object itself: a mistyped prefix is such a case.
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

    /// Requests any one name below a key. Where names are only prefixes, for one of all
    /// below it: a server that assembles them first reads many of them.
    fn any_one(&self) -> ListOptions {
        let recursive = !self.has_directories() && self.can().list_with_recursive;
        ListOptions { limit: Some(1), recursive, ..ListOptions::default() }
    }

    /// Creates the folder that is the root, and those above it, where there are folders.
    pub(crate) async fn create_root(&self) -> Result<()> {
        if !self.has_directories() {
            return Ok(());
        }
        let created = self.operator.create_dir("/").await;
        created.map_err(|problem| error::of("create directory", &RelPath::root(), &problem))
    }

    /// Whether there is a directory of this name: itself, or something in it.
    pub(crate) async fn is_directory(&self, operation: &'static str, path: &RelPath) -> Result<bool> {
        let key = self.keys().directory(operation, path)?;
        let problem = |problem: &opendal::Error| error::of(operation, path, problem);
        // OpenDAL reports every root as existing.
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

#[cfg(test)]
#[cfg(feature = "s3")]
mod tests {
    use super::*;
    use opendal::Operator;
    use opendal::services::S3;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    /// A bucket with one object, whose server reports the first request.
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
