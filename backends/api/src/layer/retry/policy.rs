//! How often, and after what time, something is tried again.

use std::time::Duration;

/// How often, and after what time, a call that failed for a while is tried again.
///
/// The times double, up to the longest; of each a random part is left out, up
/// to a half, so that many who failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a call is tried at most, the first time included.
    pub attempts: u32,
    /// What is waited before the second try.
    pub first_delay: Duration,
    /// What is waited before any try at most.
    pub longest_delay: Duration,
}

impl RetryPolicy {
    /// Five attempts within about three seconds.
    pub const DEFAULT: Self =
        Self { attempts: 5, first_delay: Duration::from_millis(200), longest_delay: Duration::from_secs(10) };

    /// With so many attempts; 0 is taken as 1.
    #[must_use]
    pub const fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// With this delay before the second try.
    #[must_use]
    pub const fn with_first_delay(self, first_delay: Duration) -> Self {
        Self { first_delay, ..self }
    }

    /// With no longer delay than this.
    #[must_use]
    pub const fn with_longest_delay(self, longest_delay: Duration) -> Self {
        Self { longest_delay, ..self }
    }

    /// What is waited after the failure of try `number`, counted from 1, at this chance (0 to 1);
    /// `None` if that was the last.
    pub(super) fn delay(&self, number: u32, chance: f64) -> Option<Duration> {
        if number >= self.attempts {
            return None;
        }
        let doubled = self.first_delay.saturating_mul(2_u32.saturating_pow(number.saturating_sub(1)));
        Some(doubled.min(self.longest_delay).mul_f64(1.0 - chance / 2.0))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_end() {
        let policy = RetryPolicy::default()
            .with_attempts(6)
            .with_first_delay(Duration::from_millis(100))
            .with_longest_delay(Duration::from_millis(500));
        let delays: Vec<_> = (1..7).map(|number| policy.delay(number, 0.0).map(|delay| delay.as_millis())).collect();
        assert_eq!(delays, [Some(100), Some(200), Some(400), Some(500), Some(500), None]);
        assert_eq!(policy.delay(1, 1.0), Some(Duration::from_millis(50)));
        assert_eq!(policy.with_attempts(0).delay(1, 0.0), None);
        assert!(policy.with_attempts(u32::MAX).delay(1000, 0.5).is_some(), "nothing overflows");
    }
}
