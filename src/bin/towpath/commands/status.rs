//! `towpath status`: asks the run of a migration, or reads its database.

use std::io::IsTerminal as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;
use tokio::task::block_in_place;
use towpath::Overview;

use super::run_database::{database_of, default_databases, no_migration};
use super::screen::Screen;
use crate::args::StatusArguments;
use crate::args::run_address::RunName;
use crate::config::state_files::{canonical_of, default_folder};
use crate::console::output;
use crate::exit::{COULD_NOT_RUN, ExitError, USAGE_ERROR};
use crate::server::client::{self, ClientError};
use crate::status::list::table;
use crate::status::model::Status;
use crate::status::recorded::{self, RUNS};
use crate::status::text::{Clock, block};

/// How often a terminal is redrawn.
const REDRAW: Duration = Duration::from_secs(1);

/// Runs the command and returns the exit status.
pub(crate) async fn run(arguments: StatusArguments) -> u8 {
    match try_run(&arguments).await {
        Ok(()) => 0,
        Err(error) => error.report(),
    }
}

async fn try_run(arguments: &StatusArguments) -> Result<(), ExitError> {
    let run = named(arguments).map_err(|problem| ExitError(USAGE_ERROR, problem))?;
    let migration = run.map(|run| database_of(&run).map(|database| (run, database))).transpose()?;
    let mut screen = (arguments.watch && !arguments.json && std::io::stdout().is_terminal()).then(Screen::default);
    let interval = if std::io::stdout().is_terminal() { REDRAW } else { arguments.interval };
    loop {
        let (text, is_live) = match &migration {
            Some((run, database)) => one(arguments, run, database).await?,
            None => all(arguments).await?,
        };
        match &mut screen {
            Some(screen) => screen.draw(&text),
            None => output::line(&text),
        }
        if !arguments.watch || !is_live {
            return Ok(());
        }
        tokio::time::sleep(interval).await;
    }
}

/// The migration that the arguments name; `None`: all are listed.
fn named(arguments: &StatusArguments) -> Result<Option<RunName>, String> {
    match (&arguments.source, &arguments.dest, &arguments.database) {
        (.., Some(database)) => Ok(Some(RunName::Database(database.clone()))),
        (Some(source), Some(dest), None) => {
            Ok(Some(RunName::Trees(source.location()?.clone(), dest.location()?.clone())))
        }
        _ => arguments.job.run(),
    }
}

/// One migration as text, and whether it runs.
async fn one(arguments: &StatusArguments, run: &RunName, database: &Path) -> Result<(String, bool), ExitError> {
    let Some(found) = find(database).await.map_err(|problem| ExitError(COULD_NOT_RUN, problem))? else {
        if arguments.json {
            output::line(&never_run(run, database).to_string());
        }
        return Err(no_migration(database));
    };
    let text = if arguments.json { found.json.to_string() } else { block(&found.status, &Clock::of_system()) };
    Ok((text, found.status.state.is_live()))
}

/// The JSON of a migration that does not exist.
fn never_run(run: &RunName, database: &Path) -> Value {
    let root = |location| block_in_place(|| canonical_of(location));
    let (source, dest) = match run {
        RunName::Trees(source, dest) => (Some(root(source)), Some(root(dest))),
        RunName::Database(_) => (None, None),
    };
    let bytes =
        |root: &Option<PathBuf>| root.as_ref().map_or_else(Vec::new, |root| root.as_os_str().as_bytes().to_vec());
    let status = recorded::never_run(database, &bytes(&source), &bytes(&dest));
    let mut json = serde_json::to_value(status).unwrap_or_default();
    for (key, root) in [("source", source), ("dest", dest)] {
        if root.is_none() {
            json[key] = Value::Null;
        }
    }
    json
}

/// All migrations of the state folder as text, and whether one runs.
async fn all(arguments: &StatusArguments) -> Result<(String, bool), ExitError> {
    let folder = default_folder().map_err(|problem| ExitError(COULD_NOT_RUN, problem))?;
    let mut migrations = Vec::new();
    for database in block_in_place(|| default_databases(&folder)) {
        match find(&database).await {
            Ok(found) => migrations.extend(found),
            Err(problem) => output::error(&problem),
        }
    }
    if migrations.is_empty() {
        let shown = folder.display();
        return Err(ExitError(COULD_NOT_RUN, format!("there are no migrations in {shown}")));
    }
    migrations.sort_by_key(|found| std::cmp::Reverse((found.status.state.is_live(), found.status.started)));
    let is_live = migrations.iter().any(|found| found.status.state.is_live());
    let text = if arguments.json {
        migrations.iter().map(|found| found.json.to_string()).collect::<Vec<_>>().join("\n")
    } else {
        let statuses: Vec<_> = migrations.into_iter().map(|found| found.status).collect();
        table(&statuses, &Clock::of_system())
    };
    Ok((text, is_live))
}

/// The status of a migration, as a type and as the JSON that its run answered, which may have more.
struct Found {
    status: Status,
    json: Value,
}

/// The status of the migration with this database; `None`: there is none.
async fn find(database: &Path) -> Result<Option<Found>, String> {
    match client::get(database, "/v1/status").await {
        Ok(answer) if answer.status == StatusCode::OK => {
            let json = answer.body;
            match serde_json::from_value(json.clone()) {
                Ok(status) => return Ok(Some(Found { status, json })),
                Err(error) => note(&format!("the run answers in another version's form: {error}")),
            }
        }
        Ok(answer) => note(&format!("the run answered {}", answer.status)),
        Err(ClientError::NoRun) => {}
        Err(ClientError::Starting) => note("a run is starting and does not answer yet"),
        Err(ClientError::Failed(problem)) => note(&problem),
    }
    let overview = block_in_place(|| Overview::read(database, RUNS)).map_err(|error| error.to_string())?;
    let Some(overview) = overview else { return Ok(None) };
    let status = recorded::of_database(database, &overview);
    let json = serde_json::to_value(&status).map_err(|error| error.to_string())?;
    Ok(Some(Found { status, json }))
}

/// Says why the database is read and not the run asked.
fn note(problem: &str) {
    output::error(&format!("{problem}; the database is read instead"));
}
