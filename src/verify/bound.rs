//! What a random sample says of all files.

/// How many files can differ at most, as far as a random sample tells.
///
/// The bound is that of Clopper and Pearson, one-sided: were the share of bad files as high as [`Self::share`] or higher,
/// a sample with so few of them would come up in fewer than 5 % of all cases. It makes no assumption on how the bad
/// files are distributed. Sampling without replacement, as here, makes it hold all the more.
///
/// ```
/// let bound = towpath::UpperBound::of(0, 1000);
/// assert_eq!(format!("{:.4} %", bound.share * 100.0), "0.2991 %");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct UpperBound {
    /// Files of the sample that were found bad.
    pub bad_files: u64,
    /// Files of the sample.
    pub files: u64,
    /// The share of bad files among all is lower than this, with a confidence of [`Self::CONFIDENCE`].
    pub share: f64,
}

impl UpperBound {
    /// The confidence of the bound.
    pub const CONFIDENCE: f64 = 0.95;

    /// The bound after `bad_files` of `files` files drawn at random were found bad.
    pub fn of(bad_files: u64, files: u64) -> Self {
        Self { bad_files, files, share: share(bad_files, files) }
    }
}

/// The share at which `bad` or fewer of `all` have a probability of 5 %.
fn share(bad: u64, all: u64) -> f64 {
    if bad >= all {
        return 1.0;
    }
    let log_of_doubt = (1.0 - UpperBound::CONFIDENCE).ln();
    if bad == 0 {
        return -(log_of_doubt / all as f64).exp_m1();
    }
    let (mut low, mut high) = (bad as f64 / all as f64, 1.0);
    // Each round halves the interval: more than the digits of the number.
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if log_of_at_most(bad, all, middle) > log_of_doubt { low = middle } else { high = middle }
    }
    high
}

/// The logarithm of the probability of at most `bad` successes in `all` trials.
fn log_of_at_most(bad: u64, all: u64, probability: f64) -> f64 {
    let (n, k) = (all as f64, bad as f64);
    let (log_p, log_q) = (probability.ln(), (-probability).ln_1p());
    let largest = log_factorial(n) - log_factorial(k) - log_factorial(n - k) + k * log_p + (n - k) * log_q;
    // From the largest term, that of `bad`, downwards, as shares of it.
    let (mut sum, mut term, mut at) = (1.0, 1.0, k);
    while at > 0.0 && term > 1e-18 * sum {
        term *= at / (n - at + 1.0) * ((log_q - log_p).exp());
        sum += term;
        at -= 1.0;
    }
    largest + sum.ln()
}

/// The logarithm of a factorial: by Stirling's series, and exactly for small numbers.
fn log_factorial(n: f64) -> f64 {
    if n < 16.0 {
        let (mut log, mut factor) = (0.0, 2.0);
        while factor <= n {
            log += f64::ln(factor);
            factor += 1.0;
        }
        return log;
    }
    let square = n * n;
    let series = 1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * square)) / square;
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + series / n
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probability of at most `bad`, summed term by term.
    fn at_most(bad: u64, all: u64, probability: f64) -> f64 {
        let mut term = (1.0 - probability).powf(all as f64);
        let mut sum = term;
        for k in 1..=bad {
            term *= (all - k + 1) as f64 / k as f64 * probability / (1.0 - probability);
            sum += term;
        }
        sum
    }

    #[test]
    fn known_bounds() {
        // Tables of one-sided exact binomial limits of 95 %.
        for (bad, all, expected) in [
            (0, 10, 0.258_866),
            (1, 10, 0.394_163),
            (2, 10, 0.506_901),
            (5, 10, 0.777_559),
            (0, 100, 0.029_513),
            (1, 100, 0.046_560),
            (0, 1000, 0.002_991),
            (0, 1, 0.95),
        ] {
            let share = UpperBound::of(bad, all).share;
            assert!((share - expected).abs() < 1e-6, "{bad} of {all}: {share}");
        }
        assert_eq!([UpperBound::of(0, 0), UpperBound::of(7, 7)].map(|bound| bound.share), [1.0, 1.0]);
    }

    #[test]
    fn the_bound_leaves_a_doubt_of_five_percent() {
        for (bad, all) in [(0, 3), (1, 2), (3, 50), (17, 400), (40, 1000), (3, 100_000), (250, 20_000)] {
            let doubt = at_most(bad, all, UpperBound::of(bad, all).share);
            assert!((doubt - 0.05).abs() < 1e-9, "{bad} of {all}: {doubt}");
        }
    }

    #[test]
    fn more_bad_files_raise_it_and_larger_samples_lower_it() {
        let share = |bad, all| UpperBound::of(bad, all).share;
        for bad in [0, 1, 10, 1000] {
            assert!(share(bad + 1, 2_000_000) > share(bad, 2_000_000));
            assert!(share(bad, 4_000_000) < share(bad, 2_000_000));
            assert!(share(bad, 100_000_000) > bad as f64 / 1e8);
        }
    }
}
