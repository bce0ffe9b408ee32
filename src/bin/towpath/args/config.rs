//! `towpath config`: its options.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::format::Format;

/// Show the configuration.
#[derive(Args, Debug)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    Show(ShowArguments),
}

/// Print what `towpath sync` takes from the configuration file and the environment: each value, and
/// where it is from.
///
/// The exit status is 2 if these values cannot be used together. Secrets are not printed.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath config show
  towpath config show --job projects
  towpath config show --job projects --format json")]
pub(crate) struct ShowArguments {
    /// Job to show, with the environment and the defaults
    #[arg(long, value_name = "NAME")]
    pub(crate) job: Option<String>,

    /// Configuration file [default: as for `towpath sync`]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Output format: text, or one JSON object per value and line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}
