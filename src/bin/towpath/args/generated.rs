//! The arguments of the hidden subcommands for packages: completions and man pages.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Print the completions of a shell.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  source <(towpath completions bash)
  towpath completions zsh > \"${fpath[1]}/_towpath\"
  towpath completions fish > ~/.config/fish/completions/towpath.fish")]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: ShellArgument,
}

/// The shells with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellArgument {
    Bash,
    Zsh,
    Fish,
}

/// Write the man pages, one for each subcommand.
///
/// SOURCE_DATE_EPOCH, in seconds since 1970, sets their date.
#[derive(Args, Debug)]
pub(crate) struct ManArguments {
    /// Directory to write them to, created if it is missing
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}
