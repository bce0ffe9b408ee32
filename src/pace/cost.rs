//! The cost of a transfer on the link besides the content: headers, requests and answers.
//!
//! The limit is on the content, and headers come on top as long as they are few: for large files they are about 7 %.
//! Small steps and small files have far more; these count, so that the link never carries more than [`ALLOWED`] times
//! the limit.
//!
//! The sizes were measured on NFS and SMB mounts, with `tests/netlab`: a frame of
//! 1,514 bytes carries 1,448 of a TCP stream, and every second one is acknowledged
//! by a frame of 66 bytes the other way.

/// The share of a frame's headers and of the acknowledgements of the other direction's content.
const HEADERS: f64 = 1.07;
/// The requests of a step in one direction: the call that writes it, the one that reads the next, and the one that
/// commits it.
const STEP_BYTES: f64 = 610.0;
/// The same where steps follow each other so quickly that clients write several with one request.
const GATHERED_STEP_BYTES: f64 = 480.0;
/// The rate from which they do: at 256K each step of 4 KiB was one request, at 1M four steps were.
const GATHERED_FROM_BYTES_PER_S: u64 = 1 << 20;
/// A small request, or its answer, with its frame.
pub(super) const REQUEST_BYTES: u64 = 256;
/// An entry of a listing with its attributes: on NFS 205 bytes, and half as much again, because listings arrive in
/// pieces of 64 KiB, and a second with one more of these must not exceed the limit.
pub(super) const LISTED_BYTES: u64 = 320;
/// Opening both trees, and probing the destination: up to 24 KiB (SMB), and a third more, so that at a low limit the
/// first listing, which arrives in one piece, is in another tenth of a second.
pub(super) const OPENING_BYTES: u64 = 32 << 10;
/// Requests to look up, open, create, stat, set times and close, on both sides.
pub(super) const REQUESTS_PER_FILE: u64 = 9;
/// How much more than the limit the link may carry before the excess counts.
const ALLOWED: f64 = 1.085;

/// The link between a tree and this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// No network: only the content counts.
    None,
    /// A network.
    Network,
}

impl Link {
    /// How many bytes a step of content counts as, at this rate.
    pub(super) fn of_content(self, bytes: u64, bytes_per_s: u64) -> u64 {
        let requests = if bytes_per_s < GATHERED_FROM_BYTES_PER_S { STEP_BYTES } else { GATHERED_STEP_BYTES };
        match self {
            Self::None => bytes,
            Self::Network => bytes.max(((bytes as f64 * HEADERS + requests) / ALLOWED) as u64),
        }
    }

    /// How many bytes requests without content count as.
    pub(super) fn of_overhead(self, bytes: u64) -> u64 {
        match self {
            Self::None => 0,
            Self::Network => (bytes as f64 / ALLOWED) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_steps_count_as_their_content_and_small_ones_as_more() {
        const FAST: u64 = 5 << 20;
        assert_eq!(Link::Network.of_content(160 << 10, FAST), 160 << 10);
        let share = |bytes_per_s| Link::Network.of_content(4096, bytes_per_s) as f64 / 4096.0;
        let (slow, fast) = (share(256 << 10), share(FAST));
        assert!(1.08 < fast && fast < slow && slow < 1.2, "{fast} {slow}");
        for bytes in [0, 1, 4096, 1 << 20] {
            assert_eq!(Link::None.of_content(bytes, FAST), bytes);
            assert_eq!(Link::None.of_overhead(bytes), 0);
        }
    }
}
