//! A writer that is tried again, and finds out what the server has when an answer was lost.

use std::sync::Arc;

use opendal::raw::{OpRead, OpStat, OpWrite, Service as _, Servicer, oio};
use opendal::{Buffer, BytesRange, Error, ErrorKind, Metadata, OperationContext, Result};

use towpath_backend::Timestamp;

use super::attempts::Attempts;
use super::shared::Patience;
use crate::mtime;

/// A writer whose requests are tried again.
pub(crate) struct PatientWriter {
    inner: oio::Writer,
    patience: Arc<Patience>,
    object: Object,
}

/// What is written, and where it can be asked for.
struct Object {
    service: Servicer,
    ctx: OperationContext,
    path: String,
    /// The mtime that is written with it.
    modified: Option<Timestamp>,
    written_bytes: u64,
}

impl PatientWriter {
    pub(super) fn new(
        inner: oio::Writer,
        patience: &Arc<Patience>,
        service: &Servicer,
        ctx: &OperationContext,
        path: &str,
        args: &OpWrite,
    ) -> Self {
        let modified = args.user_metadata().and_then(mtime::find);
        let object = Object {
            service: Arc::clone(service),
            ctx: ctx.clone(),
            path: path.to_owned(),
            modified,
            written_bytes: 0,
        };
        Self { inner, patience: Arc::clone(patience), object }
    }
}

impl Object {
    /// What the server has, if that is what was written. An object of another size or mtime is another one; without
    /// an mtime, an older version could not be distinguished.
    async fn written(&self) -> Option<Metadata> {
        let sent = self.modified?;
        let found = self.service.stat(&self.ctx, &self.path, OpStat::default()).await.ok()?.into_metadata();
        let kept = found.user_metadata().and_then(mtime::find);
        (found.content_length() == self.written_bytes && kept == Some(sent)).then_some(found)
    }
}

/// Whether an upload in parts is unknown: it was completed, or given up.
fn is_unknown_upload(error: &Error) -> bool {
    ["NoSuchUpload", "InvalidBlockList", "InvalidBlockId"].iter().any(|code| error.message().contains(code))
}

impl oio::Write for PatientWriter {
    async fn write(&mut self, content: Buffer) -> Result<()> {
        let mut attempts = Attempts::new(&self.patience);
        attempts.begin().await;
        loop {
            match oio::Write::write(&mut self.inner, content.clone()).await {
                Ok(()) => break,
                Err(error) => attempts.failed(error).await?,
            }
        }
        attempts.end();
        self.object.written_bytes += content.len() as u64;
        Ok(())
    }

    async fn copy_from(&mut self, path: &str, args: OpRead, range: BytesRange) -> Result<()> {
        self.inner.copy_from(path, args, range).await
    }

    async fn abort(&mut self) -> Result<()> {
        let mut attempts = Attempts::new(&self.patience);
        loop {
            match oio::Write::abort(&mut self.inner).await {
                Ok(()) => return Ok(()),
                // It was given up by a try whose answer was lost, or is complete.
                Err(error) if is_unknown_upload(&error) => return Ok(()),
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    async fn close(&mut self) -> Result<Metadata> {
        let mut attempts = Attempts::new(&self.patience);
        attempts.begin().await;
        loop {
            let error = match oio::Write::close(&mut self.inner).await {
                Ok(metadata) => {
                    attempts.end();
                    return Ok(metadata);
                }
                Err(error) => error,
            };
            let failed = match attempts.may_be_done && is_unknown_upload(&error) {
                // Not the server's permanent answer any more: the file is sent again.
                true => Err(Error::new(ErrorKind::Unexpected, error.message()).set_temporary()),
                false => attempts.failed(error).await,
            };
            let Err(error) = failed else { continue };
            let written = if attempts.may_be_checked() { self.object.written().await } else { None };
            return match written {
                Some(metadata) => {
                    attempts.end();
                    Ok(metadata)
                }
                None => Err(error),
            };
        }
    }
}
