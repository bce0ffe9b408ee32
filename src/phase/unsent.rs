//! Reports files that this run could not bring into sync and that no lane reported.

use towpath_backend::{ErrorKind, Kind, Metadata, RelPath};

use crate::compare::is_unchanged;
use crate::error::{FileError, Result};
use crate::event::{Action, Event, PlanReason};
use crate::journal::{Cause, ImpossibleKey};
use crate::reporter::Record;
use crate::session::Session;
use crate::tally::Tally;

/// Rows of one page.
const PAGE: usize = 1024;

/// Reports names whose file was not sent, files that the sink cannot hold, and copies that stay incomplete.
///
/// `only_names`: only the first of these.
pub(crate) async fn report(session: &Session, only_names: bool, tally: &mut Tally) -> Result<()> {
    fail_names(session, tally).await?;
    if only_names {
        return Ok(());
    }
    report_impossible(session, tally).await?;
    report_incomplete(session, tally).await
}

/// Fails the names whose file was not sent.
async fn fail_names(session: &Session, tally: &mut Tally) -> Result<()> {
    loop {
        let names = session.journal.fail_names(PAGE, Cause::from(&FileError::LinkedFileNotSent)).await?;
        if names.is_empty() {
            return Ok(());
        }
        for path in names {
            session.give_up(&path, FileError::LinkedFileNotSent, tally).await?;
        }
    }
}

/// Reports the files whose names the sink cannot hold.
async fn report_impossible(session: &Session, tally: &mut Tally) -> Result<()> {
    let mut after = ImpossibleKey::first();
    loop {
        let page = session.journal.impossible(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = last.clone();
        for (_, file) in page {
            session.give_up(&file.path, FileError::Impossible { reason: file.problem }, tally).await?;
        }
    }
}

/// Reports the files whose names the sink cannot hold, before anything is sent.
pub(crate) async fn foresee_impossible(session: &Session) -> Result<()> {
    let mut after = ImpossibleKey::first();
    loop {
        let page = session.journal.impossible(after, PAGE).await?;
        let Some((last, _)) = page.last().filter(|_| !session.is_stopped()) else { return Ok(()) };
        after = last.clone();
        for (_, file) in page {
            let (paths, reason) = (session.paths(&file.path), PlanReason::NotPossible(file.problem));
            session.reporter.notify(Event::Planned { action: Action::Fail, paths, size_bytes: None, reason }).await;
        }
    }
}

/// Reports the files that stay incomplete at the sink, in each run until the sink has another file there.
async fn report_incomplete(session: &Session, tally: &mut Tally) -> Result<()> {
    let mut after = RelPath::root();
    loop {
        let page = session.journal.incomplete(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = last.clone();
        let mut gone = Vec::new();
        for (path, before) in page {
            match session.sink.metadata(&path).await {
                Ok(now) if now.kind == Kind::File && before.is_none_or(|before| is_unchanged(&before, &now)) => {
                    report_incomplete_file(session, &path, Some(now), tally).await?;
                }
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    report_incomplete_file(session, &path, before, tally).await?;
                }
                _ => gone.push(path),
            }
        }
        session.journal.forget_incomplete(gone).await?;
    }
}

async fn report_incomplete_file(
    session: &Session,
    path: &RelPath,
    now: Option<Metadata>,
    tally: &mut Tally,
) -> Result<()> {
    tally.failed_files += 1;
    let size_bytes = now.map(|now| now.size_bytes);
    session.progress.add_failed(size_bytes.unwrap_or(0));
    let event = Event::Incomplete { paths: session.paths(path), error: FileError::LostWhileReplaced };
    session.reporter.report([Record::new(event).with_size(size_bytes)]).await
}
