//! `towpath manifest`: writes the recorded checksums for other tools.

mod lines;
mod signature;

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use towpath::{Overview, RecordedFiles};

use super::run_database::{database_of, no_migration};
use crate::args::manifest::ManifestArguments;
use crate::console::output;
use crate::exit::{ALL_IN_SYNC, COULD_NOT_RUN, ExitError, NOT_ALL_IN_SYNC, USAGE_ERROR};
use lines::{Left, Lines};
use signature::Key;

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &ManifestArguments) -> u8 {
    match try_run(arguments) {
        Ok(left) => {
            left.notes().iter().for_each(|note| output::note(note));
            if left.is_complete() { ALL_IN_SYNC } else { NOT_ALL_IN_SYNC }
        }
        Err(error) => error.report(),
    }
}

fn try_run(arguments: &ManifestArguments) -> Result<Left, ExitError> {
    let run = arguments.run.name().map_err(|problem| ExitError(USAGE_ERROR, problem))?;
    let database = database_of(&run)?;
    if Overview::read(&database, 0)?.is_none() {
        return Err(no_migration(&database));
    }
    let key = arguments.sign.as_deref().map(Key::read).transpose().map_err(could_not)?;
    let lines = Lines::new(arguments.format, arguments.zero).map_err(|problem| ExitError(USAGE_ERROR, problem))?;
    match &arguments.output {
        None => to_stream(&database, lines, io::stdout().lock(), "standard output"),
        Some(path) if is_stream(path) => {
            let shown = path.display().to_string();
            if key.is_some() {
                return Err(ExitError(USAGE_ERROR, format!("only a file can be signed, and {shown} is none")));
            }
            let stream = OpenOptions::new().write(true).open(path);
            to_stream(&database, lines, stream.map_err(|error| Failure::Output(error).at(&shown))?, &shown)
        }
        Some(path) => to_file(&database, lines, path, key.as_ref()),
    }
}

/// Whether this is a pipe or device, which is written to and never replaced.
fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
}

fn to_stream(database: &Path, lines: Lines, stream: impl Write, shown: &str) -> Result<Left, ExitError> {
    match write(database, lines, &mut BufWriter::new(stream)) {
        // As for `towpath manifest … | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Left::default()),
        written => written.map_err(|failure| failure.at(shown)),
    }
}

/// Writes a new file, which replaces an older one when it is complete.
fn to_file(database: &Path, lines: Lines, path: &Path, key: Option<&Key>) -> Result<Left, ExitError> {
    let shown = path.display().to_string();
    let failed = |error: io::Error| Failure::Output(error).at(&shown);
    // A link stays a link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new();
    // As the umask allows, unlike those of other temporary files.
    let new = new.prefix(".towpath-manifest-").permissions(Permissions::from_mode(0o666));
    let mut file = new.tempfile_in(folder).map_err(failed)?;
    let left = write(database, lines, &mut BufWriter::new(&mut file)).map_err(|failure| failure.at(&shown))?;
    file.as_file().sync_all().map_err(failed)?;
    let signed = key.map(|key| key.sign(file.path(), &path)).transpose().map_err(could_not)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    if let Some((path, signature)) = signed {
        fs::write(&path, signature).map_err(|error| Failure::Output(error).at(&path.display().to_string()))?;
    }
    Ok(left)
}

fn could_not(problem: String) -> ExitError {
    ExitError(COULD_NOT_RUN, problem)
}

/// Why a manifest could not be written.
enum Failure {
    Database(towpath::Error),
    Output(io::Error),
}

impl Failure {
    fn at(self, output: &str) -> ExitError {
        match self {
            Self::Database(error) => error.into(),
            Self::Output(error) => could_not(format!("cannot write the manifest to {output}: {error}")),
        }
    }
}

/// Writes all lines, and says what is not in them.
fn write(database: &Path, mut lines: Lines, out: &mut impl Write) -> Result<Left, Failure> {
    let mut files = RecordedFiles::of(database);
    while let Some(page) = files.next_page().map_err(Failure::Database)? {
        for file in &page {
            if let Some(line) = lines.line(file) {
                out.write_all(&line).map_err(Failure::Output)?;
            }
        }
    }
    out.flush().map_err(Failure::Output)?;
    Ok(lines.left())
}
