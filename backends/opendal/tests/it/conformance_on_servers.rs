//! The suite of all backends, on real servers on loopback.

use std::sync::Arc;

use towpath_backend::conformance::{Fixture, check};
use towpath_backend::{Sink, Source, async_trait};

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

async fn holds_on(server: Option<Server>) {
    let Some(server) = server else { return };
    let server = Arc::new(server);
    let failed = check(async |case: &str| Folder::open(&server, case).await).await;
    let failed: Vec<_> = failed.iter().map(|failed| format!("{}: {}", failed.case, failed.problem)).collect();
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
