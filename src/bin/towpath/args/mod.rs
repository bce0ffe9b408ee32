//! The command line: each option is declared here, once.

pub(crate) mod bwlimit;
pub(crate) mod ctl;
mod deadline;
mod filters;
mod listen;
mod location;
pub(crate) mod rsync;
pub(crate) mod run_address;
mod since;
mod size;
mod status;
mod until;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::Styles;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::timetable::{Rate, Timetable};
use bwlimit::{TimetableArguments, parse_bwlimit};
use ctl::CtlArguments;
use deadline::parse_deadline;
use filters::FilterArguments;
use listen::ListenArguments;
pub(crate) use location::LocationArgument;
use location::parse_location;
use size::{parse_count, parse_duration, parse_interval, parse_positive_size, parse_rate};
pub(crate) use status::StatusArguments;
use towpath::{AfterBacklog, Algorithm, Bandwidth, HardLinks, Links, MaxDelete, Mirror, Options, Specials, WriteMode};

/// Migrate huge file trees between mounted shares within a bandwidth limit, with proof of what was done.
#[derive(Debug, Parser)]
#[command(name = "towpath", version, max_term_width = 100, styles = Styles::plain())]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Sync(Box<SyncArguments>),
    Status(StatusArguments),
    Ctl(CtlArguments),
    Timetable(TimetableArguments),
    Backends(BackendsArguments),
}

/// List the storages that this build can open, with their options and the environment variables
/// that set them.
#[derive(Args, Debug)]
#[command(after_help = "\
OPTIONS OF BACKENDS
  Options come from the URL (s3://bucket/prefix?region=eu-central-1), then the configuration
  file, then the environment; the first one counts. The file has sections by scheme and by URL:

  [s3]
  endpoint = \"https://s3.example.org\"

  [\"s3://archive\"]
  secret_access_key = \"...\"")]
pub(crate) struct BackendsArguments {
    /// Output format: text, or one JSON object per line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Bring DEST in sync with SOURCE: send each file that is missing at DEST or has another size or
/// mtime there.
///
/// A database keeps what is pending, so that the same command resumes an interrupted migration
/// without scanning again. Each file gets a line in the log: sent, with its checksum, or failed,
/// with the reason. Nothing is deleted from DEST without --delete-extras.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLE
  towpath sync /mnt/old /mnt/new --bwlimit 20M

  After Ctrl-C or a crash, the same command resumes.

SIZES AND RATES
  K, M, G, T (or KiB, MiB, …) are powers of 1024; KB, MB, GB, TB of 1000.

EXIT STATUS
  0 all files in sync; 1 could not run; 2 usage error; 3 finished, but some files are not in
  sync; 4 guard refusal; 129, 130, 143 stopped by a signal, with the state saved.")]
pub(crate) struct SyncArguments {
    /// Tree to read: a mounted directory, or a URL (see `towpath backends`)
    #[arg(value_parser = parse_location())]
    pub(crate) source: LocationArgument,

    /// Tree to write: a mounted directory, created if only its last component is missing, or a URL
    #[arg(value_parser = parse_location())]
    pub(crate) dest: LocationArgument,

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

    /// File with options of backends, readable by its owner only [default:
    /// ~/.config/towpath/config.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Scan both trees even if an earlier run left a backlog
    #[arg(long)]
    pub(crate) rescan: bool,

    /// Resume the backlog of an interrupted run, then scan both trees and send the rest
    #[arg(long, conflicts_with_all = ["rescan", "accept_new_tree"])]
    pub(crate) then_scan: bool,

    /// Send only what is pending or failed in the last run's backlog, without a scan
    #[arg(long, conflicts_with_all = ["then_scan", "rescan", "accept_new_tree", "dry_run"])]
    pub(crate) no_scan: bool,

    /// Accept that SOURCE or DEST, or a file system mounted inside one of them, was replaced on
    /// purpose. Scan both trees, and delete nothing; use it once
    #[arg(long, conflicts_with = "delete_extras")]
    pub(crate) accept_new_tree: bool,

    /// Symbolic links: copy them with the same target, skip them, or follow them and copy what they
    /// point to (never outside SOURCE)
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = LinksArgument::Copy, help_heading = "What is copied")]
    pub(crate) links: LinksArgument,

    /// Hard links: keep them where DEST can, or copy each name as a separate file
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = HardLinksArgument::Keep, help_heading = "What is copied")]
    pub(crate) hard_links: HardLinksArgument,

    /// Special files (FIFOs, sockets, devices), which are never copied: skip and log them, or
    /// report them as failed, with exit status 3
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = SpecialsArgument::Skip, help_heading = "What is copied")]
    pub(crate) specials: SpecialsArgument,

    /// Apply the source's permissions
    #[arg(long, help_heading = "What is copied")]
    pub(crate) perms: bool,

    /// Apply the source's user and group
    #[arg(long, help_heading = "What is copied")]
    pub(crate) owner: bool,

    /// Apply the source's extended attributes and ACLs to what is sent
    #[arg(long, help_heading = "What is copied")]
    pub(crate) xattrs: bool,

    /// How to replace a file at DEST: overwrite it, or write a hidden partial file beside it and
    /// rename that
    #[arg(long, value_name = "HOW", value_enum, default_value_t = WriteModeArgument::Inplace, help_heading = "What is copied")]
    pub(crate) write_mode: WriteModeArgument,

    /// Delete entries of DEST that SOURCE does not have, after all files were sent
    #[arg(long, help_heading = "Deletion")]
    pub(crate) delete_extras: bool,

    /// Delete nothing if more files than this would be deleted: a number, or a percentage of
    /// DEST's files [default: 10%, and at least 100]
    #[arg(long, value_name = "N", requires = "delete_extras", value_parser = parse_max_delete, help_heading = "Deletion")]
    pub(crate) max_delete: Option<MaxDelete>,

    /// Also delete extras on other file systems that are mounted inside DEST
    #[arg(long, requires = "delete_extras", help_heading = "Deletion")]
    pub(crate) delete_other_file_systems: bool,

    /// Move deleted entries into this directory, with their paths, instead of deleting them; on
    /// the same file system as DEST
    #[arg(long, value_name = "DIR", requires = "delete_extras", help_heading = "Deletion")]
    pub(crate) trash: Option<PathBuf>,

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

    /// Interval of progress lines when the output is not a terminal
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "30s", value_parser = parse_interval)]
    pub(crate) progress_interval: Duration,

    #[command(flatten)]
    pub(crate) listen: ListenArguments,

    #[command(flatten)]
    pub(crate) filters: FilterArguments,
}

/// The values of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// The values of `--links`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinksArgument {
    Copy,
    Skip,
    Follow,
}

/// The values of `--hard-links`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HardLinksArgument {
    Keep,
    Copy,
}

/// The values of `--specials`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SpecialsArgument {
    Skip,
    Fail,
}

/// The values of `--write-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WriteModeArgument {
    Inplace,
    Atomic,
}

/// Parses the values of `--max-delete`: `500`, `5%`.
fn parse_max_delete(text: &str) -> Result<MaxDelete, String> {
    let wrong = || format!("`{text}` is neither a number of files, such as 500, nor a percentage from 0% to 100%");
    match text.strip_suffix('%') {
        Some(percent) => match percent.parse() {
            Ok(percent @ 0..=100) => Ok(MaxDelete::Percent(percent)),
            _ => Err(wrong()),
        },
        None => text.parse().map(MaxDelete::Files).map_err(|_| wrong()),
    }
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

    /// The engine's options.
    ///
    /// # Errors
    /// One line that names the option whose value is invalid.
    pub(crate) fn options(&self) -> Result<Options, String> {
        Ok(Options::default()
            .bandwidth(self.bandwidth()?)
            .checksum(self.checksum)
            .block_size_bytes(self.block_size)
            .queue_capacity(self.queue_capacity)
            .lanes(self.lanes)
            .walkers(self.walkers)
            .modify_window(self.modify_window)
            .links(match self.links {
                LinksArgument::Copy => Links::Copy,
                LinksArgument::Skip => Links::Skip,
                LinksArgument::Follow => Links::Follow,
            })
            .hard_links(match self.hard_links {
                HardLinksArgument::Keep => HardLinks::Keep,
                HardLinksArgument::Copy => HardLinks::Copy,
            })
            .specials(match self.specials {
                SpecialsArgument::Skip => Specials::Skip,
                SpecialsArgument::Fail => Specials::Fail,
            })
            .write_mode(match self.write_mode {
                WriteModeArgument::Inplace => WriteMode::InPlace,
                WriteModeArgument::Atomic => WriteMode::Atomic,
            })
            .keep_permissions(self.perms)
            .keep_owner(self.owner)
            .keep_xattrs(self.xattrs)
            .mirror(self.mirror())
            .filter(self.filters.filter()?)
            .delete_excluded(self.filters.delete_excluded)
            .rescan(self.rescan)
            .after_backlog(match (self.then_scan, self.no_scan) {
                (true, _) => AfterBacklog::Scan,
                (false, true) => AfterBacklog::Stop,
                (false, false) => AfterBacklog::Auto,
            })
            .accept_new_tree(self.accept_new_tree))
    }

    fn mirror(&self) -> Option<Mirror> {
        let mirror = Mirror::default()
            .max_delete(self.max_delete.unwrap_or_default())
            .discard(self.trash.is_some())
            .other_file_systems(self.delete_other_file_systems);
        self.delete_extras.then_some(mirror)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_maximum_to_delete_is_a_number_or_a_percentage() {
        assert_eq!(parse_max_delete("500"), Ok(MaxDelete::Files(500)));
        assert_eq!(parse_max_delete("5%"), Ok(MaxDelete::Percent(5)));
        for wrong in ["", "%", "101%", "-1", "5.5%", "many", "1K"] {
            assert!(parse_max_delete(wrong).is_err_and(|problem| problem.contains(wrong)), "{wrong}");
        }
    }

    #[test]
    fn defaults_are_those_of_the_library() {
        let Command::Sync(arguments) = Arguments::parse_from(["towpath", "sync", "a", "b"]).command else {
            panic!("is `sync`")
        };
        let (given, default) = (arguments.options().unwrap(), Options::default());
        assert_eq!(format!("{given:?}"), format!("{default:?}"));
    }
}
