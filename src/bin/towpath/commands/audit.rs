//! `towpath audit check`: checks the chain of one or several logs.

mod log_end;
mod series;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use towpath::{ChainBreak, ChainCheck, Overview};

use self::series::{Missing, Placed};
use super::run_database::no_migration;
use crate::args::audit::{AuditAction, AuditArguments, AuditCheckArguments};
use crate::console::{output, plural};
use crate::exit::{ALL_IN_SYNC, COULD_NOT_RUN, ExitError, NOT_ALL_IN_SYNC};
use crate::format;

/// The most problems that are printed.
const MAX_PROBLEMS: u64 = 100;

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &AuditArguments) -> u8 {
    let AuditAction::Check(arguments) = &arguments.action;
    match check(arguments) {
        Ok(0) => ALL_IN_SYNC,
        Ok(problems) => {
            if problems > MAX_PROBLEMS {
                output::line(&format!("and {} more", problems - MAX_PROBLEMS));
            }
            NOT_ALL_IN_SYNC
        }
        Err(error) => error.report(),
    }
}

/// Prints what is wrong; returns how many problems there are.
fn check(arguments: &AuditCheckArguments) -> Result<u64, ExitError> {
    // Before the logs: a run that goes on appends to the log after it has recorded the end.
    let recorded = arguments.database.as_deref().map(recorded_end).transpose()?;
    let logs = match &arguments.logs[..] {
        [log] => series::around(log).map_err(|error| cannot_read(log, &error))?,
        logs => logs.iter().map(|log| Placed::alone(log)).collect(),
    };
    let mut check = Check::new(recorded, arguments.hash.clone());
    logs.iter().try_for_each(|log| check.log(log))?;
    let Some(last) = logs.last() else { return Ok(0) };
    let recorded = arguments.database.as_deref().map(recorded_end).transpose()?;
    check.end(last, recorded);
    if check.chain.linked_lines() == 0 {
        let problem = "no line is linked: the log was written without --audit-chain";
        return Err(ExitError(COULD_NOT_RUN, problem.to_owned()));
    }
    if check.problems == 0 {
        print_result(&check, &logs);
    }
    Ok(check.problems)
}

fn print_result(check: &Check, logs: &[Placed]) {
    let lines = check.chain.linked_lines();
    let of = match logs {
        [first, .., last] => format!(" in {} logs, {} to {},", logs.len(), shown(&first.path), shown(&last.path)),
        _ => String::new(),
    };
    let end = match &check.recorded {
        None => "",
        Some(end) if check.chain.end() == Some(end) => ", and the last is the one that the database has recorded",
        // A run goes on.
        Some(_) => ", and so far as the database had recorded them, none is missing",
    };
    output::line(&format!("{lines} lines{of} are whole and in order{end}"));
    if let Some(hash) = check.chain.end() {
        output::line(&format!("hash of the last line: {hash}"));
    }
}

/// A check that goes from log to log.
struct Check {
    chain: ChainCheck,
    problems: u64,
    /// The end that the database has recorded, and whether it was seen.
    recorded: Option<String>,
    has_recorded_end: bool,
    /// The first line after it.
    after_recorded: Option<String>,
    /// A hash that was kept elsewhere, and whether it was seen.
    kept: Option<String>,
    has_kept_hash: bool,
}

impl Check {
    fn new(recorded: Option<String>, kept: Option<String>) -> Self {
        Self {
            chain: ChainCheck::new(),
            problems: 0,
            recorded,
            has_recorded_end: false,
            after_recorded: None,
            kept,
            has_kept_hash: false,
        }
    }

    fn log(&mut self, log: &Placed) -> Result<(), ExitError> {
        let path = shown(&log.path);
        if let Some(name) = &log.closed_as {
            let name = format::escape(name.as_bytes());
            self.report(&format!("{path}: was closed as {name}: it was renamed, or exchanged with another log"));
        }
        if let Some(missing) = &log.missing {
            self.report(&format!("{path}, line 1: the log before it is missing: {}", described(missing)));
        }
        let (mut lines, mut carriage_returns) = (0, 0_u64);
        let rest = for_each_line(&log.path, |number, line| {
            lines = number;
            carriage_returns += u64::from(line.ends_with(b"\r"));
            let found = self.chain.line(line);
            if self.has_recorded_end && self.after_recorded.is_none() {
                self.after_recorded = Some(format!("{path}, line {number}"));
            }
            self.has_recorded_end |= self.recorded.is_some() && self.chain.end() == self.recorded.as_deref();
            self.has_kept_hash |= self.kept.is_some() && self.chain.end() == self.kept.as_deref();
            let Some(found) = found else { return };
            // What is missing explains it.
            let is_explained = number == 1 && log.missing.is_some();
            if !is_explained || !matches!(found, ChainBreak::Broken | ChainBreak::BeginningMissing) {
                self.report(&format!("{path}, line {number}: {found}"));
            }
            if number == 1 && found == ChainBreak::BeginningMissing && log.missing.is_none() {
                note_compressed(&log.path);
            }
        })
        .map_err(|error| cannot_read(&log.path, &error))?;
        if carriage_returns > 0 {
            let lines = plural(carriage_returns, "line ends", "lines end");
            let what = "with a carriage return: a transfer as text has changed the log";
            output::note(&format!("note: {path}: {lines} {what}"));
        }
        if !rest.is_empty() {
            let what = "is incomplete: a run is writing it, or the next one completes it";
            output::note(&format!("note: {path}, line {}: {what}", lines + 1));
        }
        Ok(())
    }

    /// Checks what is known of the end of the chain, which the database has recorded as `recorded` now.
    fn end(&mut self, last: &Placed, recorded: Option<String>) {
        let path = shown(&last.path);
        if let Some(missing) = &last.missing_after {
            self.report(&format!("{path}: the log after it is missing: {}", described(missing)));
        }
        if self.recorded.is_some() && !self.has_recorded_end {
            let what = "the last line that the database has recorded is missing; after a kill the next run writes it";
            self.report(&format!("{path}: {what}"));
        }
        // Unless a run went on meanwhile, nothing comes after it.
        if let Some(place) = self.after_recorded.take().filter(|_| recorded == self.recorded) {
            self.report(&format!("{place}: follows the last line that the database has recorded: it was added"));
        }
        if self.kept.is_some() && !self.has_kept_hash {
            self.report(&format!(
                "{path}: no line has the hash given with --hash: it was changed, or lines were removed"
            ));
        }
        let count = self.chain.unlinked_lines();
        if count > 0 {
            let lines = if count == 1 { "line is".to_owned() } else { format!("{count} lines are") };
            output::note(&format!("note: the first {lines} not linked: the chain begins after that"));
        }
    }

    fn report(&mut self, text: &str) {
        self.problems += 1;
        if self.problems <= MAX_PROBLEMS {
            output::line(text);
        }
    }
}

fn described(missing: &Missing) -> String {
    let name = format::escape(missing.name.as_bytes());
    match &missing.compressed {
        Some(compressed) => format!("{name}; decompress {} first", format::escape(compressed.as_bytes())),
        None => name,
    }
}

fn note_compressed(log: &Path) {
    let names = series::compressed_beside(log);
    if !names.is_empty() {
        let names: Vec<_> = names.iter().map(|name| format::escape(name.as_bytes())).collect();
        output::note(&format!("note: compressed logs are not read: decompress {} first", names.join(", ")));
    }
}

fn cannot_read(log: &Path, error: &io::Error) -> ExitError {
    ExitError(COULD_NOT_RUN, format!("cannot read {}: {error}", shown(log)))
}

fn shown(path: &Path) -> String {
    format::escape(path.as_os_str().as_bytes())
}

fn recorded_end(database: &Path) -> Result<String, ExitError> {
    let shown = database.display();
    let Some(overview) = Overview::read(database, 0)? else { return Err(no_migration(database)) };
    let without = || format!("the database {shown} has recorded no chain: no run had --audit-chain");
    overview.audit_chain_end.ok_or_else(|| ExitError(COULD_NOT_RUN, without()))
}

/// Calls `each` with each line, without its newline, and with its number; returns what follows the last newline.
fn for_each_line(log: &Path, mut each: impl FnMut(u64, &[u8])) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::new(File::open(log)?);
    if let Some(problem) = other_format(reader.fill_buf()?) {
        return Err(io::Error::other(problem));
    }
    let (mut line, mut number) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        let Some(whole) = line.strip_suffix(b"\n") else { return Ok(line) };
        number += 1;
        each(number, whole);
        line.clear();
    }
    Ok(line)
}

/// Why a file that begins like this is not a log.
fn other_format(begin: &[u8]) -> Option<&'static str> {
    let compressed: [&[u8]; 4] = [b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"BZh"];
    if compressed.iter().any(|magic| begin.starts_with(magic)) {
        return Some("it is compressed: decompress it first");
    }
    begin.starts_with(b"SQLite format 3\0").then_some("it is a database: give the log, and this with --database")
}
