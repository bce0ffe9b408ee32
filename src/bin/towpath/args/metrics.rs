//! The option of the file of metrics.

use std::path::PathBuf;

use clap::Args;

/// Where metrics go, besides the control server.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct MetricsArguments {
    /// File for the metrics of the run, for node_exporter's textfile collector: its name ends with
    /// .prom; written every 15 seconds and at the end
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "Control")]
    pub(crate) metrics_file: Option<PathBuf>,
}
