//! The layer that attempts operations again, in place of OpenDAL's: it knows how to wait, and finds out whether an operation
//! whose answer was lost has taken effect.

use std::sync::Arc;

use opendal::options::ListOptions;
use opendal::raw::{
    Layer, OpCopy, OpCreateDir, OpList, OpPresign, OpRead, OpRename, OpRestore, OpStat, OpWrite, RpCreateDir,
    RpPresign, RpRename, RpRestore, RpStat, Service, ServiceInfo, Servicer, oio,
};
use opendal::{Capability, ErrorKind, OperationContext, Result};

use super::attempts::Attempts;
use super::shared::Patience;
use super::streams::{PatientDeleter, PatientLister, PatientReader};
use super::writer::PatientWriter;
use crate::http::{Answer, Class};

/// Attempts operations again as [`Patience`] allows.
#[derive(Debug)]
pub(crate) struct PatientLayer(pub(crate) Arc<Patience>);

impl Layer for PatientLayer {
    fn apply_service(&self, inner: Servicer) -> Servicer {
        Arc::new(PatientService { inner, patience: Arc::clone(&self.0) })
    }
}

#[derive(Debug)]
struct PatientService {
    inner: Servicer,
    patience: Arc<Patience>,
}

impl PatientService {
    /// Why a `HEAD` request failed, whose answer has no body: another request to the same service has one.
    async fn explained(&self, ctx: &OperationContext, error: opendal::Error) -> opendal::Error {
        let Some(answer) = Answer::of_error(&error).filter(|answer| answer.class == Class::Unexplained) else {
            return error;
        };
        if answer.status == 403 && !self.patience.may_explain() {
            return error;
        }
        let Ok(mut lister) = self.inner.list(ctx, "/", ListOptions { limit: Some(1), ..ListOptions::default() }.into())
        else {
            return error;
        };
        match oio::List::next(&mut lister).await {
            Err(explanation) if Answer::of_error(&explanation).is_some() => explanation,
            _ => {
                self.patience.explained();
                error
            }
        }
    }
}

impl PatientService {
    /// Whether the server has a directory of this name.
    async fn is_dir(&self, ctx: &OperationContext, path: &str) -> bool {
        let found = self.inner.stat(ctx, path, OpStat::default()).await;
        found.is_ok_and(|found| found.into_metadata().is_dir())
    }
}

impl Service for PatientService {
    type Reader = PatientReader;
    type Writer = PatientWriter;
    type Lister = PatientLister;
    type Deleter = PatientDeleter;
    type Copier = oio::Copier;
    type Composer = oio::Composer;

    fn info(&self) -> ServiceInfo {
        self.inner.info()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn create_dir(&self, ctx: &OperationContext, path: &str, args: OpCreateDir) -> Result<RpCreateDir> {
        let mut attempts = Attempts::new(&self.patience);
        attempts.begin().await;
        loop {
            match self.inner.create_dir(ctx, path, args.clone()).await {
                Err(error) if attempts.may_be_done && error.kind() == ErrorKind::AlreadyExists => {
                    attempts.end();
                    return Ok(RpCreateDir::default());
                }
                Err(error) => match attempts.failed(error).await {
                    Err(_) if attempts.may_be_checked() && self.is_dir(ctx, path).await => {
                        attempts.end();
                        return Ok(RpCreateDir::default());
                    }
                    again => again?,
                },
                Ok(created) => {
                    attempts.end();
                    return Ok(created);
                }
            }
        }
    }

    async fn stat(&self, ctx: &OperationContext, path: &str, args: OpStat) -> Result<RpStat> {
        let mut attempts = Attempts::new(&self.patience);
        attempts.begin().await;
        loop {
            match self.inner.stat(ctx, path, args.clone()).await {
                Err(error) => attempts.failed(self.explained(ctx, error).await).await?,
                Ok(found) => {
                    attempts.end();
                    return Ok(found);
                }
            }
        }
    }

    fn read(&self, ctx: &OperationContext, path: &str, args: OpRead) -> Result<Self::Reader> {
        Ok(PatientReader::new(self.inner.read(ctx, path, args)?, &self.patience))
    }

    fn write(&self, ctx: &OperationContext, path: &str, args: OpWrite) -> Result<Self::Writer> {
        let writer = self.inner.write(ctx, path, args.clone())?;
        Ok(PatientWriter::new(writer, &self.patience, &self.inner, ctx, path, &args))
    }

    fn delete(&self, ctx: &OperationContext) -> Result<Self::Deleter> {
        Ok(PatientDeleter::new(self.inner.delete(ctx)?, &self.patience, &self.inner, ctx))
    }

    fn list(&self, ctx: &OperationContext, path: &str, args: OpList) -> Result<Self::Lister> {
        Ok(PatientLister::new(self.inner.list(ctx, path, args)?, &self.patience))
    }

    // What Towpath does not use is passed on as it is.

    fn copy(&self, ctx: &OperationContext, from: &str, to: &str, args: OpCopy) -> Result<Self::Copier> {
        self.inner.copy(ctx, from, to, args)
    }

    async fn rename(&self, ctx: &OperationContext, from: &str, to: &str, args: OpRename) -> Result<RpRename> {
        self.inner.rename(ctx, from, to, args).await
    }

    async fn restore(&self, ctx: &OperationContext, path: &str, args: OpRestore) -> Result<RpRestore> {
        self.inner.restore(ctx, path, args).await
    }

    async fn presign(&self, ctx: &OperationContext, path: &str, args: OpPresign) -> Result<RpPresign> {
        self.inner.presign(ctx, path, args).await
    }
}
