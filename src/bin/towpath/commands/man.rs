//! `towpath man`: the man pages, one for each subcommand, from the declarations of the command line.
//!
//! clap_mangen makes name, synopsis, description and options; the sections after them are those of `--help`, and those
//! of [`reference`].

mod reference;
mod sections;

use std::fs;
use std::io;
use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use jiff::Timestamp;

use crate::args::{Arguments, ManArguments};
use crate::console::output;
use crate::exit::{COULD_NOT_RUN, USAGE_ERROR};

const SECTION: &str = "1";

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &ManArguments) -> u8 {
    let date = match date(std::env::var_os("SOURCE_DATE_EPOCH").as_deref().map(|given| given.to_string_lossy())) {
        Ok(date) => date,
        Err(problem) => {
            output::error(&problem);
            return USAGE_ERROR;
        }
    };
    let mut root = without_help(Arguments::command());
    root.build();
    let written = fs::create_dir_all(&arguments.dir).and_then(|()| write(&root, &root, &date, &arguments.dir));
    written.map_or_else(
        |error| {
            output::error(&format!("write man pages to {}: {error}", arguments.dir.display()));
            COULD_NOT_RUN
        },
        |()| 0,
    )
}

fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_args(with_values).mut_subcommands(without_help)
}

/// Choices on the last line of the help, as clap prints them, in place of a list.
fn with_values(argument: Arg) -> Arg {
    let values: Vec<_> = argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if values.is_empty() || !argument.get_action().takes_values() {
        return argument;
    }
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    argument.help(format!("{help} [possible values: {}]", values.join(", "))).long_help(None).hide_possible_values(true)
}

/// The command with the usage that `--help` prints: a list of all options would hide the arguments.
fn with_usage(command: &Command) -> Command {
    let mut command = command.clone();
    let usage = command.render_usage().to_string();
    command.override_usage(usage.strip_prefix("Usage: ").map(str::to_owned).unwrap_or(usage))
}

/// The date of the pages: that of the sources where a package is built, so that builds are reproducible; else today.
fn date(epoch: Option<impl AsRef<str>>) -> Result<String, String> {
    let moment = match epoch {
        None => Timestamp::now(),
        Some(text) => {
            let seconds = text.as_ref().parse().map_err(|_| ()).and_then(|s| Timestamp::from_second(s).map_err(|_| ()));
            seconds.map_err(|()| format!("SOURCE_DATE_EPOCH: `{}` is not a number of seconds", text.as_ref()))?
        }
    };
    Ok(moment.strftime("%Y-%m-%d").to_string())
}

/// Writes the page of `command`, and those of its subcommands.
fn write(root: &Command, command: &Command, date: &str, folder: &Path) -> io::Result<()> {
    fs::write(folder.join(format!("{}.{SECTION}", name(command))), page(root, command, date)?)?;
    let mut shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.try_for_each(|command| write(root, command, date, folder))
}

/// `towpath-ctl-pause`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(root: &Command, command: &Command, date: &str) -> io::Result<Vec<u8>> {
    let source = format!("Towpath {}", root.get_version().unwrap_or_default());
    let man = Man::new(with_usage(command))
        .title(name(command).to_uppercase())
        .section(SECTION)
        .date(date)
        .source(source)
        .manual("Towpath manual");
    let mut text = Roff::new().render().into_bytes();
    for part in
        [Man::render_title, Man::render_name_section, Man::render_synopsis_section, Man::render_description_section]
    {
        append(&mut text, |into| part(&man, into))?;
    }
    append(&mut text, |into| man.render_options_section(into))?;
    if command.has_subcommands() {
        append(&mut text, |into| man.render_subcommands_section(into))?;
    }
    let mut roff = Roff::new();
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    sections::add(&mut roff, &help);
    reference::add(&mut roff, name(command), &help);
    see_also(&mut roff, root, command);
    append(&mut text, |into| roff.to_writer(into))?;
    Ok(text)
}

/// Adds a part without the definitions that each part begins with.
fn append(text: &mut Vec<u8>, render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
    let mut part = Vec::new();
    render(&mut part)?;
    let definitions = Roff::new().render();
    text.extend(part.strip_prefix(definitions.as_bytes()).unwrap_or(&part));
    Ok(())
}

/// The page of the program, those of its subcommands, and those of the subcommand's own that this page belongs to.
fn see_also(roff: &mut Roff, root: &Command, command: &Command) {
    let shown = |command: &&Command| !command.is_hide_set();
    let mut pages = vec![name(root)];
    for child in root.get_subcommands().filter(shown) {
        pages.push(name(child));
        if name(command).starts_with(name(child)) {
            pages.extend(child.get_subcommands().filter(shown).map(name));
        }
    }
    pages.retain(|page| *page != name(command));
    roff.control("SH", ["SEE ALSO"]);
    let last = pages.len().saturating_sub(1);
    for (at, page) in pages.into_iter().enumerate() {
        roff.text([bold(page), roman(format!("({SECTION}){}", if at == last { "" } else { "," }))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_that_of_the_sources() {
        assert_eq!(date(Some("86400")).unwrap(), "1970-01-02");
        assert_eq!(date(None::<&str>).unwrap().len(), "2026-11-28".len());
        for wrong in ["", "today", "-", "99999999999999999"] {
            assert!(date(Some(wrong)).unwrap_err().contains("SOURCE_DATE_EPOCH"), "{wrong}");
        }
    }
}
