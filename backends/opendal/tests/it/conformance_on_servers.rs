//! The suite of all backends, on real servers on loopback.

use towpath_backend::conformance::{Fixture, check};
use towpath_backend::{Sink, Source};

use crate::servers::{self, Server, or_skip};

/// A folder of its own on a server.
struct Folder {
    sink: Box<dyn Sink>,
    source: Box<dyn Source>,
}

impl Fixture for Folder {
    fn sink(&self) -> &dyn Sink {
        &*self.sink
    }

    fn source(&self) -> &dyn Source {
        &*self.source
    }

    fn many(&self) -> usize {
        100
    }
}

async fn holds_on(server: Option<Server>) {
    let Some(server) = server else { return };
    let fresh = async |case: &str| {
        let (source, sink) = server.trees(case).await;
        Folder { source, sink }
    };
    let failed = check(fresh).await;
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
