//! What a server has of a file that was just written.
//!
//! An answer of success says that a server took something. Before a file counts as written, what the server has is
//! compared with what was sent:
//!
//! - by the MD5 that the answer names: Google and Azure for files in one request; S3, where the transport has done so;
//! - else by the length that a stat finds: WebDAV, files in parts, and S3 without checksums.
//!
//! HDFS has checksums for each packet, which its client sends.

use opendal::Buffer;
use towpath_backend::{Error, ErrorKind, RelPath, Result};

use crate::checksum::{Mismatch, is_md5_of};
use crate::error;
use crate::handle::{Checks, OpendalTree};

/// A file that was written.
pub(crate) struct Sent<'a> {
    pub(crate) operation: &'static str,
    pub(crate) path: &'a RelPath,
    pub(crate) key: &'a str,
    pub(crate) size_bytes: u64,
    /// All of it, if it was one request from memory.
    pub(crate) content: Option<Buffer>,
}

impl OpendalTree {
    /// Compares what the server has with what was sent, by the answer to the last request for it.
    pub(crate) async fn verify(&self, sent: &Sent<'_>, answer: opendal::Result<opendal::Metadata>) -> Result<()> {
        let stored = match &answer {
            Ok(answer) => self.stored(sent, answer).await?,
            Err(problem) if sent.content.is_some() && Mismatch::is_cause_of(problem) => {
                Stored::Else(Mismatch.to_string())
            }
            Err(problem) => return Err(sent.failed(problem)),
        };
        self.keep_or_remove(sent, stored).await
    }

    /// Compares the length of what the server has with that of what was sent.
    pub(crate) async fn verify_length(&self, sent: &Sent<'_>) -> Result<()> {
        let stored = self.stored_length(sent).await?;
        self.keep_or_remove(sent, stored).await
    }

    /// Removes what is something else: its size and time may be those of the file.
    async fn keep_or_remove(&self, sent: &Sent<'_>, stored: Stored) -> Result<()> {
        let Stored::Else(cause) = stored else { return Ok(()) };
        let _best_effort = self.operator.delete(sent.key).await;
        Err(Error::new(ErrorKind::Other, sent.operation, sent.path, cause))
    }

    async fn stored(&self, sent: &Sent<'_>, answer: &opendal::Metadata) -> Result<Stored> {
        let md5 = answer.content_md5().filter(|md5| !md5.is_empty());
        match (self.checks(), md5, &sent.content) {
            (Checks::Files, _, _) | (Checks::Requests, _, Some(_)) => Ok(Stored::Same),
            (Checks::None, Some(md5), Some(content)) => match is_md5_of(md5, content.clone()).await {
                Ok(true) => Ok(Stored::Same),
                Ok(false) => Ok(Stored::Else(Mismatch.to_string())),
                Err(problem) => Err(sent.failed(&problem)),
            },
            _ => self.stored_length(sent).await,
        }
    }

    async fn stored_length(&self, sent: &Sent<'_>) -> Result<Stored> {
        match self.operator.stat(sent.key).await {
            Ok(found) if found.content_length() == sent.size_bytes => Ok(Stored::Same),
            Ok(found) => Ok(Stored::Else(format!(
                "the server stored something else: {} bytes of {}",
                found.content_length(),
                sent.size_bytes
            ))),
            // Who may write may not be allowed to read.
            Err(problem) if problem.kind() == opendal::ErrorKind::PermissionDenied => Ok(Stored::Same),
            Err(problem) if problem.kind() == opendal::ErrorKind::NotFound => {
                Ok(Stored::Else("the server accepted it, and does not have it".to_owned()))
            }
            Err(problem) => Err(sent.failed(&problem)),
        }
    }
}

impl Sent<'_> {
    fn failed(&self, problem: &opendal::Error) -> Error {
        error::of(self.operation, self.path, problem)
    }
}

/// What the server has.
enum Stored {
    Same,
    Else(String),
}
