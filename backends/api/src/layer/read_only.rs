//! A tree that nobody changes.

use std::sync::Arc;

use async_trait::async_trait;

use super::hook::{Hook, Outcome};
use super::hooked::Hooked;
use super::operation::Call;
use crate::{Error, ErrorKind, Result};

/// A tree of which every change fails with [`ErrorKind::ReadOnly`]; nothing of it reaches the tree within.
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
            let cause = "the tree is only to be read";
            return Err(Error::new(ErrorKind::ReadOnly, call.operation.name(), call.path, cause));
        }
        Ok(())
    }

    async fn wait(&self, _: &Call<'_>) {}

    fn done(&self, _: &Call<'_>, _: &Outcome<'_>) {}
}
