//! Steers a migration while it runs: pauses it, changes its limit, stops it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::stopper::Stopper;
use crate::error::UsageError;
use crate::event::SteerAction;
use crate::options::Bandwidth;
use crate::pace::Paces;
use crate::progress::Progress;

/// What a [`Control`] did that the engine has not recorded yet. When that many wait, further ones take effect, too, but
/// are recorded nowhere.
pub(super) const UNRECORDED: usize = 256;

/// An action, and who requested it.
#[derive(Clone, Debug)]
pub(crate) struct Steered {
    pub(crate) action: SteerAction,
    pub(crate) by: String,
}

/// Steers a migration while it runs; clones steer the same one. Every action takes effect within a second, is emitted as
/// [`crate::Event::Steered`], and has a line in the audit log that names who requested it (`by`).
///
/// ```
/// # fn example(migration: &towpath::Migration) -> Result<(), towpath::UsageError> {
/// use towpath::Bandwidth;
///
/// let control = migration.control();
/// control.set_bandwidth(Bandwidth::Limit(5 << 20), "office hours")?;
/// control.pause("maintenance of the switch");
/// assert!(control.is_paused());
/// control.resume("maintenance of the switch");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Control {
    paces: Arc<Paces>,
    progress: Progress,
    stopper: Stopper,
    /// Cancelled when no further file is to be begun.
    finish: CancellationToken,
    unrecorded: mpsc::Sender<Steered>,
}

impl Control {
    pub(crate) fn new(
        paces: Arc<Paces>,
        progress: Progress,
        stopper: Stopper,
        finish: CancellationToken,
        unrecorded: mpsc::Sender<Steered>,
    ) -> Self {
        progress.set_bandwidth(paces.bandwidth());
        Self { paces, progress, stopper, finish, unrecorded }
    }

    /// Pauses the migration: no further byte is requested from the source or sent to the sink, and nothing is listed or
    /// deleted. Files in flight stay open. Every half minute both trees are asked for their root, so that mounts and
    /// connections stay up. A paused migration can be stopped.
    pub fn pause(&self, by: impl Into<String>) {
        if self.paces.pause() {
            self.progress.set_paused(true);
            self.record(SteerAction::Paused, by);
        }
    }

    /// Goes on after [`Self::pause`].
    pub fn resume(&self, by: impl Into<String>) {
        if self.paces.resume() {
            self.progress.set_paused(false);
            self.record(SteerAction::Resumed, by);
        }
    }

    /// Whether the migration is paused.
    pub fn is_paused(&self) -> bool {
        self.paces.is_paused()
    }

    /// Changes the bandwidth, for files in flight too.
    ///
    /// # Errors
    /// The limit is below [`Bandwidth::MIN_LIMIT_BYTES_PER_S`]; then nothing
    /// changes.
    pub fn set_bandwidth(&self, bandwidth: Bandwidth, by: impl Into<String>) -> Result<(), UsageError> {
        bandwidth.check()?;
        if self.paces.set_bandwidth(bandwidth) {
            self.progress.set_bandwidth(bandwidth);
            self.record(SteerAction::Bandwidth(bandwidth), by);
        }
        Ok(())
    }

    /// The bandwidth in force. While the migration is paused: the one that will be.
    pub fn bandwidth(&self) -> Bandwidth {
        self.paces.bandwidth()
    }

    /// Stops the migration, as [`Stopper::stop`] does.
    pub fn stop(&self, by: impl Into<String>) {
        let by = by.into();
        self.record(SteerAction::Stop { after_current: false }, by.clone());
        self.stopper.stop(by);
    }

    /// Begins no further file, and stops the migration once those in flight are in sync. While no files are sent, for
    /// example during a scan, it stops at once.
    pub fn stop_after_current(&self, by: impl Into<String>) {
        let by = by.into();
        self.record(SteerAction::Stop { after_current: true }, by.clone());
        self.stopper.give_reason(by);
        self.finish.cancel();
    }

    fn record(&self, action: SteerAction, by: impl Into<String>) {
        // Before and after a run nothing receives it.
        let _unrecorded = self.unrecorded.try_send(Steered { action, by: by.into() });
    }
}
