//! `towpath assess`: surveys a tree, with DEST by the scan that the migration begins with.

use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use jiff::tz::TimeZone;
use towpath_backend::registry::Location;

use super::only_run::OnlyRun;
use super::trees::{self, Trees};
use super::watch::{Around, Watched, about, watch};
use super::{patterns, remote, sync};
use crate::args::bwlimit::local_zone;
use crate::args::{AssessArguments, LocationArgument, SyncArguments};
use crate::assess::checks::{check, local_root};
use crate::assess::noticed::Listener;
use crate::assess::report::{Assessment, Place, Settings};
use crate::assess::{Reader, Surveyor, Terms, now};
use crate::config::ConfigFile;
use crate::console::output;
use crate::exit::{COULD_NOT_RUN, ExitError, USAGE_ERROR};
use crate::server::socket_files;
use crate::signals;
use crate::steering::Steering;
use towpath::{Builder, Extent, HardLinks, Migration, Options, RunOutcome, Source, Specials};

/// Runs the command and returns the exit status.
pub(crate) async fn run(arguments: AssessArguments) -> u8 {
    if let Err(error) = signals::survive() {
        output::error(&format!("cannot listen to signals: {error}"));
        return COULD_NOT_RUN;
    }
    let Some(sync) = &arguments.sync else { return USAGE_ERROR };
    match try_run(&arguments, sync).await {
        Ok(status) => status,
        Err(ExitError(status, problem)) => {
            let is_usage = status == USAGE_ERROR;
            ExitError(status, if is_usage { sync.settings.explain(problem) } else { problem }).report()
        }
    }
}

async fn try_run(arguments: &AssessArguments, sync: &SyncArguments) -> Result<u8, ExitError> {
    let wrong_usage = |problem| ExitError(USAGE_ERROR, problem);
    let place = |name, given: &LocationArgument| {
        let explained = |problem| wrong_usage(sync.settings.explain_option(name, problem));
        given.location().cloned().map_err(explained)
    };
    let source = place("source", &sync.source)?;
    let has_dest = arguments.dest.is_some() || sync.job.is_some();
    let dest = has_dest.then(|| place("dest", &sync.dest)).transpose()?;
    if let Some(explanation) = [Some(&source), dest.as_ref()].into_iter().flatten().find_map(remote::explain) {
        return Err(wrong_usage(explanation));
    }
    let read = sync.config_file.clone().map_or_else(|| ConfigFile::read(sync.config.as_deref()), Ok);
    let trees = Trees::new(&read.map_err(wrong_usage)?)?;
    if let Some(note) = &trees.note {
        sync::print_note(sync, note);
    }
    let assess = Assess { arguments, sync, trees: &trees, source: &source };
    match dest {
        Some(dest) => assess.for_migration(&dest).await,
        None => assess.alone().await,
    }
}

struct Assess<'a> {
    arguments: &'a AssessArguments,
    sync: &'a SyncArguments,
    trees: &'a Trees,
    source: &'a Location,
}

/// What is the same with and without a destination.
struct Begun {
    surveyor: Surveyor,
    listener: Listener,
    place: Place,
    options: Options,
    sink_keeps_hard_links: bool,
}

impl Assess<'_> {
    /// With the scan of the migration.
    async fn for_migration(&self, dest: &Location) -> Result<u8, ExitError> {
        let sync = self.sync;
        let (opened, files, options) = sync::check(sync, [self.source, dest], self.trees).await?;
        let wrong_usage = |problem| ExitError(USAGE_ERROR, problem);
        let limit = sync.limit().map_err(wrong_usage)?;
        let zone = if limit.only_rate().is_some() { TimeZone::UTC } else { local_zone().map_err(wrong_usage)? };
        let _only_run = OnlyRun::of(self.source, dest).map_err(|problem| ExitError(COULD_NOT_RUN, problem))?;
        let root = trees::root_of(&*opened).await?;
        let sink = self.trees.sink(dest, root.permissions, sync.deletion.trash.as_deref()).await?;
        let place = Place {
            source: opened.root().to_vec(),
            dest: Some(sink.root().to_vec()),
            database: Some(files.database.as_os_str().as_bytes().to_vec()),
            is_dest_remote: matches!(dest, Location::Url(_)),
        };
        let about = about(&files.database, &files.log, opened.root(), sink.root());
        let begun = self.begin(place, options.extent(Extent::Scan), sink.capabilities().hard_links);
        let builder = Migration::builder().sink(sink).excluded_paths(socket_files(&files.database));
        let builder = builder.database(&files.database).audit_log(&files.log);
        let (migration, events) = begun.add_to(builder).source(opened).build()?;
        let steering = Some(Steering::new(limit, zone, migration.control()));
        let around = Around { steering, observer: Some(Box::new(begun.listener.clone())), ..Around::default() };
        let watched = watch(sync, migration, events, &files.database, about, around).await?;
        self.end(begun, watched).await
    }

    /// With a listing of the source, which is recorded nowhere.
    async fn alone(&self) -> Result<u8, ExitError> {
        let wrong_usage = |problem| ExitError(USAGE_ERROR, problem);
        let options = self.sync.options().map_err(wrong_usage)?;
        options.check().map_err(|error| wrong_usage(error.to_string()))?;
        for note in patterns::check(&options.filter.rules, [self.source, self.source]).map_err(wrong_usage)? {
            sync::print_note(self.sync, &note);
        }
        self.trees.check(self.source)?;
        let opened = self.trees.source(self.source).await?;
        let scratch = tempfile::Builder::new()
            .prefix("towpath-assess-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| ExitError(COULD_NOT_RUN, format!("cannot create a temporary folder: {error}")))?;
        let (database, log) = (scratch.path().join("queue.db"), scratch.path().join("audit.jsonl"));
        let place = Place { source: opened.root().to_vec(), ..Place::default() };
        let about = about(&database, &log, opened.root(), b"");
        let begun = self.begin(place, options.extent(Extent::Listing), true);
        let builder = Migration::builder().database(&database).audit_log(&log);
        let (migration, events) = begun.add_to(builder).source(opened).build()?;
        let around = Around { observer: Some(Box::new(begun.listener.clone())), ..Around::default() };
        let watched = watch(self.sync, migration, events, &database, about, around).await?;
        self.end(begun, watched).await
    }

    fn begin(&self, place: Place, options: Options, sink_keeps_hard_links: bool) -> Begun {
        let root_bytes = place.source.len().max(place.dest.as_ref().map_or(0, Vec::len));
        let groups = rustix::process::getgroups().unwrap_or_default().into_iter().map(|group| group.as_raw());
        let reader = Reader {
            user: rustix::process::geteuid().as_raw(),
            groups: groups.chain([rustix::process::getegid().as_raw()]).collect(),
        };
        let terms = Terms { now: now(), reader, root_bytes, samples: self.arguments.samples };
        let (surveyor, listener) = (Surveyor::new(terms), Listener::default());
        Begun { surveyor, listener, place, options, sink_keeps_hard_links }
    }

    /// Checks the samples, and prints the assessment.
    async fn end(&self, begun: Begun, watched: Watched) -> Result<u8, ExitError> {
        let Watched { report, received, can_print, .. } = watched;
        if report.outcome == RunOutcome::Stopped {
            output::error("stopped before the end of the scan: there is no assessment");
            return Ok(received.status());
        }
        let survey = begun.surveyor.survey();
        let source: Box<dyn Source> = self.trees.source(self.source).await?;
        let root = local_root(&*source, matches!(self.source, Location::Path(_))).map(ToOwned::to_owned);
        let checks = check(source, &survey, root.as_deref()).await;
        let options = &begun.options;
        let settings = Settings {
            keeps_hard_links: options.hard_links == HardLinks::Keep && begun.sink_keeps_hard_links,
            keeps_permissions: options.keep_permissions,
            keeps_owner: options.keep_owner,
            keeps_xattrs: options.keep_xattrs,
            fails_specials: options.specials == Specials::Fail,
            limit_bytes_per_s: self.sync.fixed_limit_bytes_per_s(),
        };
        let assessment = Assessment {
            began: survey.began(),
            pending: begun.place.dest.as_ref().map(|_| report.pending),
            place: begun.place,
            settings,
            scan: report.duration,
            survey,
            noticed: begun.listener.noticed(),
            checks,
        };
        if can_print {
            let text = if self.arguments.json { assessment.json().to_string() } else { assessment.text() };
            output::line(&text);
        }
        Ok(assessment.exit_status())
    }
}

impl Begun {
    fn add_to(&self, builder: Builder) -> Builder {
        builder.observer(self.surveyor.clone()).options(self.options.clone())
    }
}
