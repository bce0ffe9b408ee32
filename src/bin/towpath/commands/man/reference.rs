//! What `--help` leaves to the man pages: exit statuses that are the same for all, files, and the environment.

use clap_mangen::roff::{Roff, bold, italic, roman};

use super::sections;
use crate::commands::trees::registry;

/// The statuses of commands whose `--help` does not say more.
const STATUSES: &str = "0 success; 1 could not run; 2 usage error.";

/// A file or variable: its name, what it is, and whether it matters to those who address a run that is there.
type Entry = (&'static str, &'static str, bool);

const FILES: &[Entry] = &[
    (
        "~/.local/state/towpath/NAME.db",
        "Database of a migration: what is done and what is pending. NAME comes from the pair of trees.",
        true,
    ),
    ("~/.local/state/towpath/NAME.log", "Audit log: one JSON object per line, for each file and result.", false),
    (
        "DATABASE.sock",
        "Control socket of a run, beside its database. Where no socket can be there, it is in $XDG_RUNTIME_DIR/towpath, \
         and a symbolic link beside the database says where.",
        true,
    ),
    (
        "~/.config/towpath/config.toml, /etc/towpath/config.toml",
        "Jobs, and options of backends. The second one counts for users who have no such file. Only its owner may be able \
         to read it.",
        true,
    ),
];

const ENVIRONMENT: &[Entry] = &[
    ("XDG_STATE_HOME", "Directory of the default database and log, in towpath/, in place of ~/.local/state.", true),
    ("TOWPATH_CONFIG", "The configuration file.", true),
    ("TOWPATH_DATABASE", "As --database.", true),
    (
        "TOWPATH_BWLIMIT, ...",
        "Options of towpath sync: the long name in upper case, with TOWPATH_ before it and _ for each hyphen. The command \
         line counts first, then the environment, then the job.",
        false,
    ),
    ("XDG_CONFIG_HOME", "Directory of the configuration file, in towpath/, in place of ~/.config.", true),
    ("XDG_RUNTIME_DIR", "Directory of control sockets, in towpath/, that cannot be beside their database.", true),
    ("TZ", "Time zone of timetables and dates.", true),
];

const PROXIES: &[(&str, &str)] = &[
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "Proxies of object stores and WebDAV servers, and hosts that need none.",
    ),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "Certificates of authorities to trust, besides those of the system."),
];

/// Adds the sections to the page of the command `name`; `help` has those that `--help` prints.
pub(super) fn add(roff: &mut Roff, name: &str, help: &str) {
    if !sections::has(help, "EXIT STATUS") {
        roff.control("SH", ["EXIT STATUS"]);
        sections::statuses(roff, STATUSES);
    }
    let whole = matches!(name, "towpath" | "towpath-sync");
    match name {
        "towpath-timetable" => {
            roff.control("SH", ["ENVIRONMENT"]);
            entry(roff, "TZ", "Time zone of the timetable.");
        }
        "towpath-backends" => {
            roff.control("SH", ["ENVIRONMENT"]);
            storages(roff);
        }
        _ => {
            for (heading, entries) in [("FILES", FILES), ("ENVIRONMENT", ENVIRONMENT)] {
                roff.control("SH", [heading]);
                let shown = entries.iter().filter(|(_, _, matters)| whole || *matters);
                shown.for_each(|(name, text, _)| entry(roff, name, text));
            }
        }
    }
    if whole {
        storages(roff);
    }
}

fn entry(roff: &mut Roff, name: &str, text: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(text)]);
}

/// The variables that set options of the backends in this build.
fn storages(roff: &mut Roff) {
    let Ok(registry) = registry() else { return };
    let options = registry.backends().flat_map(|backend| backend.options().iter().map(move |option| (backend, option)));
    let mut is_first = true;
    for (backend, option) in options.filter(|(_, option)| !option.environment.is_empty()) {
        if is_first {
            PROXIES.iter().for_each(|(name, text)| entry(roff, name, text));
            is_first = false;
        }
        roff.control("TP", []);
        roff.text([bold(option.environment.join(", "))]);
        roff.text([roman(format!("{}: ", backend.name())), italic(option.name), roman(format!(", {}", option.about))]);
    }
}
