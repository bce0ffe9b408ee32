//! The arguments of `towpath verify`.

use std::time::Duration;

use clap::{ArgAction, Args};
use towpath::{Algorithm, Bandwidth, Sample, Selection, VerifyOptions};

use super::bwlimit::{self, parse_bwlimit};
use super::format::ProgressKind;
use super::run_address::RunAddress;
use super::size::{parse_count, parse_duration, parse_interval, parse_rate};
use crate::timetable::{Rate, Timetable};

/// Read what a migration has sent again at DEST, and compare it with the recorded checksums.
///
/// The result of each file is recorded in the database and in the log, so that the same command
/// resumes an interrupted verification. Nothing is changed in either tree. A run of `towpath sync` may
/// go on meanwhile.
///
/// Without --all, --since or --sample, files are checked that do not match since they were last sent:
/// those not checked yet, and those whose last check found anything else.
#[derive(Args, Clone, Debug)]
#[command(
    override_usage = "\
towpath verify [OPTIONS] <SOURCE> <DEST>
       towpath verify [OPTIONS] --database <FILE>
       towpath verify [OPTIONS] --job <NAME>",
    after_help = "\
EXAMPLES
  towpath verify /mnt/old /mnt/new --bwlimit 20M
  towpath verify /mnt/old /mnt/new --sample 1%
  towpath verify --database migration.db --list

EXIT STATUS
  0 nothing differs, is missing or is unreadable; 1 could not run; 2 usage error; 3 something differs,
  is missing or is unreadable; 4 guard refusal; 129, 130, 143 stopped by a signal, with the state
  saved."
)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) run: RunAddress,

    /// Check all files in sync, also those that match
    #[arg(long)]
    pub(crate) all: bool,

    /// Check a random sample: a share of the files in sync such as 1%, or a number of them
    #[arg(long, value_name = "SHARE|N", conflicts_with = "all", value_parser = parse_sample)]
    pub(crate) sample: Option<Sample>,

    /// Check the files that were sent in this run or later; `towpath passes` lists runs by number
    #[arg(long, value_name = "RUN", conflicts_with_all = ["all", "sample"], value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) since: Option<i64>,

    /// Read the files without a recorded checksum in both trees, compare them, and record the
    /// checksum: those that were found in sync without being sent
    #[arg(long, conflicts_with = "dest_only")]
    pub(crate) hash_both: bool,

    /// The checksum for --hash-both: md5, sha1, sha256 or blake2b
    #[arg(long, value_name = "ALGORITHM", default_value_t, requires = "hash_both")]
    pub(crate) checksum: Algorithm,

    /// Do not check SOURCE, so that what has changed there since is not found
    #[arg(long)]
    pub(crate) dest_only: bool,

    /// Limit for reading, per second (for example 20M), with the values of `towpath sync --bwlimit`; it
    /// adds to the limit of a run that goes on [default: off]
    #[arg(long, value_name = "LIMIT", allow_hyphen_values = true, value_parser = parse_bwlimit)]
    pub(crate) bwlimit: Option<Timetable>,

    /// With --bwlimit auto: the highest limit
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, requires = "bwlimit", value_parser = parse_rate)]
    pub(crate) bwlimit_max: Option<u64>,

    /// Treat mtimes that differ by no more than this as equal (for example 2s) [default: the
    /// precision of the coarser file system]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_duration)]
    pub(crate) modify_window: Option<Duration>,

    /// Files to read at the same time [default: depends on the storage, 16 for most]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = parse_count)]
    pub(crate) lanes: Option<usize>,

    /// Read nothing; list the files that did not match when they were last checked
    #[arg(long, conflicts_with_all = ["all", "sample", "since", "hash_both", "dest_only", "bwlimit"])]
    pub(crate) list: bool,

    /// Print the result as one JSON object, with --list one per file
    #[arg(long)]
    pub(crate) json: bool,

    /// Print only what does not match, and errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print each file that was checked
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Progress as bars on a terminal, as lines, as one JSON object per line with all events, or not at
    /// all [default: bar on a terminal, else lines]
    #[arg(long, value_name = "KIND", value_enum, conflicts_with = "quiet")]
    pub(crate) progress: Option<ProgressKind>,

    /// Interval of progress lines, or JSON objects, when no bars are shown
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "30s", value_parser = parse_interval)]
    pub(crate) progress_interval: Duration,
}

impl VerifyArguments {
    /// The values of the limit.
    ///
    /// # Errors
    /// One line, if `--bwlimit-max` has no meaning.
    pub(crate) fn limit(&self) -> Result<Timetable, String> {
        bwlimit::limit(self.bwlimit.as_ref(), self.bwlimit_max)
    }

    /// Whether progress is JSON objects.
    pub(crate) fn prints_json(&self) -> bool {
        self.progress == Some(ProgressKind::Json)
    }

    /// Whether standard output has text for people.
    pub(crate) fn prints_text(&self) -> bool {
        !self.quiet && !self.json && !self.prints_json()
    }

    /// The engine's options.
    ///
    /// # Errors
    /// One line that names the option whose value is invalid.
    pub(crate) fn options(&self) -> Result<VerifyOptions, String> {
        // A timetable takes effect before the first byte.
        let rate = self.limit()?.only_rate().unwrap_or(Rate::Off);
        let options = VerifyOptions::default()
            .selection(match (self.all, self.sample, self.since) {
                (true, ..) => Selection::All,
                (_, Some(sample), _) => Selection::Sample(sample),
                (.., Some(run)) => Selection::Since(run),
                _ => Selection::Unverified,
            })
            .bandwidth(rate.bandwidth().unwrap_or(Bandwidth::Unlimited))
            .hash_both(self.hash_both)
            .checksum(self.checksum)
            .lanes(self.lanes)
            .modify_window(self.modify_window);
        options.check().map_err(|error| error.to_string())?;
        Ok(options)
    }
}

/// A value of `--sample`: `1%`, `0.25%` or `1000`.
fn parse_sample(text: &str) -> Result<Sample, String> {
    const WHOLE: f64 = 1e6;
    let wrong = || format!("`{text}` is not a sample: use a share such as 1%, or a number of files such as 1000");
    match text.strip_suffix('%') {
        Some(share) => {
            let millionths = share.trim().parse::<f64>().map_err(|_| wrong())? * WHOLE / 100.0;
            match millionths.round() {
                share if (1.0..=WHOLE).contains(&share) => Ok(Sample::PerMillion(share as u32)),
                _ => Err(format!("`{text}`: a share is from 0.0001% to 100%")),
            }
        }
        None => match text.parse() {
            Ok(0) | Err(_) => Err(wrong()),
            Ok(files) => Ok(Sample::Files(files)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_shares_and_numbers() {
        for (text, sample) in [
            ("1%", Sample::PerMillion(10_000)),
            ("0.25%", Sample::PerMillion(2_500)),
            ("100%", Sample::PerMillion(1_000_000)),
            ("0.0001%", Sample::PerMillion(1)),
            ("1", Sample::Files(1)),
            ("1000000", Sample::Files(1_000_000)),
        ] {
            assert_eq!(parse_sample(text), Ok(sample), "{text}");
        }
        for text in ["", "0", "0%", "101%", "-1%", "1.5", "some", "%", "NaN%", "0.00001%"] {
            assert!(parse_sample(text).unwrap_err().contains('%'), "{text}");
        }
    }
}
