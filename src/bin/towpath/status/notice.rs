//! What the status of a run notices: nothing moves, or the end is expected after the deadline.

use std::time::Duration;

use jiff::Timestamp;

use super::model::Stalled;
use super::text::stalled_in_words;
use crate::format::duration;

/// A change of the status that is reported once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice {
    /// The end is expected after the deadline.
    DeadlineAtRisk(DeadlineNotice),
    /// The end is expected before the deadline again.
    DeadlineInTime(DeadlineNotice),
    /// Nothing has moved for a while.
    Stalled(Stalled),
    /// Something moves again.
    Moving {
        /// What had been reported.
        stalled: Stalled,
        /// How long nothing had moved.
        after: Duration,
    },
}

/// The expected end, compared with the deadline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeadlineNotice {
    pub(crate) deadline: Timestamp,
    /// The end that is expected; `None`: in more than a year.
    pub(crate) p50: Option<Timestamp>,
    /// The lowest constant limit that would be enough; `None`: no limit is, or all is in time.
    pub(crate) enough_bytes_per_s: Option<u64>,
    /// For people, on one line.
    pub(crate) text: String,
}

impl Notice {
    /// For people, on one line. Names in it are not escaped.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::DeadlineAtRisk(notice) | Self::DeadlineInTime(notice) => notice.text.clone(),
            Self::Stalled(stalled) => format!("stalled: {}", stalled_in_words(stalled)),
            Self::Moving { after, .. } => format!("no longer stalled, after {}", duration(*after)),
        }
    }
}
