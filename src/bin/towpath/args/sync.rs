//! `towpath sync`: its options, and what they mean to the engine.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use towpath::{AfterBacklog, Algorithm, Bandwidth, ErrorFilter, Options};

use super::bwlimit::{self, parse_bwlimit};
use super::copied::CopiedArguments;
use super::deadline::parse_deadline;
use super::deletion::DeletionArguments;
use super::filters::FilterArguments;
use super::format::{Format, ProgressKind};
use super::hooks::HookArguments;
use super::listen::ListenArguments;
use super::location::{LocationArgument, parse_location};
use super::metrics::MetricsArguments;
use super::size::{parse_count, parse_duration, parse_interval, parse_positive_size, parse_rate, parse_size};
use crate::config::ConfigFile;
use crate::config::setting::Settings;
use crate::timetable::{Rate, Timetable};

/// Bring DEST in sync with SOURCE: send each file that is missing at DEST or has another size or
/// mtime there.
///
/// A database keeps what is pending, so that the same command resumes an interrupted migration
/// without scanning again. Each file gets a line in the log: sent, with its checksum, or failed,
/// with the reason. Nothing is deleted from DEST without --delete-extras.
#[derive(Args, Debug)]
#[command(
    override_usage = "\
towpath sync [OPTIONS] <SOURCE> <DEST>
       towpath sync [OPTIONS] --job <NAME>",
    after_help = "\
EXAMPLE
  towpath sync /mnt/old /mnt/new --bwlimit 20M

  After Ctrl-C or a crash, the same command resumes.

JOBS AND ENVIRONMENT
  Options come from the command line, then from environment variables such as TOWPATH_BWLIMIT and
  TOWPATH_DELETE_EXTRAS, then from the job. --FLAG=false switches off what one of these switches on.
  `towpath config show` prints all values and where they are from.

SIZES AND RATES
  K, M, G, T (or KiB, MiB, …) are powers of 1024; KB, MB, GB, TB of 1000.

EXIT STATUS
  0 all files in sync; 1 could not run; 2 usage error; 3 finished, but some files are not in
  sync; 4 guard refusal; 129, 130, 143 stopped by a signal, with the state saved."
)]
pub(crate) struct SyncArguments {
    /// Tree to read: a mounted directory, or a URL (see `towpath backends`). With --job it may be left
    /// out
    #[arg(value_parser = parse_location())]
    pub(crate) source: LocationArgument,

    /// Tree to write: a mounted directory, created if only its last component is missing, or a URL
    #[arg(value_parser = parse_location())]
    pub(crate) dest: LocationArgument,

    /// Job of the configuration file: SOURCE, DEST and options. Options that are given as well come
    /// before those of the job
    #[arg(long, value_name = "NAME")]
    pub(crate) job: Option<String>,

    // Numbers may begin with a hyphen, so that the error for `--bwlimit -1` says what a rate is instead of
    // "unexpected argument".
    /// Limit for reading and for writing, per second (for example 20M); `auto` adapts to the other
    /// traffic on the link, `auto:50M` up to that rate; `off` or 0 means no limit, `pause` that
    /// nothing is sent; or a timetable of these (for example "08:00,5M 18:00,off"; see `towpath
    /// timetable`) [default: off]
    #[arg(long, value_name = "LIMIT", allow_hyphen_values = true, value_parser = parse_bwlimit)]
    pub(crate) bwlimit: Option<Timetable>,

    /// With --bwlimit auto: the highest limit
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, requires = "bwlimit", value_parser = parse_rate)]
    pub(crate) bwlimit_max: Option<u64>,

    /// Warn when the end is expected after this date, or date and time, in local time or RFC 3339,
    /// and say which limit would be enough
    #[arg(long, value_name = "DATE", value_parser = parse_deadline)]
    pub(crate) deadline: Option<jiff::Timestamp>,

    /// Checksum to compute while reading: md5, sha1, sha256 or blake2b
    #[arg(long, value_name = "ALGORITHM", default_value_t)]
    pub(crate) checksum: Algorithm,

    /// Database of the migration, on a local disk [default: a file for this pair of trees in
    /// ~/.local/state/towpath]
    #[arg(long, value_name = "FILE")]
    pub(crate) database: Option<PathBuf>,

    /// Audit log, with one JSON line per file [default: beside the default database]
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,

    /// Link each line of the log to the one before, so that `towpath audit check` finds any change;
    /// later runs continue the chain
    #[arg(long)]
    pub(crate) audit_chain: bool,

    /// Close the log before it exceeds this size, as FILE.1, FILE.2 and so on, and begin another
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = parse_size)]
    pub(crate) log_rotate: Option<u64>,

    /// File with jobs and options of backends, readable by its owner only [default:
    /// ~/.config/towpath/config.toml, or where that is missing /etc/towpath/config.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Scan both trees even if an earlier run left a backlog
    #[arg(long)]
    pub(crate) rescan: bool,

    /// Resume the backlog of an interrupted run, then scan both trees and send the rest
    #[arg(long, conflicts_with_all = ["rescan", "accept_new_tree"])]
    pub(crate) then_scan: bool,

    /// Scan both trees first if the backlog of an interrupted run is older than this (for example 24h),
    /// and send what is still pending together with what the scan finds
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "no_scan", value_parser = parse_duration)]
    pub(crate) rescan_after: Option<Duration>,

    /// Send only what is pending or failed in the last run's backlog, without a scan
    #[arg(long, conflicts_with_all = ["then_scan", "rescan", "accept_new_tree", "dry_run"])]
    pub(crate) no_scan: bool,

    /// Accept that SOURCE or DEST, or a file system mounted inside one of them, was replaced on
    /// purpose. Scan both trees, and delete nothing; use it once
    #[arg(long, conflicts_with = "delete_extras")]
    pub(crate) accept_new_tree: bool,

    /// Scan, list what would be done and why, sorted by path, and change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Output format of --dry-run: text, or one JSON object per line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text, requires = "dry_run")]
    pub(crate) format: Format,

    /// Treat mtimes that differ by no more than this as equal (for example 2s) [default: the
    /// precision of the coarser file system]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_duration)]
    pub(crate) modify_window: Option<Duration>,

    /// Files in flight at the same time: a lane transfers one file at a time, and at most half of
    /// the lanes take large files (1 MiB or more) [default: depends on the storages, 16 for most]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = parse_count)]
    pub(crate) lanes: Option<usize>,

    /// Directories to read at the same time, on each side
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value_t = Options::default().walkers, value_parser = parse_count)]
    pub(crate) walkers: usize,

    /// Size of the blocks that files are read and written in
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, default_value = "5M", value_parser = parse_positive_size)]
    pub(crate) block_size: usize,

    /// Blocks in memory between reading and writing: queue capacity x block size bounds the memory
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value_t = Options::default().queue_capacity, value_parser = parse_count)]
    pub(crate) queue_capacity: usize,

    /// Print only errors; with --dry-run also the totals
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print each file that was sent; given twice, also diagnostics of the engine
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Progress as bars on a terminal, as lines, as one JSON object per line with all events, or not at
    /// all [default: bar on a terminal, else lines]
    #[arg(long, value_name = "KIND", value_enum, conflicts_with = "quiet")]
    pub(crate) progress: Option<ProgressKind>,

    /// Interval of progress lines, or JSON objects, when no bars are shown
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "30s", value_parser = parse_interval)]
    pub(crate) progress_interval: Duration,

    // From here on, options have headings of their own.
    #[command(flatten)]
    pub(crate) copied: CopiedArguments,

    #[command(flatten)]
    pub(crate) deletion: DeletionArguments,

    #[command(flatten)]
    pub(crate) listen: ListenArguments,

    #[command(flatten)]
    pub(crate) metrics: MetricsArguments,

    #[command(flatten)]
    pub(crate) hooks: HookArguments,

    #[command(flatten)]
    pub(crate) filters: FilterArguments,

    /// The failed entries that alone are sent.
    #[arg(skip)]
    pub(crate) retry: Option<ErrorFilter>,

    /// Where the values are from.
    #[arg(skip)]
    pub(crate) settings: Settings,

    /// Whether `towpath assess` uses them, which reports what it finds itself.
    #[arg(skip)]
    pub(crate) assesses: bool,

    /// The configuration file, if the job was read from it.
    #[arg(skip)]
    pub(crate) config_file: Option<ConfigFile>,
}

impl SyncArguments {
    /// The values of the limit.
    ///
    /// # Errors
    /// One line, if `--bwlimit-max` has no meaning.
    pub(crate) fn limit(&self) -> Result<Timetable, String> {
        bwlimit::limit(self.bwlimit.as_ref(), self.bwlimit_max)
    }

    /// The limit, if it is fixed.
    pub(crate) fn fixed_limit_bytes_per_s(&self) -> Option<u64> {
        match self.bwlimit.as_ref()?.only_rate() {
            Some(Rate::Fixed(limit)) => Some(limit),
            _ => None,
        }
    }

    /// The limit at the start; a dry run has none that depends on the time.
    fn bandwidth(&self) -> Result<Bandwidth, String> {
        let limit = self.limit()?;
        let rate = match limit.only_rate() {
            Some(rate) => rate,
            None if self.dry_run => Rate::Off,
            None => limit.at(&jiff::Timestamp::now().to_zoned_datetime(bwlimit::local_zone()?)),
        };
        Ok(rate.bandwidth().unwrap_or_default())
    }

    /// Whether standard output has JSON objects only.
    pub(crate) fn prints_json(&self) -> bool {
        self.progress == Some(ProgressKind::Json)
    }

    /// Whether standard output has text for people.
    pub(crate) fn prints_text(&self) -> bool {
        !self.quiet && self.format == Format::Text && !self.prints_json()
    }

    /// The engine's options.
    ///
    /// # Errors
    /// One line that names the option whose value is invalid.
    pub(crate) fn options(&self) -> Result<Options, String> {
        if self.prints_json() && self.dry_run {
            return Err("--progress json has no steps of a dry run: use --dry-run --format json".to_owned());
        }
        let options = self.copied.add_to(Options::default());
        Ok(options
            .bandwidth(self.bandwidth()?)
            .checksum(self.checksum)
            .block_size_bytes(self.block_size)
            .queue_capacity(self.queue_capacity)
            .lanes(self.lanes)
            .walkers(self.walkers)
            .modify_window(self.modify_window)
            .mirror(self.deletion.mirror())
            .filter(self.filters.filter()?)
            .delete_excluded(self.filters.delete_excluded)
            .rescan(self.rescan)
            .rescan_after(self.rescan_after)
            .after_backlog(match (self.then_scan, self.no_scan) {
                (true, _) => AfterBacklog::Scan,
                (false, true) => AfterBacklog::Stop,
                (false, false) => AfterBacklog::Auto,
            })
            .accept_new_tree(self.accept_new_tree)
            .retry(self.retry.clone())
            .audit_chain(self.audit_chain)
            .max_log_bytes(self.log_rotate))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    #[test]
    fn defaults_are_those_of_the_library() {
        let Command::Sync(arguments) = Arguments::parse_from(["towpath", "sync", "a", "b"]).command else {
            panic!("is `sync`")
        };
        let (given, default) = (arguments.options().unwrap(), Options::default());
        assert_eq!(format!("{given:?}"), format!("{default:?}"));
    }
}
