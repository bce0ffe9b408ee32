//! A dry run: what a migration would do after this scan, told and not done.

use tokio_util::sync::CancellationToken;
use towpath_backend::{RelPath, Sink, Source};

use crate::error::{Error, Result};
use crate::event::{Action, Emitter, Event, FilePaths};
use crate::journal::{ConflictingEntry, DirWork, ExtraKey, FileKey, Journal, PlannedWork, Respelling, Step, StepKey};
use crate::options::Mirror;
use crate::phase::mirror::within_bounds;
use crate::report::Planned;

/// Rows read at once.
const PAGE: usize = 1024;

/// What a dry run needs.
pub(crate) struct Plan<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) sink: &'a dyn Sink,
    pub(crate) journal: &'a Journal,
    pub(crate) emitter: &'a Emitter,
    pub(crate) cancellation: &'a CancellationToken,
    pub(crate) mirror: Option<Mirror>,
    pub(crate) one_file_system: bool,
    /// mtimes that differ by no more are equal. `None`: the sink keeps none.
    pub(crate) tolerance_ns: Option<u64>,
}

impl Plan<'_> {
    /// Emits every step, sorted by path; returns the sums, and why a guard would refuse to delete.
    pub(crate) async fn tell(&self) -> Result<(Planned, Option<String>)> {
        let mut found = Steps::default();
        self.renames(&mut found).await?;
        self.files(&mut found).await?;
        let refusal = match self.mirror {
            Some(mirror) => self.extras(mirror, &mut found).await?,
            None => None,
        };
        self.dirs(&mut found).await?;
        self.emit_sorted().await?;
        Ok((found.planned, refusal))
    }

    async fn emit_sorted(&self) -> Result<()> {
        let mut after = StepKey::first();
        while !self.cancellation.is_cancelled() {
            let page = self.journal.steps(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.key();
            for Step { action, path, size_bytes, reason } in page {
                let paths = FilePaths { source: path.under(self.source.root()), dest: path.under(self.sink.root()) };
                self.emitter.emit(Event::Planned { action, paths, size_bytes, reason }).await;
            }
        }
        Ok(())
    }

    /// Hands the steps of a page to the database.
    async fn keep(&self, found: &mut Steps) -> Result<()> {
        self.journal.add_steps(std::mem::take(&mut found.page)).await
    }

    async fn files(&self, found: &mut Steps) -> Result<()> {
        let names = self.sink.capabilities().names;
        let mut after = FileKey::first();
        loop {
            let page = self.journal.planned_files(after, PAGE, self.mirror.is_some(), self.tolerance_ns, names).await?;
            let Some(last) = page.last() else { return Ok(()) };
            if self.cancellation.is_cancelled() {
                return Ok(());
            }
            after = last.key.clone();
            for file in page {
                match file.conflict {
                    Some(ConflictingEntry::File(size_bytes)) => found.way_for_other(&file.path, size_bytes),
                    // With a mirror it is among the directories that the source does not have.
                    Some(ConflictingEntry::Dir) if self.mirror.is_none() => {
                        found.planned.deleted_dirs += 1;
                        found.add(Action::DeleteDir, &file.path, None, "a file of the source replaces it".to_owned());
                    }
                    _ => {}
                }
                let (action, count) = match file.what {
                    PlannedWork::Send => {
                        found.planned.sent.bytes += u128::from(file.size_bytes);
                        (Action::Send, &mut found.planned.sent.files)
                    }
                    PlannedWork::Link => (Action::Link, &mut found.planned.linked_files),
                    PlannedWork::Attributes => (Action::SetAttributes, &mut found.planned.settled_files),
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
            let page = self.journal.respellings(after, PAGE).await?;
            let Some(last) = page.last().filter(|_| !self.cancellation.is_cancelled()) else { return Ok(()) };
            after = last.path.clone();
            for Respelling { path, at_sink } in page {
                found.planned.renamed += 1;
                let name = String::from_utf8_lossy(at_sink.name().unwrap_or_default()).into_owned();
                found.add(Action::Rename, &path, None, format!("the destination spells it {name:?}"));
            }
            self.keep(found).await?;
        }
    }

    async fn dirs(&self, found: &mut Steps) -> Result<()> {
        let are_made = self.sink.capabilities().empty_directories;
        let mut after = 0;
        loop {
            let page = self.journal.pending_dirs(DirWork::Create, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            if self.cancellation.is_cancelled() {
                return Ok(());
            }
            after = last.id;
            for dir in page {
                if let Some(size_bytes) = self.journal.file_in_place_of(dir.path.clone()).await? {
                    found.way_for_other(&dir.path, size_bytes);
                }
                if are_made {
                    found.planned.made_dirs += 1;
                    found.add(Action::MakeDir, &dir.path, None, "missing".to_owned());
                }
            }
            self.keep(found).await?;
        }
    }

    async fn extras(&self, mirror: Mirror, found: &mut Steps) -> Result<Option<String>> {
        self.journal.begin_extras(self.one_file_system, mirror.other_file_systems).await?;
        let refusal = match within_bounds(self.journal, self.source.root(), self.sink.root(), mirror).await {
            Err(Error::Refused(reason)) => Some(reason),
            result => {
                result?;
                None
            }
        };
        let reason = || "not in the source".to_owned();
        let mut next = Some(ExtraKey::first());
        while let Some(after) = next.filter(|_| !self.cancellation.is_cancelled()) {
            let page = self.journal.extra_files(after, PAGE).await?;
            next = page.next;
            found.planned.protected += page.protected;
            for extra in page.extras {
                found.planned.deleted_files += 1;
                found.add(Action::Delete, &extra.path, Some(extra.metadata.size_bytes), reason());
            }
            self.keep(found).await?;
        }
        let mut before = None;
        while !self.cancellation.is_cancelled() {
            let page = self.journal.extra_dirs(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.clone());
            for dir in page {
                if self.journal.protection(dir.clone()).await?.is_none() {
                    found.planned.deleted_dirs += 1;
                    found.add(Action::DeleteDir, &dir, None, reason());
                }
            }
            self.keep(found).await?;
        }
        Ok(refusal)
    }
}

/// What was found so far: the sums, and the steps of the page that is read.
#[derive(Default)]
struct Steps {
    planned: Planned,
    page: Vec<Step>,
}

impl Steps {
    fn add(&mut self, action: Action, path: &RelPath, size_bytes: Option<u64>, reason: String) {
        self.page.push(Step { action, path: path.clone(), size_bytes, reason });
    }

    fn way_for_other(&mut self, path: &RelPath, size_bytes: u64) {
        self.planned.deleted_files += 1;
        let reason = "it conflicts with what the source has there".to_owned();
        self.add(Action::Delete, path, Some(size_bytes), reason);
    }
}
