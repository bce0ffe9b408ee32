//! `towpath accept`: exceptions, recorded beside a run or without one.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use tokio::task::block_in_place;
use towpath::{AcceptedEntries, AcceptedEntry, Overview};

use super::entry_path;
use super::errors::exception_json;
use super::run_database::{database_of, default_databases};
use crate::args::accept::AcceptArguments;
use crate::args::run_address::RunName;
use crate::config::state_files::default_folder;
use crate::console::output;
use crate::exit::{ALL_IN_SYNC, COULD_NOT_RUN, ExitError, NOT_ALL_IN_SYNC, USAGE_ERROR};
use crate::format::{escape, local_time, number};

/// The trees of a migration, and its database.
struct Migration {
    database: PathBuf,
    overview: Overview,
}

/// Runs the command and returns the exit status.
pub(crate) async fn run(arguments: &AcceptArguments) -> u8 {
    match try_run(arguments).await {
        Ok(true) => ALL_IN_SYNC,
        Ok(false) => NOT_ALL_IN_SYNC,
        Err(error) => error.report(),
    }
}

/// Whether all paths were accepted, or removed.
async fn try_run(arguments: &AcceptArguments) -> Result<bool, ExitError> {
    let mut given = arguments.paths.clone();
    if let Some(file) = &arguments.from0 {
        let failed = |error| ExitError(COULD_NOT_RUN, format!("cannot read {}: {error}", file.display()));
        given.extend(block_in_place(|| read_paths(file)).map_err(failed)?);
    }
    let migration = block_in_place(|| find(arguments, &given))?;
    let Migration { database, overview } = &migration;
    if arguments.list {
        list(&migration, arguments.json)?;
        return Ok(true);
    }
    let roots = [&overview.source[..], &overview.sink];
    let paths = given.iter().map(|path| entry_path::relative(path, roots));
    let paths: Vec<_> = paths.collect::<Result<_, _>>().map_err(|problem| ExitError(USAGE_ERROR, problem))?;
    if paths.iter().any(Vec::is_empty) {
        return Err(ExitError(USAGE_ERROR, "the root of a tree cannot be accepted: name what is below".to_owned()));
    }
    let user = user();
    if arguments.remove {
        let removed = AcceptedEntries::remove(database, paths.clone(), &user).await?;
        for path in paths.iter().filter(|path| !removed.contains(path)) {
            output::error(&format!("{} is no accepted exception", escape(path)));
        }
        output::line(&format!("{} removed", counted(removed.len() as u64, "exception", "exceptions")));
        return Ok(removed.len() == paths.len());
    }
    let reason = arguments.reason.as_deref().unwrap_or_default();
    let mut is_complete = true;
    for request in AcceptedEntries::accept(database, paths, reason, &user).await? {
        let path = escape(&request.path);
        match (request.entries, request.code) {
            (0, _) => {
                is_complete = false;
                output::error(&format!("{path} is not among the errors, so there is nothing to accept"));
            }
            (entries, code) => {
                let code = code.map_or("", |code| code.name());
                output::line(&format!("accepted {path}: {}, {code}", counted(entries, "entry", "entries")));
            }
        }
    }
    Ok(is_complete)
}

fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { several })
}

/// Paths that end with NUL.
fn read_paths(file: &Path) -> io::Result<Vec<OsString>> {
    let mut text = Vec::new();
    match file.as_os_str() == "-" {
        true => io::stdin().read_to_end(&mut text)?,
        false => std::fs::File::open(file)?.read_to_end(&mut text)?,
    };
    let paths = text.split(|&byte| byte == 0).filter(|path| !path.is_empty());
    Ok(paths.map(|path| OsString::from_vec(path.to_vec())).collect())
}

/// Who accepts: the user, and who became that user by sudo.
fn user() -> String {
    let uid = Uid::current();
    let name = User::from_uid(uid).ok().flatten().map_or_else(|| format!("uid {uid}"), |user| user.name);
    match std::env::var("SUDO_USER") {
        Ok(by) if !by.is_empty() && by != name => format!("{name} (sudo by {by})"),
        _ => name,
    }
}

/// The migration that is named, or the only one of this user whose trees contain the paths.
fn find(arguments: &AcceptArguments, paths: &[OsString]) -> Result<Migration, ExitError> {
    let named = match &arguments.database {
        Some(database) => Some(RunName::Database(database.clone())),
        None => arguments.job.run().map_err(|problem| ExitError(USAGE_ERROR, problem))?,
    };
    let read = |database: PathBuf| -> Result<Option<Migration>, ExitError> {
        Ok(Overview::read(&database, 0)?.map(|overview| Migration { database, overview }))
    };
    if let Some(run) = named {
        let database = database_of(&run)?;
        let missing = ExitError(COULD_NOT_RUN, format!("there is no database {}", database.display()));
        return read(database)?.ok_or(missing);
    }
    let folder = default_folder().map_err(|problem| ExitError(COULD_NOT_RUN, problem))?;
    let mut found = Vec::new();
    for database in default_databases(&folder) {
        match read(database) {
            Ok(migration) => found.extend(migration),
            Err(error) => drop(error.report()),
        }
    }
    let contains = |migration: &Migration| {
        let roots = [&migration.overview.source[..], &migration.overview.sink];
        paths.iter().all(|path| entry_path::is_inside(path, roots))
    };
    if found.len() > 1 {
        found.retain(contains);
    }
    let (count, folder) = (found.len(), folder.display());
    match found.pop() {
        Some(migration) if count == 1 => Ok(migration),
        Some(_) => Err(ExitError(
            USAGE_ERROR,
            format!("{count} migrations contain these paths: name one with --database (`towpath status` lists them)"),
        )),
        None => Err(ExitError(USAGE_ERROR, format!("no migration in {folder} contains these paths: give --database"))),
    }
}

fn list(migration: &Migration, as_json: bool) -> Result<(), ExitError> {
    let exceptions = AcceptedEntries::read(&migration.database)?;
    for exception in exceptions.iter() {
        output::line(&match as_json {
            true => exception_json(exception).to_string(),
            false => line(exception),
        });
    }
    Ok(())
}

fn line(exception: &AcceptedEntry) -> String {
    let code = exception.code.map_or_else(String::new, |code| format!("{}, ", code.name()));
    format!(
        "{}: {} ({code}{}, {})",
        escape(&exception.path),
        escape(exception.reason.as_bytes()),
        escape(exception.user.as_bytes()),
        local_time(exception.accepted_at)
    )
}
