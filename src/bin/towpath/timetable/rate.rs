//! What a limit can be.

use towpath::Bandwidth;

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

impl From<Bandwidth> for Rate {
    fn from(bandwidth: Bandwidth) -> Self {
        match bandwidth {
            Bandwidth::Limit(bytes_per_s) => Self::Fixed(bytes_per_s),
            Bandwidth::Auto { max_bytes_per_s } => Self::Auto { max: max_bytes_per_s },
            _ => Self::Off,
        }
    }
}
