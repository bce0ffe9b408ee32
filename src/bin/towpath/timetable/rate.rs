//! What a limit can be.

use towpath::{Allowed, Bandwidth};

/// A value of `--bwlimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// No limit.
    Off,
    /// Bytes per second.
    Fixed(u64),
    /// The adaptive limit.
    Auto {
        /// The highest limit, in bytes per second.
        max: Option<u64>,
    },
    /// Nothing is sent.
    Pause,
}

impl Rate {
    /// The engine's bandwidth; a pause has none.
    pub(crate) fn bandwidth(self) -> Option<Bandwidth> {
        match self {
            Self::Off => Some(Bandwidth::Unlimited),
            Self::Fixed(bytes_per_s) => Some(Bandwidth::Limit(bytes_per_s)),
            Self::Auto { max } => Some(Bandwidth::Auto { max_bytes_per_s: max }),
            Self::Pause => None,
        }
    }
}

impl Rate {
    /// What a forecast takes it for.
    pub(crate) fn allowed(self) -> Allowed {
        match self {
            Self::Fixed(limit) | Self::Auto { max: Some(limit) } => Allowed::Limit(limit),
            Self::Pause => Allowed::Nothing,
            Self::Off | Self::Auto { max: None } => Allowed::Unlimited,
        }
    }
}

impl From<Bandwidth> for Rate {
    fn from(bandwidth: Bandwidth) -> Self {
        match bandwidth {
            Bandwidth::Limit(bytes_per_s) => Self::Fixed(bytes_per_s),
            Bandwidth::Auto { max_bytes_per_s } => Self::Auto { max: max_bytes_per_s },
            _ => Self::Off,
        }
    }
}
