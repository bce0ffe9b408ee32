//! `towpath backends`: its options.

use clap::Args;

use super::format::Format;

/// List the storages that this build can open, with their options and the environment variables
/// that set them.
#[derive(Args, Debug)]
#[command(after_help = "\
OPTIONS OF BACKENDS
  Options come from the URL (s3://bucket/prefix?region=eu-central-1), then the configuration
  file, then the environment; the first one counts. The file has sections by scheme and by URL:

  [s3]
  endpoint = \"https://s3.example.org\"

  [\"s3://archive\"]
  secret_access_key = \"...\"")]
pub(crate) struct BackendsArguments {
    /// Output format: text, or one JSON object per line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}
