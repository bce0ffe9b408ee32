//! The filter options, and the filter that they result in.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::since::{Since, parse_since};
use super::size::parse_size;
use towpath::{Filter, Rule, Rules};

const HEADING: &str = "Filters";

// No doc comment: it would replace that of the command.
#[derive(Args, Debug)]
pub(crate) struct FilterArguments {
    #[command(flatten)]
    rules: RuleArguments,

    /// Exclude files larger than this (for example 2G)
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = parse_size, help_heading = HEADING)]
    max_size: Option<u64>,

    /// Exclude files smaller than this (for example 1: empty files)
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = parse_size, help_heading = HEADING)]
    min_size: Option<u64>,

    /// Exclude files whose mtime is not later than this: a date such as 2026-01-31 (local time), a
    /// time such as 2026-01-31T12:00:00Z, or an age such as 30d or 12h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_since, help_heading = HEADING)]
    newer_than: Option<Since>,

    /// Stay on one file system: a mount point inside SOURCE is created as an empty directory
    #[arg(short = 'x', long, help_heading = HEADING)]
    one_file_system: bool,

    /// With --delete-extras: also delete entries of DEST that the patterns exclude, even if SOURCE has them
    #[arg(long, requires = "delete_extras", help_heading = HEADING)]
    pub(crate) delete_excluded: bool,
}

impl FilterArguments {
    /// The filter, with the lists of patterns read.
    ///
    /// # Errors
    /// One line that names the option and what is wrong with it.
    pub(crate) fn filter(&self) -> Result<Filter, String> {
        Ok(Filter::default()
            .rules(self.rules.read()?)
            .max_size_bytes(self.max_size)
            .min_size_bytes(self.min_size)
            .newer_than(self.newer_than.map(|since| since.time))
            .newer_than_age(self.newer_than.and_then(|since| since.age))
            .one_file_system(self.one_file_system))
    }
}

/// `--exclude`, `--include` and `--exclude-from`, in the order of the command line. clap's derive keeps the order only
/// within one option.
#[derive(Debug, Default)]
struct RuleArguments(Vec<(RuleOption, OsString)>);

#[derive(Clone, Copy, Debug)]
enum RuleOption {
    Exclude,
    Include,
    ExcludeFrom,
}

impl RuleOption {
    const ALL: [Self; 3] = [Self::Exclude, Self::Include, Self::ExcludeFrom];

    fn name(self) -> &'static str {
        match self {
            Self::Exclude => "exclude",
            Self::Include => "include",
            Self::ExcludeFrom => "exclude-from",
        }
    }

    fn declaration(self) -> Arg {
        let (value, help) = match self {
            Self::Exclude => (
                "PATTERN",
                "Exclude entries that match, as in a .gitignore: *.tmp in every directory, /cache only \
                 at the root, cache/ only directories, ** across directories. May be repeated; the \
                 last matching pattern on the command line decides",
            ),
            Self::Include => (
                "PATTERN",
                "Include entries that match, even if an earlier pattern excludes them; but nothing \
                 below an excluded directory",
            ),
            Self::ExcludeFrom => (
                "FILE",
                "Read patterns from a file, one per line: to exclude, or after a ! to include; lines \
                 that begin with # are comments",
            ),
        };
        Arg::new(self.name())
            .long(self.name())
            .value_name(value)
            .value_parser(value_parser!(OsString))
            .allow_hyphen_values(true)
            .action(ArgAction::Append)
            .help(help)
            .help_heading(HEADING)
    }

    /// The rules of one value of this option.
    fn rules(self, value: &OsStr) -> Result<Vec<Rule>, String> {
        let bytes = value.as_bytes();
        let rule = match self {
            Self::Exclude => Rule::exclude(bytes),
            Self::Include => Rule::include(bytes),
            Self::ExcludeFrom => return list(Path::new(value)),
        };
        let option = format!("--{}", self.name());
        let rule = rule.map_err(|bad| format!("{option}: {bad}"))?;
        Ok(vec![rule.with_origin(option)])
    }
}

/// The rules of a file.
fn list(file: &Path) -> Result<Vec<Rule>, String> {
    let option = format!("--exclude-from {}", file.display());
    let text = fs::read(file).map_err(|error| format!("{option}: {error}"))?;
    let rules = Rule::list(&text).map_err(|bad| format!("{option}: {bad}"))?;
    let named = |rule: Rule| {
        let origin = format!("{option}: {}", rule.origin());
        rule.with_origin(origin)
    };
    Ok(rules.into_iter().map(named).collect())
}

impl RuleArguments {
    fn read(&self) -> Result<Rules, String> {
        let mut rules = Vec::new();
        for (option, value) in &self.0 {
            rules.extend(option.rules(value)?);
        }
        Rules::new(rules).map_err(|error| error.to_string())
    }
}

impl FromArgMatches for RuleArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found = Vec::new();
        for option in RuleOption::ALL {
            let values = matches.get_many::<OsString>(option.name()).into_iter().flatten();
            let indices = matches.indices_of(option.name()).into_iter().flatten();
            found.extend(indices.zip(values).map(|(index, value)| (index, (option, value.clone()))));
        }
        found.sort_by_key(|(index, _)| *index);
        Ok(Self(found.into_iter().map(|(_, rule)| rule).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for RuleArguments {
    fn augment_args(command: Command) -> Command {
        command.args(RuleOption::ALL.map(RuleOption::declaration))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command as Subcommand};
    use clap::Parser as _;

    fn parse(options: &[&str]) -> FilterArguments {
        let Subcommand::Sync(arguments) =
            Arguments::parse_from([&["towpath", "sync", "a", "b"][..], options].concat()).command
        else {
            panic!("is `sync`")
        };
        arguments.filters
    }

    #[test]
    fn the_order_of_the_command_line_counts_across_options() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list");
        fs::write(&file, "# comment\nc\n!d\n").unwrap();
        let from = format!("--exclude-from={}", file.display());
        let options = ["--include", "a", "--exclude=b", &from, "--exclude", "-e", "--include=f", "--exclude=a"];
        let filter = parse(&options).filter().unwrap();
        assert_eq!(filter.fingerprint(), "+ a\n- b\n- c\n+ d\n- -e\n+ f\n- a\n");
    }

    #[test]
    fn problems_name_the_option() {
        let problem = |options: &[&str]| parse(options).filter().unwrap_err();
        assert_eq!(problem(&["--exclude", "[a"]), "--exclude: pattern `[a` has a `[` without its `]`");
        assert!(problem(&["--include", "!a"]).starts_with("--include: pattern `!a` begins with `!`"));
        assert!(
            problem(&["--exclude-from", "/nowhere/list"]).starts_with("--exclude-from /nowhere/list: No such file")
        );
    }
}
