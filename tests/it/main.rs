//! Integration tests of the program and the engine, in one binary, so that dependencies are linked once.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[allow(dead_code)]
mod common;
mod ctl;
#[allow(dead_code)]
mod mocks;
mod root;
mod skip;

// Servers written for tests.
#[cfg(feature = "all-backends")]
#[path = "../../backends/opendal/tests/it/fake_dav.rs"]
#[allow(dead_code)]
mod fake_dav;
#[cfg(feature = "all-backends")]
#[path = "../../backends/opendal/tests/it/faulty.rs"]
#[allow(dead_code)]
mod faulty;
#[cfg(feature = "all-backends")]
mod gateway;
#[cfg(feature = "all-backends")]
#[path = "../../backends/opendal/tests/it/http.rs"]
#[allow(dead_code)]
mod http;
#[cfg(feature = "all-backends")]
mod tls;

mod assess;
mod audit_chain;
mod bandwidth_limit;
mod changed_while_reading;
mod checksums;
mod cli_usage;
mod compared;
mod completions;
mod console_screen;
mod docs;
mod doctor;
mod dry_run;
mod durability;
mod errors;
mod examples;
mod filter_as_git;
mod filters;
mod full_sync;
mod hooks;
mod huge_sparse;
mod in_memory;
mod jobs;
#[cfg(feature = "failpoints")]
mod killed_at_points;
#[cfg(feature = "all-backends")]
mod killed_on_servers;
mod kinds;
mod locations;
mod log_rotation;
mod man_pages;
mod manifest;
mod metrics;
mod mirror;
mod mirror_of_lost_trees;
mod mock_failures;
mod mock_holes;
mod mock_in_flight;
mod mock_mirror;
mod mock_pipeline;
mod mock_read_ahead;
mod mock_scan;
mod mounts;
mod names_and_sizes;
mod overview;
mod packaging;
mod page;
mod passes;
mod permissions;
mod private_files;
mod probes;
mod progress_json;
#[cfg(feature = "all-backends")]
mod proxies_and_certificates;
mod read_only_dirs;
mod report;
mod resume;
mod run_history;
#[cfg(feature = "all-backends")]
mod servers_away;
mod signals;
mod skip_and_update;
mod state_and_log;
mod status;
mod steered_runs;
mod structure;
mod systemd;
mod timetable;
mod usage;
mod verify;
mod views_of_the_source;
