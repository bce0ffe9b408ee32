//! The program `towpath`: arguments, console, signals, exit status. A separate crate: it uses only the public API of
//! the library, and is the only place that prints.

mod args;
mod assess;
mod commands;
mod config;
mod console;
mod doctor;
mod event_json;
mod exit;
mod finding;
mod format;
mod hooks;
mod layers;
mod limited_by;
mod listener;
mod lock;
mod metrics;
mod report;
mod run_api;
mod server;
mod signals;
mod status;
mod steering;
mod systemd;
mod timetable;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Command, rsync};
use commands::{
    accept, assess as run_assess, audit, backends, completions, config as show_config, ctl, doctor as examine,
    errors as show_errors, man, manifest, passes, report as write_report, retry, status as show_status, sync,
    timetable as show_timetable,
};
use console::output;
use exit::{COULD_NOT_RUN, USAGE_ERROR};
use layers::Failure;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let parsed = match layers::parse(&words, &|name| std::env::var_os(name)) {
        Ok(parsed) => parsed,
        Err(failure) => return ExitCode::from(failed(&failure, words)),
    };
    match &parsed.command {
        Command::Backends(arguments) => return ExitCode::from(backends::run(arguments)),
        Command::Audit(arguments) => return ExitCode::from(audit::run(arguments)),
        Command::Errors(arguments) => return ExitCode::from(show_errors::run(arguments)),
        Command::Manifest(arguments) => return ExitCode::from(manifest::run(arguments)),
        Command::Passes(arguments) => return ExitCode::from(passes::run(arguments)),
        Command::Report(arguments) => return ExitCode::from(write_report::run(arguments)),
        Command::Config(arguments) => return ExitCode::from(show_config::run(arguments)),
        Command::Timetable(arguments) => return ExitCode::from(show_timetable::run(arguments)),
        Command::Completions(arguments) => return ExitCode::from(completions::run(arguments)),
        Command::Man(arguments) => return ExitCode::from(man::run(arguments)),
        Command::Sync(_)
        | Command::Assess(_)
        | Command::Doctor(_)
        | Command::Status(_)
        | Command::Ctl(_)
        | Command::Retry(_)
        | Command::Accept(_)
        | Command::Verify(_) => {}
    }
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    match runtime {
        Ok(runtime) => {
            let status = runtime.block_on(run(parsed.command));
            // A thread that hangs in a dead mount must not prevent the program from ending.
            runtime.shutdown_background();
            ExitCode::from(status)
        }
        Err(error) => {
            output::error(&format!("cannot start: {error}"));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// Says why there are no arguments, or prints the help.
fn failed(failure: &Failure, words: Vec<OsString>) -> u8 {
    match failure {
        Failure::Clap(error) => {
            let advice = rsync::advice_lines(error, words.into_iter());
            if advice.is_empty() {
                error.exit();
            }
            advice.iter().for_each(|answer| output::error(answer));
        }
        Failure::File(problem) => output::error(problem),
    }
    USAGE_ERROR
}

async fn run(command: Command) -> u8 {
    match command {
        Command::Sync(arguments) => sync::run(*arguments).await,
        Command::Assess(arguments) => run_assess::run(*arguments).await,
        Command::Doctor(arguments) => examine::run(&arguments).await,
        Command::Status(arguments) => show_status::run(arguments).await,
        Command::Ctl(arguments) => ctl::run(&arguments).await,
        Command::Verify(arguments) => commands::verify::run(*arguments).await,
        Command::Backends(arguments) => backends::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Errors(arguments) => show_errors::run(&arguments),
        Command::Retry(arguments) => retry::run(&arguments).await,
        Command::Accept(arguments) => accept::run(&arguments).await,
        Command::Manifest(arguments) => manifest::run(&arguments),
        Command::Passes(arguments) => passes::run(&arguments),
        Command::Report(arguments) => write_report::run(&arguments),
        Command::Config(arguments) => show_config::run(&arguments),
        Command::Timetable(arguments) => show_timetable::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}
