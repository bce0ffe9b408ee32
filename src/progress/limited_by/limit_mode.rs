//! What the wait for the limit means.

use super::cause::Cause;

/// What the wait for the limit means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LimitMode {
    /// A limit that the user has set.
    #[default]
    Fixed,
    /// A limit that follows other traffic.
    Adaptive,
    /// Nothing passes.
    Paused,
}

impl LimitMode {
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Fixed => Cause::Limit,
            Self::Adaptive => Cause::OtherTraffic,
            Self::Paused => Cause::Paused,
        }
    }
}
