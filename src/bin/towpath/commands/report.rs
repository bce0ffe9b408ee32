//! `towpath report`: writes the report of a migration.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::run_database::{database_of, no_migration};
use crate::args::report::ReportArguments;
use crate::console::output;
use crate::exit::{ALL_IN_SYNC, COULD_NOT_RUN, ExitError, NOT_ALL_IN_SYNC, USAGE_ERROR};
use crate::report::{self, Asked, Report};

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &ReportArguments) -> u8 {
    match try_run(arguments) {
        Ok(report) if report.balanced => ALL_IN_SYNC,
        Ok(report) => {
            output::note(&format!("note: {}", report::imbalance(&report)));
            NOT_ALL_IN_SYNC
        }
        Err(error) => error.report(),
    }
}

fn try_run(arguments: &ReportArguments) -> Result<Report, ExitError> {
    let run = arguments.run.name().map_err(|problem| ExitError(USAGE_ERROR, problem))?;
    let database = database_of(&run)?;
    let outputs = [&arguments.html, &arguments.json];
    if outputs.iter().all(|out| out.as_deref() == Some(Path::new("-"))) {
        return Err(ExitError(USAGE_ERROR, "only one of --html and --json can be standard output".to_owned()));
    }
    let asked = Asked {
        database: &database,
        manifest: arguments.manifest.as_deref(),
        public_key: arguments.public_key.as_deref(),
        max_listed: arguments.max_listed,
    };
    let Some(report) = report::gather(&asked).map_err(could_not)? else {
        return Err(no_migration(&database));
    };
    if let Some(path) = &arguments.html {
        write(path, report::page(&report).as_bytes())?;
    }
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&report).map_err(|error| could_not(error.to_string()))?;
        write(path, format!("{json}\n").as_bytes())?;
    }
    Ok(report)
}

fn could_not(problem: String) -> ExitError {
    ExitError(COULD_NOT_RUN, problem)
}

/// Writes a file, which replaces an older one when it is complete; or to standard output, a pipe or a device.
fn write(path: &Path, content: &[u8]) -> Result<(), ExitError> {
    let shown = path.display();
    let failed = |error: io::Error| could_not(format!("cannot write the report to {shown}: {error}"));
    if path == Path::new("-") {
        return match io::stdout().lock().write_all(content) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(failed),
        };
    }
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let stream = OpenOptions::new().write(true).open(path);
        return stream.and_then(|mut stream| stream.write_all(content)).map_err(failed);
    }
    // A link stays a link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new();
    // As the umask allows, unlike those of other temporary files.
    let new = new.prefix(".towpath-report-").permissions(Permissions::from_mode(0o666));
    let mut file = new.tempfile_in(folder).map_err(failed)?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(&path).map(drop).map_err(|error| failed(error.error))
}
