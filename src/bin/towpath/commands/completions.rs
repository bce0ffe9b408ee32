//! `towpath completions`: completions of shells, from the declarations of the command line.

use std::io::Write as _;

use clap::builder::{PossibleValuesParser, ValueHint};
use clap::{Arg, Command, CommandFactory as _};
use clap_complete::aot::{Shell, generate};
use towpath::Algorithm;

use crate::args::{Arguments, CompletionsArguments, ShellArgument};

/// In bash, an empty word gets subcommands and values, or else paths: options come after a dash, as in other shells.
const PATHS_BEFORE_OPTIONS: &str = r#"
_towpath_paths_before_options() {
    _towpath "$@"
    [[ -z $2 ]] || return 0
    local word words=()
    for word in "${COMPREPLY[@]}"; do
        [[ $word == -* ]] || words+=("$word")
    done
    COMPREPLY=("${words[@]}")
}
complete -F _towpath_paths_before_options -o bashdefault -o default towpath
"#;

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &CompletionsArguments) -> u8 {
    let shell = match arguments.shell {
        ShellArgument::Bash => Shell::Bash,
        ShellArgument::Zsh => Shell::Zsh,
        ShellArgument::Fish => Shell::Fish,
    };
    // Generators panic when a reader goes away.
    let mut script = Vec::new();
    generate(shell, &mut with_hints(Arguments::command()), "towpath", &mut script);
    if arguments.shell == ShellArgument::Bash {
        script.extend(PATHS_BEFORE_OPTIONS.as_bytes());
    }
    let _closed_pipe = std::io::stdout().lock().write_all(&script);
    0
}

/// What each value is, for all commands: by the name of the value, so that no option has to say it again.
fn with_hints(command: Command) -> Command {
    command.mut_args(with_hint).mut_subcommands(with_hints)
}

fn with_hint(argument: Arg) -> Arg {
    if !argument.get_action().takes_values() || !argument.get_possible_values().is_empty() {
        return argument;
    }
    let name = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    match name.unwrap_or_else(|| argument.get_id().as_str().to_uppercase()).as_str() {
        "FILE" => argument.value_hint(ValueHint::FilePath),
        "DIR" => argument.value_hint(ValueHint::DirPath),
        "SOURCE" | "DEST" | "RATE SOURCE DEST" => argument.value_hint(ValueHint::AnyPath),
        "ALGORITHM" => argument.value_parser(PossibleValuesParser::new(Algorithm::ALL.map(Algorithm::name))),
        "COMMAND" => argument.value_hint(ValueHint::CommandString),
        _ => argument.value_hint(ValueHint::Other),
    }
}
