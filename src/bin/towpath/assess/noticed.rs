//! What the engine reports during the scan of an assessment.

use std::sync::{Arc, Mutex};

use super::kept::Examples;
use crate::listener::Observer;
use crate::lock::locked;
use towpath::{Action, Event, Side};

/// What could not be read or will not be copied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noticed {
    /// Directories and single names of the source. Each example has the error.
    pub(crate) unreadable: Examples,
    pub(crate) unreadable_at_dest: Examples,
    /// Names that the destination cannot hold. Each example has the reason.
    pub(crate) impossible: Examples,
    /// Names that the engine skips, and that count as not in sync.
    pub(crate) skipped: Examples,
}

/// Takes events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listener(Arc<Mutex<Noticed>>);

impl Listener {
    pub(crate) fn noticed(&self) -> Noticed {
        locked(&self.0).clone()
    }
}

impl Observer for Listener {
    fn event(&mut self, event: &Event) {
        let mut noticed = locked(&self.0);
        let with = |path: &[u8], reason: String| [path, b": ", reason.as_bytes()].concat();
        match event {
            Event::Unreadable { side, path, error } => {
                let of_side = match side {
                    Side::Source => &mut noticed.unreadable,
                    Side::Sink => &mut noticed.unreadable_at_dest,
                };
                of_side.add(with(path, error.to_string()), 0);
            }
            Event::Planned { action: Action::Fail, paths, reason, .. } => {
                noticed.impossible.add(with(&paths.source, reason.to_string()), 0);
            }
            Event::Skipped { paths, reason, accepted: false } => {
                noticed.skipped.add(with(&paths.source, reason.to_string()), 0);
            }
            _ => {}
        }
    }
}
