//! The task that applies what is in force when it changes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::clock::{ClockWatch, Reading};
use super::handle::Steering;

/// A clock that is set is noticed within this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// Applies what is in force, now and until the handle is dropped. `jumps` receives by how much the
/// clock was set.
pub(crate) fn start(steering: Steering, jumps: mpsc::Sender<SignedDuration>) -> AbortOnDropHandle<()> {
    let mut watch = ClockWatch::new(Reading::now());
    // Before the run begins: it may begin with a pause.
    let mut wake_at = steering.tick();
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            sleep(until(wake_at, Timestamp::now())).await;
            let jump = watch.jump(Reading::now());
            // Where nothing depends on the time, the clock does not matter.
            if let Some(jump) = jump.filter(|_| wake_at.is_some()) {
                // If the console does not keep up, the jump is not worth waiting for.
                let _is_full = jumps.try_send(jump);
            }
            wake_at = steering.tick();
        }
    }))
}

/// How long to sleep.
fn until(wake_at: Option<Timestamp>, now: Timestamp) -> Duration {
    let left = wake_at.map(|time| Duration::try_from(time.duration_since(now)).unwrap_or_default());
    left.map_or(INTERVAL, |left| left.min(INTERVAL))
}
