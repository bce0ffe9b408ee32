//! The arguments of `towpath ctl`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::bwlimit::parse_value;
use super::run_address::{JobArguments, RunAddress, RunName, name_of};
use super::until::{parse_for, parse_until};

/// Pause, resume or stop a run, or change its limit.
///
/// A run is addressed by its trees or by its database, from its machine, by its user or root. Each
/// change takes effect within a second and is in the log.
#[derive(Args, Debug)]
#[command(after_help = "\
EXIT STATUS
  0 done; 1 no run answers, or it cannot do that; 2 usage error.")]
pub(crate) struct CtlArguments {
    #[command(subcommand)]
    pub(crate) action: CtlAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CtlAction {
    /// Request nothing more until the run is resumed
    Pause {
        #[command(flatten)]
        run: RunAddress,

        /// Resume then: 18:00 (the next one), 2026-12-24T08:00, or a time with its UTC offset
        #[arg(long, value_name = "TIME", value_parser = parse_until)]
        until: Option<Timestamp>,
    },
    /// Go on
    Resume {
        #[command(flatten)]
        run: RunAddress,
    },
    /// End the run with its state saved: the same command resumes
    Stop {
        #[command(flatten)]
        run: RunAddress,

        /// Finish the files in flight first
        #[arg(long)]
        after_current: bool,
    },
    Limit(LimitArguments),
}

/// Set the limit, instead of that of the command line or the timetable
#[derive(Args, Debug)]
#[command(override_usage = "\
towpath ctl limit RATE [--for TIME | --until TIME] <SOURCE DEST | --database FILE | --job NAME>
       towpath ctl limit --reset <SOURCE DEST | --database FILE | --job NAME>")]
pub(crate) struct LimitArguments {
    /// RATE is a value of --bwlimit (for example 20M, off, auto); SOURCE and DEST are as given to
    /// `towpath sync`
    // Which is which depends on --reset.
    #[arg(value_name = "RATE SOURCE DEST", num_args = 0..=3, allow_hyphen_values = false)]
    words: Vec<OsString>,

    /// Return to the limit of the command line or the timetable
    #[arg(long, conflicts_with_all = ["for_time", "until"])]
    reset: bool,

    /// How long the limit holds, for example 2h [default: until the run ends]
    #[arg(long = "for", id = "for_time", value_name = "TIME", value_parser = parse_for, conflicts_with = "until")]
    for_time: Option<Duration>,

    /// When the limit ends: 18:00 (the next one), 2026-12-24T08:00, or a time with its UTC offset
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    until: Option<Timestamp>,

    /// Database of the migration, instead of SOURCE and DEST
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,

    #[command(flatten)]
    job: JobArguments,
}

/// What `limit` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LimitAction {
    /// `rate` is a valid text of a single value.
    Set {
        rate: String,
        until: Option<Timestamp>,
    },
    Reset,
}

impl LimitArguments {
    /// The change, and the run that is meant.
    ///
    /// # Errors
    /// One line: what is missing, too much or invalid.
    pub(crate) fn action(&self) -> Result<(LimitAction, RunName), String> {
        if self.reset {
            return Ok((LimitAction::Reset, name_of(&self.words, self.database.as_ref(), &self.job)?));
        }
        let (rate, trees) = self.words.split_first().ok_or("give a rate (20M, off, auto), or --reset")?;
        let rate = rate.to_str().ok_or("the rate is not text")?;
        parse_value(rate)?;
        let until = match self.for_time {
            Some(time) => Some(Timestamp::now().checked_add(time).map_err(|_| "--for is too long")?),
            None => self.until,
        };
        Ok((LimitAction::Set { rate: rate.to_owned(), until }, name_of(trees, self.database.as_ref(), &self.job)?))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    fn parse(line: &str) -> Result<CtlAction, String> {
        let words = ["towpath", "ctl"].into_iter().chain(line.split_whitespace());
        match Arguments::try_parse_from(words).map_err(|error| error.to_string())?.command {
            Command::Ctl(arguments) => Ok(arguments.action),
            _ => panic!("is `ctl`"),
        }
    }

    fn limit(line: &str) -> Result<(LimitAction, RunName), String> {
        match parse(line)? {
            CtlAction::Limit(arguments) => arguments.action(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_limit_has_a_rate_or_is_reset() {
        for (line, expected) in [
            ("limit 20M /a /b", "Set { rate: \"20M\", until: None }, Trees(Path(\"/a\"), Path(\"/b\"))"),
            ("limit /a /b --reset", "Reset, Trees(Path(\"/a\"), Path(\"/b\"))"),
            ("limit --reset --database x", "Reset, Database(\"x\")"),
            ("limit --database x off", "Set { rate: \"off\", until: None }, Database(\"x\")"),
        ] {
            assert_eq!(format!("{:?}", limit(line).unwrap()), format!("({expected})"), "{line}");
        }
        let (LimitAction::Set { until: Some(until), .. }, _) = limit("limit 20M --for 2h /a /b").unwrap() else {
            panic!("has an end")
        };
        let hours = (until.as_second() - Timestamp::now().as_second()) as f64 / 3600.0;
        assert!((1.9..2.1).contains(&hours), "{hours}");
        for (line, problem) in [
            ("limit", "give a rate"),
            ("limit 20M", "either SOURCE and DEST, or --database, or --job"),
            ("limit 20M /a", "either SOURCE and DEST, or --database, or --job"),
            ("limit 20M /a /b --database x", "either SOURCE and DEST, or --database, or --job"),
            ("limit --reset 20M /a /b", "either SOURCE and DEST, or --database, or --job"),
            ("limit 20M --reset --for 2h /a /b", "cannot be used with"),
            ("limit 20M --for 2h --until 18:00 /a /b", "cannot be used with"),
            ("limit 20Q /a /b", "K, M, G"),
            ("limit /a /b", "K, M, G"),
            ("limit 1 2 3 4", "unexpected"),
        ] {
            let found = limit(line).unwrap_err();
            assert!(found.contains(problem), "{line}: {found}");
        }
    }

    #[test]
    fn runs_are_addressed_by_trees_or_database() {
        for line in ["pause /a /b", "resume --database x", "stop --after-current /a /b", "pause /a /b --until 18:00"] {
            let (CtlAction::Pause { run, .. } | CtlAction::Resume { run } | CtlAction::Stop { run, .. }) =
                parse(line).unwrap()
            else {
                panic!("{line}")
            };
            run.name().unwrap();
        }
        for line in
            ["", "pause", "pause /a", "pause /a /b --database x", "stop --until 18:00 /a /b", "pause --until x /a /b"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
