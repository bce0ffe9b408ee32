//! Readers, listings and deletions that are tried again.

use std::sync::Arc;

use opendal::raw::{OpDelete, OpStat, RpRead, Service as _, Servicer, oio};
use opendal::{Buffer, BytesRange, Error, OperationContext, Result};

use super::attempts::Attempts;
use super::shared::Patience;
use crate::error;

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
    service: Servicer,
    ctx: OperationContext,
    /// What is deleted.
    paths: Vec<String>,
}

impl PatientDeleter {
    pub(super) fn new(
        inner: oio::Deleter,
        patience: &Arc<Patience>,
        service: &Servicer,
        ctx: &OperationContext,
    ) -> Self {
        let (patience, service) = (Arc::clone(patience), Arc::clone(service));
        Self { inner, patience, service, ctx: ctx.clone(), paths: Vec::new() }
    }

    /// What to make of an error: nothing, if an earlier try has deleted it all the same.
    async fn failed(&self, attempts: &mut Attempts, error: Error) -> Result<Tried> {
        // A missing bucket is no such answer.
        if attempts.may_be_done && error::is_missing(&error) {
            return Ok(Tried::Done);
        }
        match attempts.failed(error).await {
            Ok(()) => Ok(Tried::Again),
            Err(_) if attempts.may_be_checked() && self.are_gone().await => Ok(Tried::Done),
            Err(error) => Err(error),
        }
    }

    async fn are_gone(&self) -> bool {
        for path in &self.paths {
            let found = self.service.stat(&self.ctx, path, OpStat::default()).await;
            if !found.is_err_and(|error| error::is_missing(&error)) {
                return false;
            }
        }
        true
    }
}

/// What a failed try has done.
enum Tried {
    Done,
    Again,
}

impl oio::Delete for PatientDeleter {
    async fn delete(&mut self, path: &str, args: OpDelete) -> Result<()> {
        self.paths.push(path.to_owned());
        let mut attempts = Attempts::new(&self.patience);
        attempts.begin().await;
        loop {
            let tried = match oio::Delete::delete(&mut self.inner, path, args.clone()).await {
                Ok(()) => Tried::Done,
                Err(error) => self.failed(&mut attempts, error).await?,
            };
            if matches!(tried, Tried::Done) {
                attempts.end();
                return Ok(());
            }
        }
    }

    async fn close(&mut self) -> Result<()> {
        let mut attempts = Attempts::new(&self.patience);
        attempts.begin().await;
        loop {
            let tried = match oio::Delete::close(&mut self.inner).await {
                Ok(()) => Tried::Done,
                Err(error) => self.failed(&mut attempts, error).await?,
            };
            if matches!(tried, Tried::Done) {
                attempts.end();
                return Ok(());
            }
        }
    }
}
