//! Readers, listings and deletions that are tried again.

use std::sync::Arc;

use opendal::raw::{OpDelete, RpRead, oio};
use opendal::{Buffer, BytesRange, ErrorKind, Result};

use super::attempts::Attempts;
use super::shared::Patience;

/// A reader whose requests are tried again.
pub(crate) struct PatientReader {
    inner: Arc<oio::Reader>,
    patience: Arc<Patience>,
}

impl PatientReader {
    pub(super) fn new(inner: oio::Reader, patience: &Arc<Patience>) -> Self {
        Self { inner: Arc::new(inner), patience: Arc::clone(patience) }
    }
}

impl oio::Read for PatientReader {
    async fn open(&self, range: BytesRange) -> Result<(RpRead, Box<dyn oio::ReadStreamDyn>)> {
        let mut attempts = Attempts::new(&self.patience);
        attempts.begin().await;
        let (answer, stream) = loop {
            match self.inner.open(range).await {
                Ok(opened) => break opened,
                Err(error) => attempts.failed(error).await?,
            }
        };
        attempts.end();
        let (reader, patience) = (Arc::clone(&self.inner), Arc::clone(&self.patience));
        Ok((answer, Box::new(PatientStream { reader, patience, stream: Some(stream), range })))
    }

    async fn read(&self, range: BytesRange) -> Result<(RpRead, Buffer)> {
        let mut attempts = Attempts::new(&self.patience);
        attempts.begin().await;
        loop {
            match self.inner.read(range).await {
                Ok(read) => {
                    attempts.end();
                    return Ok(read);
                }
                Err(error) => attempts.failed(error).await?,
            }
        }
    }
}

/// A content that is read on where it broke off.
struct PatientStream {
    reader: Arc<oio::Reader>,
    patience: Arc<Patience>,
    stream: Option<Box<dyn oio::ReadStreamDyn>>,
    /// What was not read yet.
    range: BytesRange,
}

impl PatientStream {
    async fn read_once(&mut self) -> Result<Buffer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => oio::Read::open(&*self.reader, self.range).await?.1,
        };
        let piece = oio::ReadStream::read(&mut stream).await?;
        self.range.advance(piece.len() as u64);
        self.stream = Some(stream);
        Ok(piece)
    }
}

impl oio::ReadStream for PatientStream {
    async fn read(&mut self) -> Result<Buffer> {
        let mut attempts = Attempts::new(&self.patience);
        loop {
            match self.read_once().await {
                Ok(piece) => {
                    attempts.end();
                    return Ok(piece);
                }
                Err(error) => attempts.failed(error).await?,
            }
        }
    }
}

/// A listing whose pages are asked for again.
pub(crate) struct PatientLister {
    inner: oio::Lister,
    patience: Arc<Patience>,
}

impl PatientLister {
    pub(super) fn new(inner: oio::Lister, patience: &Arc<Patience>) -> Self {
        Self { inner, patience: Arc::clone(patience) }
    }
}

impl oio::List for PatientLister {
    async fn next(&mut self) -> Result<Option<oio::Entry>> {
        let mut attempts = Attempts::new(&self.patience);
        loop {
            match oio::List::next(&mut self.inner).await {
                Ok(entry) => {
                    attempts.end();
                    return Ok(entry);
                }
                Err(error) => attempts.failed(error).await?,
            }
        }
    }
}

/// Deletions that are tried again.
pub(crate) struct PatientDeleter {
    inner: oio::Deleter,
    patience: Arc<Patience>,
}

impl PatientDeleter {
    pub(super) fn new(inner: oio::Deleter, patience: &Arc<Patience>) -> Self {
        Self { inner, patience: Arc::clone(patience) }
    }
}

/// Whether this error says that an earlier try, whose answer was lost, has deleted it.
fn is_deleted(attempts: &Attempts, error: &opendal::Error) -> bool {
    attempts.may_be_done && error.kind() == ErrorKind::NotFound
}

impl oio::Delete for PatientDeleter {
    async fn delete(&mut self, path: &str, args: OpDelete) -> Result<()> {
        let mut attempts = Attempts::new(&self.patience);
        attempts.begin().await;
        loop {
            match oio::Delete::delete(&mut self.inner, path, args.clone()).await {
                Err(error) if !is_deleted(&attempts, &error) => attempts.failed(error).await?,
                Ok(()) | Err(_) => {
                    attempts.end();
                    return Ok(());
                }
            }
        }
    }

    async fn close(&mut self) -> Result<()> {
        let mut attempts = Attempts::new(&self.patience);
        attempts.begin().await;
        loop {
            match oio::Delete::close(&mut self.inner).await {
                Err(error) if !is_deleted(&attempts, &error) => attempts.failed(error).await?,
                Ok(()) | Err(_) => {
                    attempts.end();
                    return Ok(());
                }
            }
        }
    }
}
