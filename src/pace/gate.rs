//! The gate that all bytes pass: closed while the migration is paused.

use tokio::sync::watch;

/// Open, or closed while the migration is paused.
#[derive(Debug)]
pub(super) struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Gate {
    /// Closes or opens it; returns whether that changed anything.
    pub(super) fn set_closed(&self, closed: bool) -> bool {
        self.0.send_if_modified(|is_closed| std::mem::replace(is_closed, closed) != closed)
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it is open.
    pub(super) async fn opened(&self) {
        self.becomes(false).await;
    }

    /// Returns once it is closed.
    pub(super) async fn closed(&self) {
        self.becomes(true).await;
    }

    async fn becomes(&self, closed: bool) {
        if self.is_closed() != closed {
            // The sender outlives this borrow of it.
            let mut gate = self.0.subscribe();
            let _changed = gate.wait_for(|is_closed| *is_closed == closed).await;
        }
    }
}
