//! The option that runs a command for what happens in a run.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

/// What to run when something happens.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct HookArguments {
    /// Run this command line (by `sh -c`) when the run has ended or failed, is paused or resumed, stalls, gets another
    /// limit, or may miss --deadline; it gets a JSON object on standard input, and the event's name as TOWPATH_EVENT
    #[arg(long, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new(), help_heading = "Control")]
    pub(crate) on_event: Option<String>,
}
