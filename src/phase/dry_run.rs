//! A dry run: reports what a migration would do after this scan, and changes nothing.

use towpath_backend::RelPath;

use crate::error::{Error, GuardRefusal, Result};
use crate::event::{Action, Event, PlanReason};
use crate::guard;
use crate::journal::{ConflictingEntry, DirWork, ExtraKey, FileKey, PlannedWork, Respelling, Step, StepKey};
use crate::options::Mirror;
use crate::report::Planned;
use crate::session::Session;

/// Rows read at once.
const PAGE: usize = 1024;

/// Emits every step, sorted by path; returns the sums, and the guard refusal that would prevent deletions.
pub(crate) async fn run(session: &Session) -> Result<(Planned, Option<GuardRefusal>)> {
    let mut found = Steps::default();
    let dry_run = DryRun(session);
    dry_run.renames(&mut found).await?;
    dry_run.files(&mut found).await?;
    let refusal = match session.options.mirror {
        Some(mirror) => dry_run.extras(mirror, &mut found).await?,
        None => None,
    };
    dry_run.dirs(&mut found).await?;
    dry_run.emit_sorted().await?;
    Ok((found.planned, refusal))
}

struct DryRun<'a>(&'a Session);

impl DryRun<'_> {
    async fn emit_sorted(&self) -> Result<()> {
        let mut after = StepKey::first();
        while !self.0.is_stopped() {
            let page = self.0.journal.steps(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.key();
            for Step { action, path, size_bytes, reason } in page {
                let paths = self.0.paths(&path);
                self.0.reporter.notify(Event::Planned { action, paths, size_bytes, reason }).await;
            }
        }
        Ok(())
    }

    /// Writes the steps of a page to the database.
    async fn keep(&self, found: &mut Steps) -> Result<()> {
        self.0.journal.add_steps(std::mem::take(&mut found.page)).await
    }

    async fn files(&self, found: &mut Steps) -> Result<()> {
        let names = self.0.sink.capabilities().names;
        let (mirror, tolerance_ns) = (self.0.options.mirror.is_some(), self.0.mtime_tolerance_ns());
        let mut after = FileKey::first();
        loop {
            let page = self.0.journal.planned_files(after, PAGE, mirror, tolerance_ns, names).await?;
            let Some(last) = page.last() else { return Ok(()) };
            if self.0.is_stopped() {
                return Ok(());
            }
            after = last.key.clone();
            for file in page {
                match file.conflict {
                    Some(ConflictingEntry::File(size_bytes)) => found.add_conflict(&file.path, size_bytes),
                    // With a mirror it is among the extra directories.
                    Some(ConflictingEntry::Dir) if !mirror => {
                        found.planned.deleted_dirs += 1;
                        found.add(Action::DeleteDir, &file.path, None, PlanReason::ReplacedByFile);
                    }
                    _ => {}
                }
                let (action, count) = match file.what {
                    PlannedWork::Send => {
                        found.planned.sent.bytes += u128::from(file.size_bytes);
                        (Action::Send, &mut found.planned.sent.files)
                    }
                    PlannedWork::Link => (Action::Link, &mut found.planned.linked_files),
                    PlannedWork::Attributes => (Action::SetAttributes, &mut found.planned.attribute_files),
                    PlannedWork::Fail => (Action::Fail, &mut found.planned.failing_files),
                };
                *count += 1;
                found.add(action, &file.path, Some(file.size_bytes), file.reason);
            }
            self.keep(found).await?;
        }
    }

    async fn renames(&self, found: &mut Steps) -> Result<()> {
        let mut after = RelPath::root();
        loop {
            let page = self.0.journal.respellings(after, PAGE).await?;
            let Some(last) = page.last().filter(|_| !self.0.is_stopped()) else { return Ok(()) };
            after = last.path.clone();
            for Respelling { path, at_sink } in page {
                found.planned.renamed += 1;
                let name = at_sink.name().unwrap_or_default().to_vec();
                found.add(Action::Rename, &path, None, PlanReason::SpelledAtSink(name));
            }
            self.keep(found).await?;
        }
    }

    async fn dirs(&self, found: &mut Steps) -> Result<()> {
        let are_created = self.0.sink.capabilities().empty_directories;
        let mut after = 0;
        loop {
            let page = self.0.journal.pending_dirs(DirWork::Create, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            if self.0.is_stopped() {
                return Ok(());
            }
            after = last.id;
            for dir in page {
                if let Some(size_bytes) = self.0.journal.file_in_place_of(dir.path.clone()).await? {
                    found.add_conflict(&dir.path, size_bytes);
                }
                if are_created {
                    found.planned.created_dirs += 1;
                    found.add(Action::MakeDir, &dir.path, None, PlanReason::Missing);
                }
            }
            self.keep(found).await?;
        }
    }

    async fn extras(&self, mirror: Mirror, found: &mut Steps) -> Result<Option<GuardRefusal>> {
        self.0.journal.begin_extras(self.0.options.filter.one_file_system, mirror.other_file_systems).await?;
        let refusal = match guard::check_bounds(self.0, mirror).await {
            Err(Error::Refused(reason)) => Some(reason),
            result => {
                result?;
                None
            }
        };
        let mut next = Some(ExtraKey::first());
        while let Some(after) = next.filter(|_| !self.0.is_stopped()) {
            let page = self.0.journal.extra_files(after, PAGE).await?;
            next = page.next;
            found.planned.protected += page.protected;
            for extra in page.extras {
                found.planned.deleted_files += 1;
                found.add(Action::Delete, &extra.path, Some(extra.metadata.size_bytes), PlanReason::NotInSource);
            }
            self.keep(found).await?;
        }
        let mut before = None;
        while !self.0.is_stopped() {
            let page = self.0.journal.extra_dirs(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.clone());
            for dir in page {
                if self.0.journal.protection(dir.clone()).await?.is_none() {
                    found.planned.deleted_dirs += 1;
                    found.add(Action::DeleteDir, &dir, None, PlanReason::NotInSource);
                }
            }
            self.keep(found).await?;
        }
        Ok(refusal)
    }
}

/// The steps found so far: their sums, and those of the current page.
#[derive(Default)]
struct Steps {
    planned: Planned,
    page: Vec<Step>,
}

impl Steps {
    fn add(&mut self, action: Action, path: &RelPath, size_bytes: Option<u64>, reason: PlanReason) {
        self.page.push(Step { action, path: path.clone(), size_bytes, reason });
    }

    fn add_conflict(&mut self, path: &RelPath, size_bytes: u64) {
        self.planned.deleted_files += 1;
        self.add(Action::Delete, path, Some(size_bytes), PlanReason::ConflictsWithSource);
    }
}
