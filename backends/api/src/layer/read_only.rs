//! A tree that cannot be changed.

use std::sync::Arc;

use async_trait::async_trait;

use super::hook::{Hook, Outcome};
use super::hooked::Hooked;
use super::operation::Call;
use crate::{Error, ErrorKind, Result};

/// A tree on which every change fails with [`ErrorKind::ReadOnly`], before it reaches the inner tree.
pub type ReadOnly<T> = Hooked<T, Reject>;

/// The hook of [`ReadOnly`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Reject;

impl<T> ReadOnly<T> {
    /// Protects `inner`.
    pub fn new(inner: T) -> Self {
        Self::around(inner, Arc::new(Reject))
    }
}

#[async_trait]
impl Hook for Reject {
    fn reject(&self, call: &Call<'_>) -> Result<()> {
        if call.operation.changes() {
            let cause = "the tree is read-only";
            return Err(Error::new(ErrorKind::ReadOnly, call.operation.name(), call.path, cause));
        }
        Ok(())
    }

    async fn wait(&self, _: &Call<'_>) {}

    fn done(&self, _: &Call<'_>, _: &Outcome<'_>) {}
}
