//! Which files a verification checks.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use sha2::{Digest as _, Sha256};

/// The files that a verification checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// Those that do not match since they were last sent: those not checked yet, and those whose last check found
    /// anything else.
    #[default]
    Unverified,
    /// All files in sync.
    All,
    /// Those sent in the run of this number or later.
    Since(i64),
    /// A uniformly random sample of the files in sync.
    Sample(Sample),
}

/// The size of a random sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sample {
    /// Each file with this probability, in millionths: 10,000 is 1 %.
    PerMillion(u32),
    /// So many files.
    Files(u64),
}

impl fmt::Display for Selection {
    /// As the database and the log name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified => f.write_str("unverified"),
            Self::All => f.write_str("all"),
            Self::Since(run) => write!(f, "since run {run}"),
            Self::Sample(Sample::PerMillion(millionths)) => {
                let decimals = format!("{:04}", millionths % 10_000);
                let decimals = decimals.trim_end_matches('0');
                let point = if decimals.is_empty() { "" } else { "." };
                write!(f, "sample {}{point}{decimals}%", millionths / 10_000)
            }
            Self::Sample(Sample::Files(files)) => write!(f, "sample {files}"),
        }
    }
}

/// Draws a random sample in one pass and without memory: a file is in it if the first 64 bits of the SHA-256 of the seed,
/// a NUL and its path are at most the highest draw. A verification that is resumed has the same sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lottery {
    /// Hexadecimal digits.
    seed: String,
    /// The highest draw of the sample; `None`: nothing is in it.
    highest: Option<u64>,
}

impl Lottery {
    /// With these values of the database.
    pub(crate) fn recorded(seed: String, highest: Option<u64>) -> Self {
        Self { seed, highest }
    }

    /// A new seed.
    pub(crate) fn seed() -> String {
        // The keys of both are from the system's random numbers.
        let random = || RandomState::new().hash_one(0);
        format!("{:016x}{:016x}", random(), random())
    }

    pub(crate) fn draw(&self, path: &[u8]) -> u64 {
        let mut hasher = Sha256::new();
        hasher.update(&self.seed);
        hasher.update([0]);
        hasher.update(path);
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize()[..8]);
        u64::from_be_bytes(first)
    }

    pub(crate) fn has(&self, path: &[u8]) -> bool {
        self.highest.is_some_and(|highest| self.draw(path) <= highest)
    }

    /// The highest draw of a sample with this probability.
    pub(crate) fn highest_of(per_million: u32) -> Option<u64> {
        let share = (u128::from(per_million.min(1_000_000)) << 64) / 1_000_000;
        u64::try_from(share.checked_sub(1)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_have_a_name() {
        let names = [
            Selection::Unverified,
            Selection::All,
            Selection::Since(7),
            Selection::Sample(Sample::PerMillion(10_000)),
            Selection::Sample(Sample::PerMillion(2_500)),
            Selection::Sample(Sample::PerMillion(1_000_000)),
            Selection::Sample(Sample::Files(1000)),
        ];
        let expected = ["unverified", "all", "since run 7", "sample 1%", "sample 0.25%", "sample 100%", "sample 1000"];
        assert_eq!(names.map(|selection| selection.to_string()), expected);
    }

    #[test]
    fn a_sample_has_about_its_share_and_is_reproducible() {
        let lottery = |seed: &str, per_million| Lottery::recorded(seed.to_owned(), Lottery::highest_of(per_million));
        let paths = || (0..20_000).map(|number| format!("dir/{number}"));
        let count = |lottery: &Lottery| paths().filter(|path| lottery.has(path.as_bytes())).count();
        let tenth = lottery("a", 100_000);
        // The expectation is 2,000 with a standard deviation of 42.
        assert!((1_750..2_250).contains(&count(&tenth)));
        assert_eq!([0, 1_000_000].map(|share| count(&lottery("a", share))), [0, 20_000]);
        let (again, other) = (lottery("a", 100_000), lottery("b", 100_000));
        assert!(paths().all(|path| tenth.has(path.as_bytes()) == again.has(path.as_bytes())));
        assert!(paths().any(|path| tenth.has(path.as_bytes()) != other.has(path.as_bytes())));
        // printf "0123\0a/b" | sha256sum
        assert_eq!(lottery("0123", 1).draw(b"a/b"), 0x84ad_76e1_a4e2_38cc);
        assert_ne!(Lottery::seed(), Lottery::seed());
    }
}
