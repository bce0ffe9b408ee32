//! The suite of all backends, on real servers on loopback.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use towpath_backend::conformance::{self, Fixture};
use towpath_backend::{Sink, Source, async_trait, conformance_cases};

use crate::servers::{self, Server, or_skip};

/// A folder of its own on a server.
struct Folder {
    server: Arc<Server>,
    name: String,
    sink: Box<dyn Sink>,
    source: Box<dyn Source>,
}

impl Folder {
    async fn open(server: &Arc<Server>, name: &str) -> Self {
        let (source, sink) = server.trees(name).await;
        Self { server: Arc::clone(server), name: name.to_owned(), sink, source }
    }
}

#[async_trait]
impl Fixture for Folder {
    fn sink(&self) -> &dyn Sink {
        &*self.sink
    }

    fn source(&self) -> &dyn Source {
        &*self.source
    }

    async fn reopen(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self::open(&self.server, &self.name).await))
    }

    fn many(&self) -> usize {
        100
    }
}

/// Cases at a time: most of them wait. A client of HDFS that closes a file asks the name node whether the data node has
/// reported the block, and asks again half a second later if it has not.
const AT_A_TIME: usize = 8;

type Case = fn(Folder) -> Pin<Box<dyn Future<Output = ()>>>;

macro_rules! named {
    ($($case:ident),* $(,)?) => {
        [$((stringify!($case), (|folder| Box::pin(async move { conformance::$case(&folder).await })) as Case)),*]
    };
}

/// Runs all cases, each in a folder of its own.
async fn holds_on(server: Option<Server>) {
    let Some(server) = server else { return };
    let (server, permits) = (Arc::new(server), Arc::new(Semaphore::new(AT_A_TIME)));
    let cases = LocalSet::new();
    let tasks = conformance_cases!(named).map(|(name, run)| {
        let (server, permits) = (Arc::clone(&server), Arc::clone(&permits));
        let task = cases.spawn_local(async move {
            let _permit = permits.acquire().await.unwrap();
            run(Folder::open(&server, name).await).await;
        });
        (name, task)
    });
    cases.await;
    let mut failed = Vec::new();
    for (name, task) in tasks {
        failed.extend(task.await.err().map(|problem| format!("{name}: {problem}")));
    }
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}

#[tokio::test]
async fn the_suite_holds_on_s3() {
    holds_on(or_skip(servers::s3())).await;
}

#[tokio::test]
async fn the_suite_holds_on_azure_blob_storage() {
    holds_on(or_skip(servers::azblob())).await;
}

#[tokio::test]
async fn the_suite_holds_on_google_cloud_storage() {
    holds_on(or_skip(servers::gcs())).await;
}

#[tokio::test]
async fn the_suite_holds_on_webdav() {
    holds_on(or_skip(servers::webdav())).await;
}

#[tokio::test]
async fn the_suite_holds_on_webdav_by_dufs() {
    holds_on(or_skip(servers::dufs())).await;
}

#[tokio::test]
async fn the_suite_holds_on_webdav_by_rclone() {
    holds_on(or_skip(servers::rclone())).await;
}

#[tokio::test]
async fn the_suite_holds_on_sftp() {
    holds_on(or_skip(servers::sftp())).await;
}

#[tokio::test]
async fn the_suite_holds_on_sftp_with_links() {
    holds_on(or_skip(servers::sftp_with_links())).await;
}

#[tokio::test]
async fn the_suite_holds_on_hdfs() {
    holds_on(or_skip(servers::hdfs())).await;
}
