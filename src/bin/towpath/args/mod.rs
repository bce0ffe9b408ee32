//! The command line: each option is declared here, once.

pub(crate) mod accept;
pub(crate) mod assess;
pub(crate) mod audit;
mod backends;
pub(crate) mod bwlimit;
pub(crate) mod config;
mod copied;
pub(crate) mod ctl;
mod deadline;
mod deletion;
mod doctor;
pub(crate) mod errors;
mod filters;
mod format;
mod generated;
mod hooks;
mod listen;
mod location;
pub(crate) mod manifest;
mod metrics;
pub(crate) mod passes;
pub(crate) mod report;
pub(crate) mod retry;
pub(crate) mod rsync;
pub(crate) mod run_address;
mod since;
mod size;
mod status;
mod sync;
mod until;
pub(crate) mod verify;

use clap::builder::styling::Styles;
use clap::{Parser, Subcommand};

use accept::AcceptArguments;
pub(crate) use assess::AssessArguments;
use audit::AuditArguments;
pub(crate) use backends::BackendsArguments;
use bwlimit::TimetableArguments;
use config::ConfigArguments;
use ctl::CtlArguments;
pub(crate) use doctor::DoctorArguments;
use errors::ErrorsArguments;
pub(crate) use format::{Format, ProgressKind};
pub(crate) use generated::{CompletionsArguments, ManArguments, ShellArgument};
pub(crate) use location::LocationArgument;
use manifest::ManifestArguments;
use passes::PassesArguments;
use report::ReportArguments;
use retry::RetryArguments;
pub(crate) use status::StatusArguments;
pub(crate) use sync::SyncArguments;
use verify::VerifyArguments;

/// Migrate huge file trees between mounted shares within a bandwidth limit, with proof of what was done.
#[derive(Debug, Parser)]
#[command(name = "towpath", version, max_term_width = 100, styles = Styles::plain())]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Sync(Box<SyncArguments>),
    Assess(Box<AssessArguments>),
    Doctor(DoctorArguments),
    Status(StatusArguments),
    Ctl(CtlArguments),
    Errors(ErrorsArguments),
    Passes(PassesArguments),
    Verify(Box<VerifyArguments>),
    Retry(RetryArguments),
    Accept(AcceptArguments),
    Manifest(ManifestArguments),
    Report(ReportArguments),
    Audit(AuditArguments),
    Timetable(TimetableArguments),
    Config(ConfigArguments),
    Backends(BackendsArguments),
    // For packages.
    #[command(hide = true)]
    Completions(CompletionsArguments),
    #[command(hide = true)]
    Man(ManArguments),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
