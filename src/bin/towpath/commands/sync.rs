//! `towpath sync`: checks everything, then runs the migration.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::task::block_in_place;
use towpath_backend::registry::{Location, Url};
use towpath_local::{LocalSink, Overlap, overlap};

use super::only_run::OnlyRun;
use super::trees::{self, Trees};
use super::watch::{Around, Watched, about, status_of, watch};
use super::{dry_run, patterns, remote};
use crate::args::bwlimit::local_zone;
use crate::args::{LocationArgument, SyncArguments};
use crate::config::ConfigFile;
use crate::config::setting::{Setting, Settings};
use crate::config::state_files::{StateFiles, canonical_of, default_database, state_files};
use crate::console::{self, output};
use crate::exit::{COULD_NOT_RUN, ExitError, USAGE_ERROR};
use crate::format;
use crate::hooks::Hooks;
use crate::limited_by;
use crate::metrics::MetricsPath;
use crate::server::{Starting, socket_files};
use crate::signals;
use crate::steering::Steering;
use crate::timetable::{Rate, Timetable};
use towpath::canonical_path;
use towpath::{Migration, Options, Source, database_files};

/// Runs the command and returns the exit status.
pub(crate) async fn run(arguments: SyncArguments) -> u8 {
    if arguments.verbose > 1 {
        let filter = tracing_subscriber::EnvFilter::new("towpath=debug");
        // An error while writing to a closed standard error would panic.
        let diagnostics = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
        diagnostics.with_writer(std::io::stderr).init();
    }
    if let Err(error) = signals::survive() {
        output::error(&format!("cannot listen to signals: {error}"));
        return COULD_NOT_RUN;
    }
    // A dry run changes nothing, and is nothing to report.
    let hooks = Hooks::start(arguments.hooks.on_event.as_deref().filter(|_| !arguments.dry_run));
    let (status, problem) = match try_run(&arguments, &hooks).await {
        Ok(ended) => ended,
        Err(ExitError(status, problem)) => {
            let is_usage = status == USAGE_ERROR;
            let problem = if is_usage { arguments.settings.explain(problem) } else { problem };
            output::error(&problem);
            (status, Some(problem))
        }
    };
    hooks.end(status, problem.as_deref()).await;
    status
}

/// The exit status of a run that began, and why a guard refused to go on.
async fn try_run(arguments: &SyncArguments, hooks: &Hooks) -> Result<(u8, Option<String>), ExitError> {
    let place = |name, given: &LocationArgument| {
        let explained = |problem| ExitError(USAGE_ERROR, arguments.settings.explain_option(name, problem));
        given.location().cloned().map_err(explained)
    };
    let (source, dest) = (place("source", &arguments.source)?, place("dest", &arguments.dest)?);
    hooks.set_trees(&source, &dest);
    if let Some(explanation) = [&source, &dest].into_iter().find_map(remote::explain) {
        return Err(ExitError(USAGE_ERROR, explanation));
    }
    let starting = (!arguments.dry_run).then(|| block_in_place(|| announce(arguments, &source, &dest))).flatten();
    let read = match &arguments.config_file {
        Some(file) => Ok(file.clone()),
        None => ConfigFile::read(arguments.config.as_deref()),
    };
    let trees = Trees::new(&read.map_err(|problem| ExitError(USAGE_ERROR, problem))?)?;
    if let Some(note) = &trees.note {
        print_note(arguments, note);
    }
    let (opened, files, options) = check(arguments, [&source, &dest], &trees).await?;
    hooks.set_database(&files.database);
    let wrong_usage = |problem| ExitError(USAGE_ERROR, problem);
    let limit = arguments.limit().map_err(wrong_usage)?;
    // A limit that never changes does not depend on the zone.
    let zone = if limit.only_rate().is_some() { TimeZone::UTC } else { local_zone().map_err(wrong_usage)? };
    if arguments.prints_text() {
        output::line(&limit_line(&limit, &zone, arguments.dry_run));
    }
    if arguments.dry_run {
        let status = dry_run::run(arguments, [&source, &dest], options, opened, &trees, &files).await?;
        return Ok((status, None));
    }
    let _only_run = OnlyRun::of(&source, &dest).map_err(|problem| ExitError(COULD_NOT_RUN, problem))?;
    let metrics_file = block_in_place(|| metrics_file(arguments, &files))?;
    // From here on the destination may be changed: a local one is created and probed.
    let root = trees::root_of(&*opened).await?;
    let sink = trees.sink(&dest, root.permissions, arguments.deletion.trash.as_deref()).await?;
    let about = about(&files.database, &files.log, opened.root(), sink.root());
    let (migration, events) = Migration::builder()
        .source(opened)
        .sink(sink)
        .database(&files.database)
        .audit_log(&files.log)
        .excluded_paths(socket_files(&files.database))
        .excluded_paths(metrics_file.iter().map(MetricsPath::path))
        .options(options)
        .command(command(&arguments.settings))
        .build()?;
    if arguments.prints_text() {
        output::line(&format!("database {}", shown(&files.database)));
        output::line(&format!("log      {}", shown(&files.log)));
    }
    let progress = migration.progress();
    let steering = Steering::new(limit, zone, migration.control());
    let around = Around { steering: Some(steering), starting, metrics_file, hooks: Some(hooks), observer: None };
    let Watched { report, received, can_print, status } =
        watch(arguments, migration, events, &files.database, about, around).await?;
    if can_print {
        if arguments.prints_json() {
            output::line(&console::summary_json(&report, &status));
        } else if !arguments.quiet {
            // What else is pending after a retry is not its subject.
            let is_retry = arguments.retry.is_some();
            output::line(&if is_retry { console::headline(&report) } else { console::summary(&report, &status) });
            let limited_by = limited_by::of_run(&progress.snapshot().limited_by);
            if let Some(text) = limited_by.filter(|_| arguments.verbose > 0) {
                output::line(&text);
            }
        }
        if let Some(refusal) = &report.refusal {
            output::error(&refusal.to_string());
        }
    }
    Ok((status_of(&report, &received), report.refusal.as_ref().map(ToString::to_string)))
}

/// How the run is started, for a retry: the folder, and the values of all options. `None`: they are not UTF-8.
fn command(settings: &Settings) -> Option<String> {
    let value = |setting: &Setting| Some(json!([setting.option, setting.value.to_str()?]));
    let settings = settings.0.iter().map(value).collect::<Option<Vec<_>>>()?;
    Some(json!({ "folder": std::env::current_dir().ok()?.to_str()?, "settings": settings }).to_string())
}

/// The folder and the values that [`command`] recorded.
pub(super) fn recorded_command(text: &str) -> Option<(String, Vec<Setting>)> {
    let command: Value = serde_json::from_str(text).ok()?;
    let setting = |pair: &Value| Some(Setting::given(pair[0].as_str()?, OsStr::new(pair[1].as_str()?)));
    let settings = command["settings"].as_array()?.iter().map(setting).collect::<Option<Vec<_>>>()?;
    Some((command["folder"].as_str()?.to_owned(), settings))
}

/// Tells clients that a run is starting.
fn announce(arguments: &SyncArguments, source: &Location, dest: &Location) -> Option<Starting> {
    let database = arguments.database.clone().or_else(|| default_database(source, dest).ok())?;
    Some(Starting::announce(&database))
}

/// The file of the metrics, once it is known that it can be written.
fn metrics_file(arguments: &SyncArguments, files: &StateFiles) -> Result<Option<MetricsPath>, ExitError> {
    let Some(path) = &arguments.metrics.metrics_file else { return Ok(None) };
    let databases = database_files(&files.database);
    let others = databases.iter().chain([&files.log]).map(PathBuf::as_path);
    let checked = MetricsPath::check(path, others).map_err(|problem| ExitError(COULD_NOT_RUN, problem))?;
    if let Some(note) = checked.note() {
        print_note(arguments, note);
    }
    Ok(Some(checked))
}

/// The limit in force and its next change, on one line.
fn limit_line(limit: &Timetable, zone: &TimeZone, is_dry_run: bool) -> String {
    match limit.only_rate() {
        Some(Rate::Pause) if is_dry_run => console::limit_line(Rate::Off, None),
        Some(rate) => console::limit_line(rate, None),
        None if is_dry_run => "limit: none, as a dry run ignores the timetable".to_owned(),
        None => {
            let now = Timestamp::now().to_zoned_datetime(zone.clone());
            console::limit_line(limit.at(&now), limit.next_change(&now).as_ref())
        }
    }
}

/// Prints a note about the arguments.
pub(super) fn print_note(arguments: &SyncArguments, note: &str) {
    if !arguments.quiet {
        let note = arguments.settings.explain(note.to_owned());
        output::note(&format!("note: {}", format::escape(note.as_bytes())));
    }
}

/// Checks everything that can be checked before anything is changed.
pub(super) async fn check(
    arguments: &SyncArguments,
    [source, dest]: [&Location; 2],
    trees: &Trees,
) -> Result<(Box<dyn Source>, StateFiles, Options), ExitError> {
    let wrong_usage = |problem: String| ExitError(USAGE_ERROR, problem);
    let options = arguments.options().map_err(wrong_usage)?;
    options.check().map_err(|error| wrong_usage(error.to_string()))?;
    for note in patterns::check(&options.filter.rules, [source, dest]).map_err(wrong_usage)? {
        print_note(arguments, &note);
    }
    trees.check(source)?;
    trees.check(dest)?;
    let opened = trees.source(source).await?;
    let files = block_in_place(|| check_locations(arguments, source, dest))?;
    if arguments.dry_run {
        // A dry run has its own database, and may run beside a real one.
        return Ok((opened, files, options));
    }
    let sink_root = block_in_place(|| canonical_of(dest));
    let sink_root = sink_root.as_os_str().as_bytes();
    Migration::check_files(&files.database, &files.log, opened.root(), sink_root).await?;
    Ok((opened, files, options))
}

/// Checks the locations against each other, and chooses database and log. Blocks, because paths may be on slow mounts.
fn check_locations(arguments: &SyncArguments, source: &Location, dest: &Location) -> Result<StateFiles, ExitError> {
    if let Location::Path(dest) = dest {
        LocalSink::check(dest).map_err(|error| ExitError(COULD_NOT_RUN, format!("destination {error}")))?;
    }
    check_apart(source, dest)?;
    if let Some(trash) = &arguments.deletion.trash {
        check_trash(trash, source, dest)?;
    }
    state_files(source, dest, arguments.database.as_deref(), arguments.log_file.as_deref())
        .map_err(|problem| ExitError(COULD_NOT_RUN, problem))
}

/// Neither tree may be inside the other.
pub(super) fn check_apart(source: &Location, dest: &Location) -> Result<(), ExitError> {
    let overlapping = match (source, dest) {
        (Location::Path(source), Location::Path(dest)) => {
            let failed = |error| {
                format!(
                    "cannot check whether {source} and {dest} overlap: {error}",
                    source = source.display(),
                    dest = dest.display()
                )
            };
            overlap(source, dest).map_err(|error| ExitError(COULD_NOT_RUN, failed(error)))?
        }
        (Location::Url(source), Location::Url(dest)) => overlap_of_urls(source, dest),
        _ => None,
    };
    let Some(overlapping) = overlapping else { return Ok(()) };
    Err(ExitError(
        USAGE_ERROR,
        match overlapping {
            Overlap::Same => format!("source {source} and destination {dest} are the same directory"),
            Overlap::Shown => format!(
                "the destination {dest} shows the files of the source {source} (bindfs, mergerfs or overlayfs?): nothing \
                 would be copied; give another destination"
            ),
            Overlap::SinkInSource => format!("the destination {dest} is inside the source {source}"),
            Overlap::SourceInSink => format!("the source {source} is inside the destination {dest}"),
            _ => format!("source {source} and destination {dest} overlap"),
        },
    ))
}

fn overlap_of_urls(source: &Url, dest: &Url) -> Option<Overlap> {
    match (source.contains(dest), dest.contains(source)) {
        (true, true) => Some(Overlap::Same),
        (true, false) => Some(Overlap::SinkInSource),
        (false, true) => Some(Overlap::SourceInSink),
        (false, false) => None,
    }
}

fn check_trash(trash: &Path, source: &Location, dest: &Location) -> Result<(), ExitError> {
    let shown = trash.display();
    if let Location::Url(_) = dest {
        return Err(ExitError(USAGE_ERROR, format!("trash {shown}: nothing can be moved there from {dest}")));
    }
    if let Location::Path(source) = source
        && canonical_path(trash).starts_with(canonical_path(source))
    {
        let problem = format!("trash {shown} is inside the source, which is never written to");
        return Err(ExitError(USAGE_ERROR, problem));
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    format::escape(path.as_os_str().as_bytes())
}
