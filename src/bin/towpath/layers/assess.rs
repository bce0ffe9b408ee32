//! `towpath assess` takes the options of the migration from the same layers as `towpath sync`, so that its scan is the
//! one that the migration would begin with.

use std::ffi::OsString;

use clap::ArgMatches;

use crate::args::{ProgressKind, SyncArguments};
use crate::config::setting::{Origin, Setting};

/// Without a migration yet, SOURCE stands for DEST, which the command does not use.
pub(super) fn complete(given: &mut Vec<Setting>) {
    if given.iter().any(|setting| matches!(setting.option.as_str(), "dest" | "job")) {
        return;
    }
    let source = given.iter().find(|setting| setting.option == "source").map(|source| source.value.clone());
    given.extend(source.map(|value| Setting { option: "dest".to_owned(), value, origin: Origin::CommandLine }));
}

/// The migration's arguments without what only a run that sends has. `json`: standard output has the assessment alone.
pub(super) fn adapt(sync: SyncArguments, json: bool) -> SyncArguments {
    SyncArguments {
        assesses: true,
        dry_run: false,
        then_scan: false,
        no_scan: false,
        rescan: false,
        quiet: sync.quiet || json,
        progress: sync.progress.filter(|kind| !json && *kind != ProgressKind::Json),
        ..sync
    }
}

/// The command line without the options of the migration.
pub(super) fn own_words(matches: &ArgMatches) -> Vec<OsString> {
    let mut words = ["towpath", "assess"].map(OsString::from).to_vec();
    if matches.get_flag("json") {
        words.push("--json".into());
    }
    let values = |id: &str| matches.get_raw(id).into_iter().flatten().map(OsString::from).collect::<Vec<_>>();
    for id in ["samples", "job"] {
        words.extend(values(id).pop().map(|value| {
            let mut word = OsString::from(format!("--{id}="));
            word.push(value);
            word
        }));
    }
    words.push("--".into());
    words.extend(["source", "dest"].into_iter().flat_map(values));
    words
}
