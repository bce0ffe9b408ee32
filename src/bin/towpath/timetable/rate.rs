//! What a limit can be.

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
