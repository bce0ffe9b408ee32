//! What is known of the time to come.

use towpath_backend::Timestamp;

/// What may be sent at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// No limit, or an adaptive one.
    Unlimited,
    /// So many bytes per second.
    Limit(u64),
    /// Nothing: the migration is paused.
    Nothing,
}

/// What is known of the time to come, for an [`crate::Estimator`].
///
/// ```
/// use towpath::{Allowed, Outlook, Timestamp};
///
/// /// The limit in force, and none from a moment on.
/// struct Until(Timestamp);
///
/// impl Outlook for Until {
///     fn allowed(&self, at: Timestamp, in_force: Allowed) -> Allowed {
///         if at < self.0 { in_force } else { Allowed::Unlimited }
///     }
/// }
/// ```
pub trait Outlook: Send + Sync {
    /// What may be sent at that moment; `in_force` is what may be sent now. It is asked for about 3,400 moments in five
    /// weeks, once a minute.
    fn allowed(&self, at: Timestamp, in_force: Allowed) -> Allowed;

    /// The local time's offset from UTC at that moment, in seconds: rates are learned by hour of the local week.
    fn utc_offset_s(&self, at: Timestamp) -> i32 {
        let _always = at;
        0
    }
}
