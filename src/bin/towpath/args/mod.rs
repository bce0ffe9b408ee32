//! The command line: each option is declared here, once.

pub(crate) mod bwlimit;
mod filters;
pub(crate) mod rsync;
mod since;
mod size;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::Styles;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use towpath_backend::registry::{InvalidLocation, Location};

use bwlimit::{BwLimit, parse_bwlimit};
use filters::FilterArguments;
use size::{parse_count, parse_duration, parse_interval, parse_positive_size, parse_rate};
use towpath::{AfterBacklog, Algorithm, Bandwidth, HardLinks, Links, MaxDelete, Mirror, Options, Specials, WriteMode};

/// Migrates huge file trees between mounted shares, within a bandwidth limit,
/// and proves afterwards what it did.
#[derive(Debug, Parser)]
#[command(name = "towpath", version, max_term_width = 100, styles = Styles::plain())]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Sync(Box<SyncArguments>),
    Backends(BackendsArguments),
}

/// Lists what this program can open: paths, and the services that were built in, with their
/// options and the environment variables that give these.
#[derive(Args, Debug)]
#[command(after_help = "\
OPTIONS OF BACKENDS
  Of a URL (s3://bucket/prefix?region=eu-central-1), before those of the configuration file,
  before those of the environment. The file has sections by scheme and by URL:

  [s3]
  endpoint = \"https://s3.example.org\"

  [\"s3://archive\"]
  secret_access_key = \"...\"")]
pub(crate) struct BackendsArguments {
    /// How it is listed: lines for people, or a JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Brings DEST in sync with SOURCE: sends every file that DEST lacks, or has
/// with another size or mtime.
///
/// What is to be done is kept in a database, so that the same command takes up
/// an interrupted migration where it stopped, without looking through the trees
/// again. Every file ends with a line in the log: sent with its checksum, or
/// failed with the reason. Nothing is deleted from DEST unless --delete-extras asks for it.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLE
  towpath sync /mnt/old /mnt/new --bwlimit 20M

  Stop it with Ctrl-C, or lose the machine: the same command goes on.

SIZES AND RATES
  K, M, G, T (or KiB, MiB, …) are powers of 1024; KB, MB, GB, TB of 1000.

EXIT STATUS
  0 all in sync; 1 could not run; 2 wrong usage; 3 finished, but some files are not in sync;
  4 a safety guard refused; 129, 130, 143 stopped by a signal, with the state saved.")]
pub(crate) struct SyncArguments {
    /// The tree to read from: any mounted directory, or a URL of one of `towpath backends`
    #[arg(value_parser = parse_location())]
    pub(crate) source: Given,

    /// The tree to write into: a mounted directory, made if only its last part is missing, or a URL
    #[arg(value_parser = parse_location())]
    pub(crate) dest: Given,

    // Values of numbers may begin with a hyphen: `--bwlimit -1` is then answered
    // with what a rate is, rather than with "unexpected argument".
    /// The most to read, and the most to write, per second (for example 20M), or `auto` to take
    /// only what the others on the link leave; `off`, or 0, is no limit [default: off]
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, value_parser = parse_bwlimit)]
    pub(crate) bwlimit: Option<BwLimit>,

    /// With --bwlimit auto: the most that it may become
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, requires = "bwlimit", value_parser = parse_rate)]
    pub(crate) bwlimit_max: Option<u64>,

    /// The checksum to compute while reading: md5, sha1, sha256 or blake2b
    #[arg(long, value_name = "ALGORITHM", default_value_t)]
    pub(crate) checksum: Algorithm,

    /// The database that remembers what is done; on a local disk [default: a file for this pair
    /// of trees in ~/.local/state/towpath]
    #[arg(long, value_name = "FILE")]
    pub(crate) database: Option<PathBuf>,

    /// The log that gets a line of JSON for each file [default: beside the default database]
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,

    /// The file with options of backends, for its owner alone [default: ~/.config/towpath/config.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Scan both trees even if a backlog from an earlier run is at hand
    #[arg(long)]
    pub(crate) rescan: bool,

    /// After the backlog of an interrupted run, scan both trees in the same run and send the rest
    #[arg(long, conflicts_with_all = ["rescan", "accept_new_tree"])]
    pub(crate) then_scan: bool,

    /// Send only the backlog of the last run, what is pending or failed in it, without a scan
    #[arg(long, conflicts_with_all = ["then_scan", "rescan", "accept_new_tree", "dry_run"])]
    pub(crate) no_scan: bool,

    /// Once, after SOURCE or DEST, or a file system mounted inside one of them, was replaced by
    /// another on purpose: take the trees as they are now. Scans again, and deletes nothing
    #[arg(long, conflicts_with = "delete_extras")]
    pub(crate) accept_new_tree: bool,

    /// What becomes of symbolic links: made anew with the same target, left out, or what they lead
    /// to copied in their place (never from outside the source)
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = LinksArgument::Copy, help_heading = "What arrives")]
    pub(crate) links: LinksArgument,

    /// What becomes of files with several names: these are kept where the destination can, or each
    /// becomes a file of its own
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = HardLinksArgument::Keep, help_heading = "What arrives")]
    pub(crate) hard_links: HardLinksArgument,

    /// Special files (FIFOs, sockets, devices), which are never copied: counted and logged, or
    /// reported as failed, with exit status 3
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = SpecialsArgument::Skip, help_heading = "What arrives")]
    pub(crate) specials: SpecialsArgument,

    /// Apply the source's permissions
    #[arg(long, help_heading = "What arrives")]
    pub(crate) perms: bool,

    /// Apply the source's user and group
    #[arg(long, help_heading = "What arrives")]
    pub(crate) owner: bool,

    /// Keep extended attributes and ACLs of what is sent
    #[arg(long, help_heading = "What arrives")]
    pub(crate) xattrs: bool,

    /// How a file at DEST is replaced: written over, or written beside it under a hidden name and
    /// then renamed
    #[arg(long, value_name = "HOW", value_enum, default_value_t = WriteModeArgument::Inplace, help_heading = "What arrives")]
    pub(crate) write_mode: WriteModeArgument,

    /// Delete from DEST what SOURCE does not have, after everything was sent
    #[arg(long, help_heading = "Deletion")]
    pub(crate) delete_extras: bool,

    /// The most files to delete, as a number or in percent of DEST's files; if there are more,
    /// none is deleted [default: 10%, and at least 100]
    #[arg(long, value_name = "N", requires = "delete_extras", value_parser = parse_max_delete, help_heading = "Deletion")]
    pub(crate) max_delete: Option<MaxDelete>,

    /// Delete also from other file systems that are mounted inside DEST
    #[arg(long, requires = "delete_extras", help_heading = "Deletion")]
    pub(crate) delete_other_file_systems: bool,

    /// Move what would be deleted into this directory, which keeps its tree; on the same file
    /// system as DEST
    #[arg(long, value_name = "DIR", requires = "delete_extras", help_heading = "Deletion")]
    pub(crate) trash: Option<PathBuf>,

    /// Scan, list what would be done and why, sorted by path, and change nothing at DEST
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// How --dry-run lists it: lines for people, or a JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text, requires = "dry_run")]
    pub(crate) format: Format,

    /// mtimes that differ by no more are the same (for example 2s) [default: as precise as the
    /// coarser of the two file systems]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_duration)]
    pub(crate) modify_window: Option<Duration>,

    /// Files under way at the same time; at most half of them large ones (1 MiB or more)
    /// [default: as many as suit the storages, 16 for most]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = parse_count)]
    pub(crate) lanes: Option<usize>,

    /// Directories read at the same time, on each side
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value_t = Options::default().walkers, value_parser = parse_count)]
    pub(crate) walkers: usize,

    /// Size of the blocks that files are cut into
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, default_value = "5M", value_parser = parse_positive_size)]
    pub(crate) block_size: usize,

    /// Blocks held in memory between reading and writing: queue capacity x block size bounds
    /// the memory
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value_t = Options::default().queue_capacity, value_parser = parse_count)]
    pub(crate) queue_capacity: usize,

    /// Print only errors; with --dry-run also the totals
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print each file that was sent; twice: also what the engine does
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Time between lines of progress when the output is no terminal
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "30s", value_parser = parse_interval)]
    pub(crate) progress_interval: Duration,

    #[command(flatten)]
    pub(crate) filters: FilterArguments,
}

/// What `--format` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// What `--links` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinksArgument {
    Copy,
    Skip,
    Follow,
}

/// What `--hard-links` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HardLinksArgument {
    Keep,
    Copy,
}

/// What `--specials` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SpecialsArgument {
    Skip,
    Fail,
}

/// What `--write-mode` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WriteModeArgument {
    Inplace,
    Atomic,
}

/// What SOURCE and DEST take: a location, or why it is none. The parser of the command line
/// would repeat what was given, and that may hold a password.
#[derive(Clone, Debug)]
pub(crate) struct Given(Result<Location, InvalidLocation>);

impl Given {
    pub(crate) fn location(&self) -> Result<&Location, String> {
        self.0.as_ref().map_err(InvalidLocation::to_string)
    }
}

fn parse_location() -> impl TypedValueParser<Value = Given> {
    OsStringValueParser::new().map(|text| Given(Location::parse(&text)))
}

/// What `--max-delete` takes: `500`, `5%`.
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
    /// The limit, if it is known beforehand.
    pub(crate) fn fixed_limit_bytes_per_s(&self) -> Option<u64> {
        match self.bwlimit {
            Some(BwLimit::Fixed(limit)) => Some(limit),
            _ => None,
        }
    }

    fn bandwidth(&self) -> Result<Bandwidth, String> {
        match (self.bwlimit, self.bwlimit_max) {
            (None | Some(BwLimit::Off), None) | (None, Some(_)) => Ok(Bandwidth::Unlimited),
            (Some(BwLimit::Auto), max_bytes_per_s) => Ok(Bandwidth::Auto { max_bytes_per_s }),
            (Some(BwLimit::Fixed(limit)), None) => Ok(Bandwidth::Limit(limit)),
            (Some(BwLimit::Fixed(_) | BwLimit::Off), Some(_)) => {
                Err("--bwlimit-max is for --bwlimit auto; a fixed rate is its own maximum".to_owned())
            }
        }
    }

    /// What the engine is told.
    ///
    /// # Errors
    /// One line that names the option whose value cannot be used.
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
    fn the_most_to_delete_is_a_number_or_a_share() {
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
