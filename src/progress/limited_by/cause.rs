//! What limits a transfer, and for how long.

use std::cmp::Reverse;
use std::time::Duration;

/// What a transfer waits for: why it is not faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The bandwidth limit.
    Limit,
    /// The adaptive limit, which gives way to other traffic on the link ([`crate::Bandwidth::Auto`]).
    OtherTraffic,
    /// The run is paused.
    Paused,
    /// Reading content from the source.
    Source,
    /// The requests that each small file needs at the source.
    SmallFilesAtSource,
    /// Writing content to the sink.
    Destination,
    /// The requests that each small file needs at the sink.
    SmallFilesAtDestination,
    /// Computing checksums.
    Hash,
    /// Making finished files durable at the sink.
    Flush,
    /// The database: recording finished files, and reading the backlog.
    Database,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 10] = [
        Self::Limit,
        Self::OtherTraffic,
        Self::Paused,
        Self::Source,
        Self::SmallFilesAtSource,
        Self::Destination,
        Self::SmallFilesAtDestination,
        Self::Hash,
        Self::Flush,
        Self::Database,
    ];

    /// The name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::OtherTraffic => "other-traffic",
            Self::Paused => "paused",
            Self::Source => "source",
            Self::SmallFilesAtSource => "small-files-at-source",
            Self::Destination => "destination",
            Self::SmallFilesAtDestination => "small-files-at-destination",
            Self::Hash => "hash",
            Self::Flush => "flush",
            Self::Database => "database",
        }
    }
}

/// The time that a run has spent on sending files, by what limited it. Files in flight count, and so do waits that have
/// not ended yet.
///
/// ```
/// use std::time::Duration;
/// use towpath::{Cause, LimitedBy};
///
/// let before: LimitedBy = [(Cause::Source, Duration::from_secs(5))].into_iter().collect();
/// let after = [(Cause::Source, Duration::from_secs(6)), (Cause::Limit, Duration::from_secs(3))];
/// let after: LimitedBy = after.into_iter().collect();
/// let shares: Vec<_> = after.since(&before).shares().iter().map(|share| (share.cause, share.percent)).collect();
/// assert_eq!(shares, [(Cause::Limit, 75), (Cause::Source, 25)]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitedBy([Duration; Cause::ALL.len()]);

/// A cause's part of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Share {
    /// The cause.
    pub cause: Cause,
    /// Its part of the time: those of all causes add up to 100.
    pub percent: u8,
}

impl LimitedBy {
    /// The time for which this cause limited the transfer.
    pub fn time(&self, cause: Cause) -> Duration {
        self.0[cause as usize]
    }

    /// The time of all causes.
    pub fn total(&self) -> Duration {
        self.0.iter().sum()
    }

    /// The time that passed since an earlier state.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Cause::ALL.map(|cause| (cause, self.time(cause).saturating_sub(earlier.time(cause)))).into_iter().collect()
    }

    /// The causes with their parts of the time in whole percent, the largest first; none before anything was sent.
    pub fn shares(&self) -> Vec<Share> {
        let total = self.total().as_nanos();
        if total == 0 {
            return Vec::new();
        }
        let hundredfold = |cause: Cause| self.time(cause).as_nanos() * 100;
        // The quotient of a hundredfold part is at most 100.
        let percent = |cause| u8::try_from(hundredfold(cause) / total).unwrap_or(100);
        let mut shares = Cause::ALL.map(|cause| Share { cause, percent: percent(cause) });
        // What is left after rounding down goes to the causes that lost most by it.
        shares.sort_by_key(|share| Reverse(hundredfold(share.cause) % total));
        let left = 100 - shares.iter().map(|share| share.percent).sum::<u8>();
        shares.iter_mut().take(left.into()).for_each(|share| share.percent += 1);
        shares.sort_by_key(|share| Reverse((share.percent, self.time(share.cause))));
        shares.into_iter().filter(|share| share.percent > 0).collect()
    }

    pub(super) fn add(&mut self, cause: Cause, time: Duration) {
        let sum = &mut self.0[cause as usize];
        *sum = sum.saturating_add(time);
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        Cause::ALL.into_iter().for_each(|cause| self.add(cause, other.time(cause)));
    }
}

impl FromIterator<(Cause, Duration)> for LimitedBy {
    fn from_iter<T: IntoIterator<Item = (Cause, Duration)>>(times: T) -> Self {
        let mut sum = Self::default();
        times.into_iter().for_each(|(cause, time)| sum.add(cause, time));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited_by(times: &[(Cause, u64)]) -> LimitedBy {
        times.iter().map(|(cause, ns)| (*cause, Duration::from_nanos(*ns))).collect()
    }

    fn shares(times: &[(Cause, u64)]) -> Vec<(Cause, u8)> {
        limited_by(times).shares().iter().map(|share| (share.cause, share.percent)).collect()
    }

    #[test]
    fn causes_are_in_the_order_of_their_list() {
        assert!(Cause::ALL.iter().enumerate().all(|(at, cause)| *cause as usize == at));
    }

    #[test]
    fn shares_add_up_to_100() {
        use Cause::{Database, Destination, Hash, Limit, Source};
        assert_eq!(shares(&[]), []);
        assert_eq!(shares(&[(Source, 1)]), [(Source, 100)]);
        assert_eq!(shares(&[(Source, 1), (Hash, 1), (Limit, 1)]).iter().map(|(_, percent)| percent).sum::<u8>(), 100);
        assert_eq!(shares(&[(Source, 1), (Destination, 999)]), [(Destination, 100)]);
        assert_eq!(
            shares(&[(Source, 2), (Destination, 6), (Limit, 1)]),
            [(Destination, 67), (Source, 22), (Limit, 11)]
        );
        assert_eq!(shares(&[(Database, u64::MAX), (Hash, u64::MAX)]).len(), 2, "centuries");
    }

    #[test]
    fn an_earlier_state_is_subtracted() {
        let (earlier, later) = (limited_by(&[(Cause::Hash, 5), (Cause::Limit, 7)]), limited_by(&[(Cause::Hash, 9)]));
        assert_eq!(later.since(&earlier), limited_by(&[(Cause::Hash, 4)]), "what was counted otherwise meanwhile is 0");
    }
}
