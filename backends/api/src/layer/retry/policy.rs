//! How often, and after which delays, calls are retried.

use std::time::Duration;

/// How often, and after which delays, a call that failed temporarily is retried.
///
/// The delays double, up to the longest. Each one is shortened by a random part of up to a half, so that callers that
/// failed together do not retry together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a call is attempted at most, including the first attempt.
    pub attempts: u32,
    /// The delay before the second attempt.
    pub first_delay: Duration,
    /// The longest delay before an attempt.
    pub longest_delay: Duration,
}

impl RetryPolicy {
    /// Five attempts within about three seconds.
    pub const DEFAULT: Self =
        Self { attempts: 5, first_delay: Duration::from_millis(200), longest_delay: Duration::from_secs(10) };

    /// With this many attempts; 0 counts as 1.
    #[must_use]
    pub const fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// With this delay before the second attempt.
    #[must_use]
    pub const fn with_first_delay(self, first_delay: Duration) -> Self {
        Self { first_delay, ..self }
    }

    /// With this longest delay.
    #[must_use]
    pub const fn with_longest_delay(self, longest_delay: Duration) -> Self {
        Self { longest_delay, ..self }
    }

    /// The delay after failed attempt `number`, counted from 1, with this random number (0 to 1); `None` if that was
    /// the last attempt.
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
