//! The options of `towpath sync`, and their names in the configuration file and in the environment.

use std::sync::LazyLock;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command, CommandFactory as _};

use crate::args::Arguments;

/// Only the command line has them: no run may do that unasked, or they say where the others are.
const NEVER_PRESET: [&str; 2] = ["accept-new-tree", "job"];

/// The subcommand, as it is declared.
pub(super) fn sync_command() -> Command {
    Arguments::command().find_subcommand("sync").cloned().unwrap_or_default()
}

/// SOURCE, DEST and the options of `towpath sync`.
pub(crate) fn sync_options() -> &'static [Arg] {
    // Many settings are looked up, and each `Command` is built from scratch.
    static OPTIONS: LazyLock<Vec<Arg>> = LazyLock::new(|| sync_command().get_arguments().cloned().collect());
    &OPTIONS
}

/// The name of an option in the configuration file.
pub(crate) fn name_of(arg: &Arg) -> &str {
    arg.get_long().unwrap_or(arg.get_id().as_str())
}

/// The environment variable of an option, if it has one.
pub(crate) fn variable_of(arg: &Arg) -> Option<String> {
    let long = arg.get_long().filter(|long| !NEVER_PRESET.contains(long))?;
    Some(format!("TOWPATH_{}", long.to_uppercase().replace('-', "_")))
}

pub(super) fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The option with the name of a job's key.
///
/// # Errors
/// What is wrong with the name, as the begin and the end of a message.
pub(super) fn option_of<'a>(options: &'a [Arg], name: &str) -> Result<&'a Arg, (String, String)> {
    match options.iter().find(|arg| name_of(arg) == name) {
        Some(_) if name == "config" || NEVER_PRESET.contains(&name) => {
            Err((format!("`{name}`"), ": it can only be given on the command line".to_owned()))
        }
        Some(arg) => Ok(arg),
        None => {
            let nearest = nearest(options, name);
            let advice = nearest.map(|nearest| format!(": did you mean `{nearest}`?")).unwrap_or_default();
            Err((format!("unknown key `{name}`"), advice))
        }
    }
}

/// The name that clap takes for the one that was meant.
fn nearest(options: &[Arg], name: &str) -> Option<String> {
    let named = options.iter().cloned().map(|arg| match arg.get_id().as_str() {
        "source" => arg.long("source"),
        "dest" => arg.long("dest"),
        _ => arg,
    });
    let command = Command::new("keys").disable_help_flag(true).args(named);
    let error = command.try_get_matches_from(["keys".to_owned(), format!("--{name}")]).err()?;
    match error.get(ContextKind::SuggestedArg)? {
        ContextValue::String(nearest) => nearest.strip_prefix("--").map(str::to_owned),
        _ => None,
    }
}
