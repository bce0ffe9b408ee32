//! Files and bytes by size, and by age.

/// Files, and the bytes of their content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) files: u64,
    pub(crate) bytes: u128,
}

impl Amount {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += u128::from(bytes);
    }
}

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
const G: u64 = 1 << 30;
const T: u64 = 1 << 40;
const DAY_S: i64 = 86_400;
/// Clocks of servers differ by less: such a time is not in the future.
pub(crate) const CLOCK_SKEW_S: i64 = 60;

/// Where each range ends, exclusive, with its name. The last one has no end.
const SIZES: [(u64, &str); 19] = [
    (1, "empty"),
    (K, "< 1 KiB"),
    (4 * K, "< 4 KiB"),
    (16 * K, "< 16 KiB"),
    (64 * K, "< 64 KiB"),
    (256 * K, "< 256 KiB"),
    (M, "< 1 MiB"),
    (4 * M, "< 4 MiB"),
    (16 * M, "< 16 MiB"),
    (64 * M, "< 64 MiB"),
    (256 * M, "< 256 MiB"),
    (G, "< 1 GiB"),
    (4 * G, "< 4 GiB"),
    (16 * G, "< 16 GiB"),
    (64 * G, "< 64 GiB"),
    (256 * G, "< 256 GiB"),
    (T, "< 1 TiB"),
    (4 * T, "< 4 TiB"),
    (u64::MAX, ">= 4 TiB"),
];

const AGES_S: [(i64, &str); 10] = [
    (-CLOCK_SKEW_S, "in the future"),
    (DAY_S, "< 1 day"),
    (7 * DAY_S, "< 1 week"),
    (30 * DAY_S, "< 1 month"),
    (90 * DAY_S, "< 3 months"),
    (365 * DAY_S, "< 1 year"),
    (2 * 365 * DAY_S, "< 2 years"),
    (5 * 365 * DAY_S, "< 5 years"),
    (10 * 365 * DAY_S, "< 10 years"),
    (i64::MAX, ">= 10 years"),
];

/// How many files, and how many bytes, are in each of some ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Histogram<T: 'static> {
    ranges: &'static [(T, &'static str)],
    amounts: Vec<Amount>,
}

impl Histogram<u64> {
    pub(crate) fn of_sizes() -> Self {
        Self::new(&SIZES)
    }
}

impl Histogram<i64> {
    /// Of ages in seconds.
    pub(crate) fn of_ages() -> Self {
        Self::new(&AGES_S)
    }
}

impl<T: PartialOrd + Copy> Histogram<T> {
    fn new(ranges: &'static [(T, &'static str)]) -> Self {
        Self { ranges, amounts: vec![Amount::default(); ranges.len()] }
    }

    /// Adds a file of `bytes` bytes at `value`.
    pub(crate) fn add(&mut self, value: T, bytes: u64) {
        let last = self.ranges.len() - 1;
        let at = self.ranges.partition_point(|(end, _)| *end <= value).min(last);
        if let Some(amount) = self.amounts.get_mut(at) {
            amount.add(bytes);
        }
    }

    /// Each range with its name, from the first to the last that has files.
    pub(crate) fn used(&self) -> &[Amount] {
        let (first, end) = self.span();
        self.amounts.get(first..end).unwrap_or_default()
    }

    /// The names of [`Self::used`].
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let (first, end) = self.span();
        self.ranges.get(first..end).unwrap_or_default().iter().map(|(_, name)| *name)
    }

    /// The range with this name.
    pub(crate) fn named(&self, name: &str) -> Amount {
        let at = self.ranges.iter().position(|(_, other)| *other == name);
        at.and_then(|at| self.amounts.get(at)).copied().unwrap_or_default()
    }

    fn span(&self) -> (usize, usize) {
        let has_files = |amount: &Amount| amount.files > 0;
        let first = self.amounts.iter().position(has_files).unwrap_or(0);
        let end = self.amounts.iter().rposition(has_files).map_or(0, |last| last + 1);
        (first, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_before_its_name_says() {
        for (size, name) in [
            (0, "empty"),
            (1, "< 1 KiB"),
            (K - 1, "< 1 KiB"),
            (K, "< 4 KiB"),
            (4 * T - 1, "< 4 TiB"),
            (4 * T, ">= 4 TiB"),
            (u64::MAX, ">= 4 TiB"),
        ] {
            let mut sizes = Histogram::of_sizes();
            sizes.add(size, size);
            assert_eq!(sizes.names().collect::<Vec<_>>(), [name], "{size}");
            assert_eq!(sizes.used(), [Amount { files: 1, bytes: size.into() }]);
        }
        for (age_s, name) in [
            (i64::MIN, "in the future"),
            (-61, "in the future"),
            (-60, "< 1 day"),
            (0, "< 1 day"),
            (DAY_S, "< 1 week"),
            (i64::MAX, ">= 10 years"),
        ] {
            let mut ages = Histogram::of_ages();
            ages.add(age_s, 1);
            assert_eq!(ages.names().collect::<Vec<_>>(), [name], "{age_s}");
        }
    }

    #[test]
    fn only_ranges_between_the_first_and_the_last_file_are_shown() {
        let mut sizes = Histogram::of_sizes();
        assert_eq!((sizes.used(), sizes.names().count()), (&[][..], 0));
        sizes.add(0, 0);
        sizes.add(5000, 5000);
        assert_eq!(sizes.names().collect::<Vec<_>>(), ["empty", "< 1 KiB", "< 4 KiB", "< 16 KiB"]);
        assert_eq!(sizes.used().iter().map(|amount| amount.files).collect::<Vec<_>>(), [1, 0, 0, 1]);
        assert_eq!(sizes.named("< 16 KiB").bytes, 5000);
    }
}
