//! The program `towpath`: arguments, console, signals, exit status.
//!
//! A crate of its own: it uses the library's public face alone, and is the only place that prints.

mod absent;
mod args;
mod backends;
mod bwlimit;
mod config;
mod console;
mod dry_run;
mod filters;
mod format;
mod only_run;
mod output;
mod paths;
mod patterns;
mod remote;
mod rsync;
mod signals;
mod since;
mod size;
mod sync;
mod trees;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command};

fn main() -> ExitCode {
    let parsed = Arguments::try_parse().unwrap_or_else(|error| {
        let answers = rsync::answers(&error, std::env::args_os());
        if answers.is_empty() {
            error.exit();
        }
        answers.iter().for_each(|answer| output::error(answer));
        std::process::exit(sync::WRONG_USAGE.into());
    });
    let arguments = match parsed.command {
        Command::Sync(arguments) => arguments,
        Command::Backends(arguments) => return ExitCode::from(backends::run(&arguments)),
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    match runtime {
        Ok(runtime) => {
            let status = runtime.block_on(sync::run(*arguments));
            // A thread that hangs in a dead mount must not keep the program from ending.
            runtime.shutdown_background();
            ExitCode::from(status)
        }
        Err(error) => {
            output::error(&format!("cannot start: {error}"));
            ExitCode::from(sync::COULD_NOT_RUN)
        }
    }
}
