//! `towpath doctor`: gathers the facts about a planned migration, one topic after the other, and prints what they mean.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use towpath::json::put_path;
use towpath::{Options, Side, Sink, Source, canonical_path};
use towpath_backend::ErrorKind;
use towpath_backend::registry::Location;

use super::remote;
use super::sync::check_apart;
use super::trees::{Trees, exit_error};
use crate::args::bwlimit::local_zone;
use crate::args::{Command, DoctorArguments, SyncArguments};
use crate::config::ConfigFile;
use crate::config::state_files::{default_database_of, default_folder};
use crate::console::output;
use crate::doctor::facts::{self, within};
use crate::doctor::model::{Coming, DatabaseFacts, OtherMigration, Place};
use crate::doctor::{Code, Plan, judge, problem, side_name};
use crate::exit::{COULD_NOT_RUN, ExitError, NOT_ALL_IN_SYNC, USAGE_ERROR};
use crate::finding::{self, Finding};
use crate::layers::{Failure, Layers};
use crate::timetable::{Rate, Timetable};

/// Runs the command and returns the exit status.
pub(crate) async fn run(arguments: &DoctorArguments) -> u8 {
    match try_run(arguments).await {
        Ok(status) => status,
        Err(error) => error.report(),
    }
}

async fn try_run(arguments: &DoctorArguments) -> Result<u8, ExitError> {
    let wrong = |problem: String| ExitError(USAGE_ERROR, problem);
    let planned = planned(arguments)?;
    let source = planned.source.location().map_err(wrong)?.clone();
    let dest = planned.dest.location().map_err(wrong)?.clone();
    if let Some(explanation) = [&source, &dest].into_iter().find_map(remote::explain) {
        return Err(wrong(explanation));
    }
    let options = planned.options().map_err(wrong)?;
    options.check().map_err(|error| wrong(error.to_string()))?;
    let limit = planned.limit().map_err(wrong)?;
    let file = match &planned.config_file {
        Some(file) => file.clone(),
        None => ConfigFile::read(planned.config.as_deref()).map_err(wrong)?,
    };
    let trees = Arc::new(Trees::new(&file)?);
    trees.check(&source)?;
    trees.check(&dest)?;
    let mut examined = Examination {
        plan: plan(&options, &limit),
        limit: arguments.timeout,
        trees,
        source,
        dest,
        database: planned.database.clone(),
        findings: Vec::new(),
    };
    let database = examined.all(&limit).await;
    let Examination { findings, source, dest, .. } = examined;
    if arguments.json {
        let roots = [("source", Some(name_of(&source))), ("dest", Some(name_of(&dest))), ("database", database)];
        output::line(&as_json(roots, &findings).to_string());
    } else {
        output::line(&finding::text(&findings));
    }
    Ok(if finding::has_problem(&findings) { NOT_ALL_IN_SYNC } else { 0 })
}

/// A tree as it was given: resolving it could hang.
fn name_of(location: &Location) -> PathBuf {
    location.path().map_or_else(|| location.to_string().into(), Path::to_owned)
}

fn as_json(paths: [(&str, Option<PathBuf>); 3], findings: &[Finding]) -> Value {
    let mut object = Map::new();
    for (key, path) in paths {
        let mut put = |key: &str, value| drop(object.insert(key.to_owned(), value));
        match path {
            Some(path) => put_path(key, path.as_os_str().as_bytes(), put),
            None => put(key, Value::Null),
        }
    }
    object.extend(finding::json(findings));
    Value::Object(object)
}

/// What `towpath sync` would be given, from all layers.
fn planned(arguments: &DoctorArguments) -> Result<Box<SyncArguments>, ExitError> {
    let failed = |failure| match failure {
        // Its usage is that of another command.
        Failure::Clap(error) => {
            let text = error.to_string();
            let text = text.split("\n\nUsage:").next().unwrap_or_default().trim_start_matches("error: ");
            ExitError(USAGE_ERROR, text.trim().to_owned())
        }
        Failure::File(problem) => ExitError(USAGE_ERROR, problem),
    };
    let mut layers = Layers::collect(arguments.settings(), &|name| std::env::var_os(name)).map_err(failed)?;
    let parsed = layers.arguments().map_err(failed)?;
    let Command::Sync(mut planned) = parsed.command else {
        return Err(ExitError(COULD_NOT_RUN, "these are no options of `towpath sync`".to_owned()));
    };
    planned.config_file = layers.file.take();
    Ok(planned)
}

fn plan(options: &Options, limit: &Timetable) -> Plan {
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Plan {
        keeps_permissions: options.keep_permissions,
        keeps_owner: options.keep_owner,
        keeps_xattrs: options.keep_xattrs,
        copies_links: options.links == towpath::Links::Copy,
        keeps_hard_links: options.hard_links == towpath::HardLinks::Keep,
        is_atomic: options.write_mode == towpath::WriteMode::Atomic,
        lanes: number(options.lanes.unwrap_or(towpath_backend::Hints::DEFAULT.lanes)),
        walkers: number(options.walkers),
        buffer_bytes: number(options.queue_capacity).saturating_mul(number(options.block_size_bytes)),
        is_limited: limit.only_rate() != Some(Rate::Off),
        is_root: rustix::process::geteuid().is_root(),
    }
}

/// The examination of a pair of trees.
struct Examination {
    plan: Plan,
    /// For each answer.
    limit: Duration,
    trees: Arc<Trees>,
    source: Location,
    dest: Location,
    database: Option<PathBuf>,
    findings: Vec<Finding>,
}

impl Examination {
    /// Gathers and judges all facts; returns the path of the database.
    async fn all(&mut self, limit: &Timetable) -> Option<PathBuf> {
        let source_place = self.place(Side::Source).await;
        let dest_place = self.place(Side::Sink).await;
        // What hangs once is not asked again.
        if source_place.as_ref().is_none_or(|place| place.is_resolved) {
            self.source().await;
        }
        let answers = dest_place.as_ref().is_none_or(|place| place.is_resolved);
        if answers {
            self.overlap().await;
        }
        let (database, coming) = self.state(source_place.as_ref(), dest_place.as_ref()).await;
        if answers {
            self.dest(dest_place.as_ref(), coming.as_ref()).await;
        }
        self.findings.extend(judge::process(&facts::process(), &self.plan));
        self.findings.extend(judge::time_zone(limit, &local_zone(), jiff::Timestamp::now()));
        database
    }

    fn location(&self, side: Side) -> &Location {
        match side {
            Side::Source => &self.source,
            Side::Sink => &self.dest,
        }
    }

    fn add(&mut self, side: Side, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings.into_iter().map(|finding| finding.at(side_name(side))));
    }

    fn no_answer(&mut self, side: Option<Side>, what: &str) {
        let found = problem(
            Code::NoAnswer,
            format!("{what}: no answer within {} s", self.limit.as_secs_f64()),
            "a run would wait, too",
            "check the network and the server; umount -l releases a mount whose server is gone",
        );
        match side {
            Some(side) => self.add(side, [found]),
            None => self.findings.push(found),
        }
    }

    /// Where a tree lies; `None`: it is no path.
    async fn place(&mut self, side: Side) -> Option<Resolved> {
        let path = self.location(side).path()?.to_owned();
        let shown = path.display().to_string();
        let resolving = path.clone();
        let resolve = move || async move { (canonical_path(&resolving), resolving.exists()) };
        let resolved = within(self.limit, resolve).await;
        let (is_resolved, exists) = (resolved.is_some(), resolved.as_ref().is_none_or(|(_, exists)| *exists));
        let place = facts::place(&path, resolved.map(|(path, _)| path));
        let findings = judge::place(side, &place, &self.plan);
        self.add(side, findings);
        if !is_resolved {
            self.no_answer(Some(side), &shown);
        }
        Some(Resolved { place, is_resolved, exists })
    }

    /// Opens a tree, without waiting for a storage that is away.
    async fn open<T: Send + 'static>(
        &mut self,
        side: Side,
        open: impl AsyncFnOnce(&Trees, &Location) -> Result<T, ExitError> + Send + 'static,
    ) -> Option<T> {
        let (trees, location) = (Arc::clone(&self.trees), self.location(side).clone());
        let opened = within(self.limit, move || async move { open(&trees, &location).await }).await;
        match opened {
            Some(Ok(opened)) => return Some(opened),
            None => self.no_answer(Some(side), "opening it"),
            Some(Err(ExitError(_, text))) => {
                let remedy = match self.location(side) {
                    Location::Path(_) => "check the path, its permissions, and that the share is mounted",
                    Location::Url(_) => "check the URL and the credentials (`towpath backends` lists the options)",
                };
                let found = problem(Code::CannotOpen, text, "a run could not start", remedy);
                self.add(side, [found]);
            }
        }
        None
    }

    async fn source(&mut self) {
        let open =
            async |trees: &Trees, location: &Location| trees.find(location, None)?.source().await.map_err(exit_error);
        let Some(source) = self.open::<Box<dyn Source>>(Side::Source, open).await else { return };
        let trips = facts::round_trips(&*source, self.limit).await;
        let mut findings = vec![judge::round_trips(&trips, &self.plan)];
        if trips.trouble.is_none() {
            findings.extend(judge::sample(&facts::sample(&*source, self.limit).await, &self.plan));
        }
        self.add(Side::Source, findings);
    }

    async fn overlap(&mut self) {
        let (source, dest) = (self.source.clone(), self.dest.clone());
        let checked = within(self.limit, move || async move { check_apart(&source, &dest) }).await;
        if let Some(Err(ExitError(status, text))) = checked
            && status == USAGE_ERROR
        {
            self.findings.push(problem(
                Code::TreesOverlap,
                text,
                "a run would copy the tree into itself, or delete its own source: it does not start",
                "give another destination",
            ));
        }
    }

    /// Judges the database and other migrations; returns the database, and what will come according to it.
    async fn state(&mut self, source: Option<&Resolved>, dest: Option<&Resolved>) -> (Option<PathBuf>, Option<Coming>) {
        let are_known = [source, dest].iter().all(|side| side.is_some_and(|resolved| resolved.is_resolved));
        let name = |location: &Location, resolved: Option<&Resolved>| match resolved {
            Some(resolved) => resolved.place.path.clone(),
            None => location.to_string().into(),
        };
        let trees = [name(&self.source, source), name(&self.dest, dest)];
        let given = self.database.clone();
        let gathered = within(self.limit, move || async move { state(&trees, are_known, given) }).await;
        let (database, others) = match gathered {
            None => {
                self.no_answer(None, "the folder of the database");
                return (None, None);
            }
            Some(Err(text)) => {
                let found = problem(Code::Database, text, "a run needs a database", "give --database and --log-file");
                self.findings.push(found);
                return (None, None);
            }
            Some(Ok(gathered)) => gathered,
        };
        let recorded = database.recorded.clone().ok().flatten().unwrap_or_default();
        self.findings.extend(judge::database(&database, recorded.files));
        self.findings.extend(judge::other_migrations(&others));
        (Some(database.place.path), recorded.coming)
    }

    async fn dest(&mut self, resolved: Option<&Resolved>, coming: Option<&Coming>) {
        let place = resolved.map(|resolved| &resolved.place);
        if let Some(place) = place
            && !self.room(place, coming).await
        {
            return;
        }
        let inspect =
            async |trees: &Trees, location: &Location| trees.find(location, None)?.inspect().await.map_err(exit_error);
        let Some(inspected) = self.open::<Box<dyn Sink>>(Side::Sink, inspect).await else { return };
        let exists = match resolved {
            Some(resolved) => resolved.exists,
            None => self.is_there(&*inspected).await,
        };
        if !exists {
            return self.missing(&*inspected, place).await;
        }
        let is_read_only = place.and_then(|place| place.mount.as_ref()).is_some_and(|mount| mount.is_read_only());
        if is_read_only {
            let mut findings = judge::capabilities(&inspected.capabilities(), &self.plan);
            findings.push(judge::static_note("the destination is read-only"));
            return self.add(Side::Sink, findings);
        }
        let open =
            async |trees: &Trees, location: &Location| trees.find(location, None)?.sink().await.map_err(exit_error);
        let Some(sink) = self.open::<Box<dyn Sink>>(Side::Sink, open).await else { return };
        let mut findings = vec![judge::round_trips(&facts::round_trips(&*sink, self.limit).await, &self.plan)];
        findings.extend(judge::capabilities(&sink.capabilities(), &self.plan));
        findings.extend(judge::probed(&facts::probe(&*sink, &self.plan, self.limit).await, &self.plan));
        self.add(Side::Sink, findings);
    }

    /// Whether the folder of a URL is there. Anything else that is wrong shows when it is opened.
    async fn is_there(&self, inspected: &dyn Sink) -> bool {
        let found = facts::answer(self.limit, inspected.identity()).await;
        !matches!(found, Err(facts::Trouble::Failed(error)) if error.kind() == ErrorKind::NotFound)
    }

    /// A destination that a run would create.
    async fn missing(&mut self, inspected: &dyn Sink, place: Option<&Place>) {
        let above = place.and_then(|place| place.path.parent()).map(Path::to_owned);
        let writable = within(self.limit, move || async move { above.is_none_or(|above| facts::is_writable(&above)) });
        let is_writable = writable.await.unwrap_or(false);
        let mut findings = vec![judge::missing(is_writable), judge::static_note("the destination does not exist")];
        findings.extend(judge::capabilities(&inspected.capabilities(), &self.plan));
        self.add(Side::Sink, findings);
    }

    /// Judges the room; false if its file system does not answer.
    async fn room(&mut self, place: &Place, coming: Option<&Coming>) -> bool {
        let place = place.clone();
        let measure = move || async move {
            let existing = place.path.ancestors().find(|path| path.is_dir())?;
            facts::space(existing, place.mount.as_ref()).ok()
        };
        let Some(measured) = within(self.limit, measure).await else {
            self.no_answer(Some(Side::Sink), "its free space");
            return false;
        };
        if let Some(space) = measured {
            self.add(Side::Sink, judge::room(&space, coming));
        }
        true
    }
}

/// Where a tree lies, and whether its path could be resolved in time.
struct Resolved {
    place: Place,
    is_resolved: bool,
    exists: bool,
}

/// What is known of the database and of other migrations. Blocks, but does not touch the trees, of which `trees` are the
/// names; `are_known`: these are canonical paths.
fn state(
    trees: &[PathBuf; 2],
    are_known: bool,
    given: Option<PathBuf>,
) -> Result<(DatabaseFacts, Vec<OtherMigration>), String> {
    let [source, dest] = trees;
    let path = given.map_or_else(|| default_database_of(source, dest), Ok)?;
    let others = default_folder().map(|folder| facts::other_migrations(&folder, &path, dest));
    let compared = are_known.then_some([source.as_path(), dest.as_path()]);
    Ok((facts::database(&path, compared), others.unwrap_or_default()))
}
