//! A dry run: what a migration would do after this scan, told and not done.

use tokio_util::sync::CancellationToken;
use towpath_backend::{RelPath, Sink, Source};

use crate::error::{Error, Result};
use crate::event::{Action, Emitter, Event, FilePaths};
use crate::mirror::within_bounds;
use crate::options::Mirror;
use crate::report::Planned;
use crate::state::{DirWork, ExtraKey, FileKey, GivesWay, PlannedWork, State};

/// Rows read at once.
const PAGE: usize = 1024;

/// What a dry run needs.
pub(crate) struct Plan<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) sink: &'a dyn Sink,
    pub(crate) state: &'a State,
    pub(crate) emitter: &'a Emitter,
    pub(crate) cancellation: &'a CancellationToken,
    pub(crate) mirror: Option<Mirror>,
    pub(crate) one_file_system: bool,
    /// mtimes that differ by no more are equal. `None`: the sink keeps none.
    pub(crate) tolerance_ns: Option<u64>,
}

impl Plan<'_> {
    /// Tells every step, in the order of a run; the sums, and why a guard would refuse to delete.
    pub(crate) async fn tell(&self) -> Result<(Planned, Option<String>)> {
        let mut planned = Planned::default();
        self.files(&mut planned).await?;
        let refusal = match self.mirror {
            Some(mirror) => self.extras(mirror, &mut planned).await?,
            None => None,
        };
        self.dirs(&mut planned).await?;
        Ok((planned, refusal))
    }

    async fn files(&self, planned: &mut Planned) -> Result<()> {
        let mut after = FileKey::first();
        loop {
            let page = self.state.planned_files(after, PAGE, self.mirror.is_some(), self.tolerance_ns).await?;
            let Some(last) = page.last() else { return Ok(()) };
            if self.cancellation.is_cancelled() {
                return Ok(());
            }
            after = last.key.clone();
            for file in page {
                match file.gives_way {
                    Some(GivesWay::File(size_bytes)) => self.way_for_other(&file.path, size_bytes, planned).await,
                    // With a mirror it is among the directories that the source does not have.
                    Some(GivesWay::Dir) if self.mirror.is_none() => {
                        planned.deleted_dirs += 1;
                        self.emit(Action::DeleteDir, &file.path, None, "it gives way to a file".to_owned()).await;
                    }
                    _ => {}
                }
                let (action, count) = match file.what {
                    PlannedWork::Send => {
                        planned.sent.bytes += file.size_bytes;
                        (Action::Send, &mut planned.sent.files)
                    }
                    PlannedWork::Link => (Action::Link, &mut planned.linked_files),
                    PlannedWork::Attributes => (Action::SetAttributes, &mut planned.settled_files),
                    PlannedWork::Fail => (Action::Fail, &mut planned.failing_files),
                };
                *count += 1;
                self.emit(action, &file.path, Some(file.size_bytes), file.reason).await;
            }
        }
    }

    async fn dirs(&self, planned: &mut Planned) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.state.pending_dirs(DirWork::Make, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            if self.cancellation.is_cancelled() {
                return Ok(());
            }
            after = last.id;
            for dir in page {
                if let Some(size_bytes) = self.state.file_in_place_of(dir.path.clone()).await? {
                    self.way_for_other(&dir.path, size_bytes, planned).await;
                }
                planned.made_dirs += 1;
                self.emit(Action::MakeDir, &dir.path, None, "missing".to_owned()).await;
            }
        }
    }

    async fn extras(&self, mirror: Mirror, planned: &mut Planned) -> Result<Option<String>> {
        self.state.begin_extras(self.one_file_system, mirror.other_file_systems).await?;
        let refusal = match within_bounds(self.state, self.source.root(), self.sink.root(), mirror).await {
            Err(Error::Refused(reason)) => Some(reason),
            result => {
                result?;
                None
            }
        };
        let reason = || "not in the source".to_owned();
        let mut next = Some(ExtraKey::first());
        while let Some(after) = next.filter(|_| !self.cancellation.is_cancelled()) {
            let page = self.state.extra_files(after, PAGE).await?;
            next = page.next;
            planned.protected += page.protected;
            for extra in page.extras {
                planned.deleted_files += 1;
                self.emit(Action::Delete, &extra.path, Some(extra.metadata.size_bytes), reason()).await;
            }
        }
        let mut before = None;
        while !self.cancellation.is_cancelled() {
            let page = self.state.extra_dirs(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.clone());
            for dir in page {
                if self.state.protection(dir.clone()).await?.is_none() {
                    planned.deleted_dirs += 1;
                    self.emit(Action::DeleteDir, &dir, None, reason()).await;
                }
            }
        }
        Ok(refusal)
    }

    async fn way_for_other(&self, path: &RelPath, size_bytes: u64, planned: &mut Planned) {
        planned.deleted_files += 1;
        let reason = "it gives way to what the source has there".to_owned();
        self.emit(Action::Delete, path, Some(size_bytes), reason).await;
    }

    async fn emit(&self, action: Action, path: &RelPath, size_bytes: Option<u64>, reason: String) {
        let paths = FilePaths { source: path.under(self.source.root()), dest: path.under(self.sink.root()) };
        self.emitter.emit(Event::Planned { action, paths, size_bytes, reason }).await;
    }
}
