//! The writer of a lane: drains the lane's queue into the sink.

use std::sync::Arc;

use tokio::sync::mpsc;
use towpath_backend::{Attributes, Error, ErrorKind, FileWriter, Kind, Metadata, RelPath, Times};

use super::block::Block;
use super::lane::Message;
use super::reader::SMALL_BYTES;
use super::task::{Ended, Ending, Failure, Task, Written};
use crate::conflict::{clear_other_kind, make_way};
use crate::journal::{Begin, Replaced};
use crate::kept::{self, ReadBack};
use crate::pace::OpenFile;
use crate::progress::LaneGuard;
use crate::session::Shared;

/// Writes blocks until the reader ends.
pub(crate) async fn run(
    lane: usize,
    shared: Arc<Shared>,
    mut queue: mpsc::Receiver<Message>,
    endings: mpsc::Sender<Ended>,
) {
    let mut current: Option<Writing> = None;
    while let Some(message) = queue.recv().await {
        if let Message::Begin(task) = message {
            let shown = shared.progress.show_file(lane, task.progress.clone());
            current = Some(Writing::new(Arc::clone(&shared), task, shown));
            continue;
        }
        let Some(writing) = &mut current else { continue };
        if let Some(ending) = writing.take(message).await
            && let Some(writing) = current.take()
            && endings.send(writing.end(ending).await).await.is_err()
        {
            return;
        }
    }
}

/// One file being written.
struct Writing {
    shared: Arc<Shared>,
    task: Arc<Task>,
    /// Where it is written: its own path, or that of its part.
    at: RelPath,
    file: Option<(Box<dyn FileWriter>, OpenFile)>,
    attributes: Attributes,
    /// Up to here it is written.
    position: u64,
    /// How it failed; blocks that still come are dropped.
    failed: Option<Ending>,
    _shown: LaneGuard,
}

impl Writing {
    fn new(shared: Arc<Shared>, task: Arc<Task>, shown: LaneGuard) -> Self {
        let at = shared.destination_path(&task.path);
        Self {
            shared,
            task,
            at,
            file: None,
            attributes: Attributes::default(),
            position: 0,
            failed: None,
            _shown: shown,
        }
    }

    /// Takes a message; tells the file's ending with its last one.
    async fn take(&mut self, message: Message) -> Option<Ending> {
        let done = match message {
            Message::Begin(_) => return None,
            Message::Attributes(attributes) => {
                self.attributes = attributes;
                return None;
            }
            Message::Block(block) => return self.take_block(block).await,
            Message::Link(target) => self.link(&target).await,
            Message::Name(of) => self.name(&of).await,
            Message::NoContent => {
                let path = self.task.path.clone();
                self.apply_attributes(&path).await
            }
            Message::Abandon(ending) => return Some(ending),
        };
        Some(match done {
            Ok(ReadBack { kept, refused }) => {
                Ending::Written(Box::new(Written { kept, refused, ..Written::default() }))
            }
            Err(ending) => ending,
        })
    }

    async fn take_block(&mut self, mut block: Block) -> Option<Ending> {
        let last = block.is_last_block;
        if self.failed.is_none() {
            let hash = block.file_hash.take();
            match self.write(block).await {
                Ok(Some(ReadBack { kept, refused })) => {
                    let unstated_size_bytes = Some(self.position).filter(|size| *size != self.stated_size_bytes());
                    let progress = &self.task.progress;
                    let (written_bytes, hole_bytes) = (progress.written_bytes(), progress.hole_bytes());
                    let written = Written { hash, refused, kept, unstated_size_bytes, written_bytes, hole_bytes };
                    return Some(Ending::Written(Box::new(written)));
                }
                Ok(None) => return None,
                Err(ending) => {
                    self.file = None;
                    self.failed = Some(ending);
                    self.task.given_up.cancel();
                }
            }
        }
        last.then_some(Ending::Stopped)
    }

    fn stated_size_bytes(&self) -> u64 {
        self.task.metadata.size_bytes
    }

    /// Applies what a file has beside content and times, once these are there; returns what was refused.
    async fn apply_attributes(&mut self, at: &RelPath) -> Result<ReadBack, Ending> {
        kept::set_attributes(&self.shared, at, &self.attributes).await.map_err(failed)
    }

    /// The file and how it ended. A part of a file that failed does not stay.
    async fn end(self, ending: Ending) -> Ended {
        let (is_part, Self { shared, task, at, file, failed, .. }) = (self.is_part(), self);
        drop(file);
        // An earlier failure of this side is the cause of all that followed.
        let ending = failed.unwrap_or(ending);
        if is_part && !matches!(ending, Ending::Written(_) | Ending::Stopped) {
            // What cannot be removed now is a leftover for the next scan.
            let _best_effort = shared.sink.remove_file(&at).await;
        }
        Ended { task, ending }
    }

    /// Writes a block; of the last one it returns what the sink kept of the attributes.
    async fn write(&mut self, block: Block) -> Result<Option<ReadBack>, Ending> {
        let (times, last) = (Times { modified: block.mtime, accessed: block.atime }, block.is_last_block);
        let end = block.offset + block.data.len() as u64;
        let whole = block.offset == 0 && last;
        if self.position == 0 && self.file.is_none() {
            self.clear_implied().await?;
        }
        let written = if whole && block.data.len() <= self.shared.paces.write.step_bytes().min(SMALL_BYTES) {
            pace(&self.shared, block.data.len()).await?;
            let written = self.write_whole(block).await?;
            self.task.progress.add_written(end);
            written
        } else {
            self.write_steps(block).await?;
            if !last {
                return Ok(None);
            }
            let Some((file, _open)) = self.file.take() else { return Ok(None) };
            file.finish(end, &times).await.map_err(failed)?
        };
        self.position = end;
        let times_kept = match self.check(&written, end, &times).await {
            Ok(times_kept) => times_kept,
            Err(error) => {
                let (shared, task, at) = (Arc::clone(&self.shared), Arc::clone(&self.task), self.at.clone());
                begin_in_place(&shared, &task, &at, Begin::Over).await?;
                return Err(failed(error));
            }
        };
        self.complete(times_kept).await.map(Some)
    }

    /// A directory in the file's place stands in the way of nothing where directories are there
    /// by what is in them: both would be there, and no tree has both.
    async fn clear_implied(&mut self) -> Result<(), Ending> {
        if self.task.replaces == Replaced::OtherKind && self.shared.sink.capabilities().virtual_directories {
            clear_other_kind(&self.shared, &self.task.path, self.task.metadata.kind).await?;
        }
        Ok(())
    }

    /// Makes what was written the file that it is to be; returns what the sink kept of its attributes.
    async fn complete(&mut self, mut read_back: ReadBack) -> Result<ReadBack, Ending> {
        let at = self.at.clone();
        read_back.add(self.apply_attributes(&at).await?);
        self.take_place().await?;
        Ok(read_back)
    }

    fn is_part(&self) -> bool {
        self.at != self.task.path
    }

    async fn write_steps(&mut self, block: Block) -> Result<(), Ending> {
        if self.file.is_none() {
            let file = self.create(&block.destination_path).await?;
            self.file = Some((file, OpenFile::new(&self.shared.paces)));
        }
        let Some((file, _)) = &mut self.file else { return Ok(()) };
        let mut from = 0;
        while from < block.data.len() {
            let to = block.data.len().min(from + self.shared.paces.write.step_bytes());
            pace(&self.shared, to - from).await?;
            self.shared.paces.bound_in_flight();
            file.write_at(block.offset + from as u64, block.data.slice(from..to)).await.map_err(failed)?;
            self.task.progress.add_written((to - from) as u64);
            from = to;
        }
        self.position = block.offset + block.data.len() as u64;
        Ok(())
    }

    /// What the sink is told of a file that it creates or overwrites: its metadata, with the most
    /// that it may permit.
    fn hint(&self) -> Metadata {
        let (metadata, replaces) = (self.task.metadata, self.task.replaces);
        let permissions = bound(metadata.permissions, replaces, self.is_part(), self.shared.options.keep_permissions);
        Metadata { permissions, ..metadata }
    }

    async fn create(&mut self, at: &RelPath) -> Result<Box<dyn FileWriter>, Ending> {
        let (shared, task, metadata) = (&self.shared, &self.task, &self.hint());
        // What the scan did not see may have come since.
        let is_new = !matches!(task.replaces, Replaced::SameKind { .. }) && is_missing(shared, at).await;
        let begins = !is_new && begin_in_place(shared, task, at, Begin::Over).await?;
        let file = match create_file(shared, at, metadata).await {
            Err(ending) => {
                if begins {
                    // What could not be opened was not cut.
                    forget_begun(shared, task).await?;
                }
                return Err(ending);
            }
            Ok(file) => file,
        };
        if is_new {
            // Only what was made here may be removed again.
            begin_in_place(shared, task, at, Begin::New).await?;
        }
        Ok(file)
    }

    async fn write_whole(&mut self, block: Block) -> Result<Metadata, Ending> {
        let (sink, at) = (&self.shared.sink, &block.destination_path);
        let write_options = self.shared.paces.write_options();
        // What was read, whatever size the source states.
        let metadata = &Metadata { size_bytes: block.data.len() as u64, ..self.hint() };
        match sink.write_whole(at, block.data.clone(), metadata, &write_options).await {
            Err(error) => {
                // Small files are written at once: only one that failed can be incomplete.
                begin_in_place(&self.shared, &self.task, at, Begin::Over).await?;
                make_way(&self.shared, at, Kind::File, error).await?;
            }
            Ok(written) => return Ok(written),
        }
        sink.write_whole(at, block.data, metadata, &write_options).await.map_err(failed)
    }

    /// Gives a part that is complete its file's name.
    async fn take_place(&mut self) -> Result<(), Ending> {
        let (sink, path) = (&self.shared.sink, &self.task.path);
        if !self.is_part() {
            return Ok(());
        }
        if self.task.replaces == Replaced::OtherKind {
            // Renaming would replace it too, and nobody would be told what went.
            clear_other_kind(&self.shared, path, self.task.metadata.kind).await?;
        }
        failpoint!("before-rename");
        if let Err(error) = sink.rename(&self.at, path).await {
            make_way(&self.shared, path, Kind::File, error).await?;
            sink.rename(&self.at, path).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Makes a symbolic link with its times.
    async fn link(&mut self, target: &[u8]) -> Result<ReadBack, Ending> {
        let sink = &self.shared.sink;
        if let Err(error) = sink.create_symlink(&self.at, target).await {
            make_way(&self.shared, &self.at, Kind::Symlink, error).await?;
            sink.create_symlink(&self.at, target).await.map_err(failed)?;
        }
        let times = self.task.metadata.times();
        let times_kept = kept::set_times(&self.shared, &self.at, &times).await.map_err(failed)?;
        self.complete(times_kept).await
    }

    /// Makes the path another name of a file that is there.
    async fn name(&mut self, of: &RelPath) -> Result<ReadBack, Ending> {
        let sink = &self.shared.sink;
        if let Err(error) = sink.create_hard_link(of, &self.at).await {
            use ErrorKind::{AlreadyExists, Escapes, NotADirectory, NotFound};
            if !matches!(error.kind(), AlreadyExists | NotFound | NotADirectory | Escapes) {
                return Err(not_nameable(error));
            }
            make_way(&self.shared, &self.at, Kind::File, error).await?;
            sink.create_hard_link(of, &self.at).await.map_err(not_nameable)?;
        }
        self.take_place().await?;
        // The name's file was read back when it was sent.
        Ok(ReadBack { kept: self.task.kept, refused: Vec::new() })
    }

    /// Checks that the sink has what was sent, as it says itself.
    async fn check(&mut self, written: &Metadata, sent_bytes: u64, times: &Times) -> towpath_backend::Result<ReadBack> {
        if written.size_bytes != sent_bytes {
            let cause = format!("the destination says {} bytes, {sent_bytes} were written", written.size_bytes);
            return Err(Error::new(ErrorKind::Other, "close", &self.task.path, cause).with_temporary(true));
        }
        kept::check_mtime(&self.shared, &self.at, times, written.modified).await
    }
}

async fn is_missing(shared: &Shared, at: &RelPath) -> bool {
    shared
        .sink
        .metadata(at)
        .await
        .is_err_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}

/// Records that the file at the sink is incomplete from now on. One that is written beside its
/// place leaves the old one whole.
async fn begin_in_place(shared: &Shared, task: &Task, at: &RelPath, begin: Begin) -> Result<bool, Ending> {
    // Nor does a store that shows a file only when it is complete.
    if *at != task.path || shared.sink.capabilities().virtual_directories {
        return Ok(false);
    }
    recorded(task, shared.journal.begin_writing(task.key.clone(), begin).await)
}

async fn forget_begun(shared: &Shared, task: &Task) -> Result<(), Ending> {
    recorded(task, shared.journal.forget_begun(task.key.clone()).await)
}

/// What the database said. The committer meets the same error.
fn recorded<T>(task: &Task, result: crate::error::Result<T>) -> Result<T, Ending> {
    result.map_err(|error| failed(Error::new(ErrorKind::Other, "record", &task.path, error)))
}

async fn create_file(shared: &Shared, at: &RelPath, metadata: &Metadata) -> Result<Box<dyn FileWriter>, Ending> {
    let options = shared.paces.write_options();
    match shared.sink.create(at, metadata, &options).await {
        Err(error) => make_way(shared, at, Kind::File, error).await?,
        Ok(file) => return Ok(file),
    }
    shared.sink.create(at, metadata, &options).await.map_err(failed)
}

/// The most that a file may permit: what is created, no more than its source, nor than what it
/// replaces. A file that is overwritten keeps what the destination permits, unless the source's
/// permissions are to be applied.
fn bound(source: Option<u32>, replaces: Replaced, is_part: bool, keep_permissions: bool) -> Option<u32> {
    let Replaced::SameKind { permissions: Some(there), has_other_names } = replaces else { return source };
    let Some(source) = source else { return Some(there) };
    Some(match keep_permissions {
        // The sink creates a new file under the name, so that the others keep theirs.
        _ if is_part || has_other_names => source & there,
        true => source,
        false => source | there,
    })
}

fn failed(error: Error) -> Ending {
    Ending::Failed(Failure::sink(error))
}

/// That another name cannot be made is no reason not to have the file.
fn not_nameable(error: Error) -> Ending {
    match error.kind() {
        ErrorKind::NoSpace | ErrorKind::ReadOnly | ErrorKind::Unavailable => failed(error),
        _ if error.is_temporary() => failed(error),
        _ => Ending::NoSuchName(error),
    }
}

/// Waits for the write side's limit, but no longer than the run goes on.
async fn pace(shared: &Shared, bytes: usize) -> Result<(), Ending> {
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => Err(Ending::Stopped),
        () = shared.paces.write.pass(bytes) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_created_permits_no_more_than_its_source() {
        let there = |has_other_names| Replaced::SameKind { permissions: Some(0o664), has_other_names };
        for keep_permissions in [false, true] {
            let bound = |source, replaces, is_part| bound(source, replaces, is_part, keep_permissions);
            assert_eq!(bound(Some(0o640), Replaced::Nothing, false), Some(0o640), "a new file");
            assert_eq!(bound(Some(0o644), there(false), true), Some(0o644), "a new file that replaces one");
            assert_eq!(bound(Some(0o666), there(false), true), Some(0o664), "one that replaces a narrower one");
            assert_eq!(bound(Some(0o640), there(true), false), Some(0o640), "one name of several");
            assert_eq!(bound(None, Replaced::Nothing, false), None, "the source has no permissions");
            assert_eq!(bound(None, there(false), true), Some(0o664), "nor more than what is replaced");
        }
    }

    #[test]
    fn what_is_overwritten_permits_what_it_did_unless_permissions_are_applied() {
        let there = Replaced::SameKind { permissions: Some(0o644), has_other_names: false };
        assert_eq!(bound(Some(0o600), there, false, false), Some(0o644));
        assert_eq!(bound(Some(0o600), there, false, true), Some(0o600));
        assert_eq!(bound(Some(0o660), there, false, false), Some(0o664));
    }
}
