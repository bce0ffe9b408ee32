//! `towpath audit check`: checks the chain of a log.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use towpath::{ChainCheck, Overview};

use crate::args::audit::{AuditAction, AuditArguments, AuditCheckArguments};
use crate::console::output;
use crate::exit::{ALL_IN_SYNC, COULD_NOT_RUN, ExitError, NOT_ALL_IN_SYNC};

/// The most breaks that are printed.
const MAX_BREAKS: u64 = 100;

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &AuditArguments) -> u8 {
    let AuditAction::Check(arguments) = &arguments.action;
    match check(arguments) {
        Ok(0) => ALL_IN_SYNC,
        Ok(breaks) => {
            if breaks > MAX_BREAKS {
                output::line(&format!("and {} more", breaks - MAX_BREAKS));
            }
            NOT_ALL_IN_SYNC
        }
        Err(error) => error.report(),
    }
}

/// Prints what is wrong; returns how many breaks there are.
fn check(arguments: &AuditCheckArguments) -> Result<u64, ExitError> {
    // Before the logs: a run that goes on appends to the log after it has recorded the end.
    let recorded = arguments.database.as_deref().map(recorded_end).transpose()?;
    let (mut chain, mut breaks) = (ChainCheck::new(), 0);
    // Where the recorded end was seen.
    let mut has_recorded_end = false;
    for log in &arguments.logs {
        let failed = |error: io::Error| ExitError(COULD_NOT_RUN, format!("cannot read {}: {error}", log.display()));
        for_each_line(log, |number, line| {
            if let Some(found) = chain.line(line) {
                breaks += 1;
                report(breaks, &format!("{}, line {number}: {found}", log.display()));
            }
            has_recorded_end |= recorded.as_deref().is_some_and(|end| chain.end() == Some(end));
        })
        .map_err(failed)?;
    }
    if let (Some(log), Some(_), false) = (arguments.logs.last(), &recorded, has_recorded_end) {
        breaks += 1;
        report(breaks, &format!("{}: the last line that the database has recorded is missing", log.display()));
    }
    if chain.unlinked_lines() > 0 {
        let count = chain.unlinked_lines();
        output::note(&format!("note: the first {count} lines are not linked: the chain begins after them"));
    }
    if chain.linked_lines() == 0 {
        return Err(ExitError(
            COULD_NOT_RUN,
            "no line is linked: the log was written without --audit-chain".to_owned(),
        ));
    }
    if breaks == 0 {
        let end = if recorded.is_some() { ", and the last is the one that the database has recorded" } else { "" };
        output::line(&format!("{} lines are whole and in order{end}", chain.linked_lines()));
    }
    Ok(breaks)
}

fn report(breaks: u64, text: &str) {
    if breaks <= MAX_BREAKS {
        output::line(text);
    }
}

fn recorded_end(database: &Path) -> Result<String, ExitError> {
    let shown = database.display();
    let Some(overview) = Overview::read(database, 0)? else {
        return Err(ExitError(COULD_NOT_RUN, format!("there is no migration with the database {shown}")));
    };
    let without = || format!("the database {shown} has recorded no chain: no run had --audit-chain");
    overview.audit_chain_end.ok_or_else(|| ExitError(COULD_NOT_RUN, without()))
}

/// Calls `each` with each line, without its newline, and with its number.
fn for_each_line(log: &Path, mut each: impl FnMut(u64, &[u8])) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(log)?);
    let (mut line, mut number) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        each(number, line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    Ok(())
}
