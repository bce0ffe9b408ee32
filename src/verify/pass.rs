//! The order of a pass: count, read, and read again what was sent meanwhile; then add up.

use std::collections::BinaryHeap;
use std::sync::Arc;

use super::lanes;
use super::progress::VerifyPhase;
use super::session::VerifySession;
use crate::error::{Error, Result};
use crate::event::Totals;
use crate::journal::{Pass, Picker, WindowSums};
use crate::selection::{Sample, Selection};

/// How often files are read that were sent again while they were checked.
const ATTEMPTS: usize = 3;

/// Checks the files of a pass.
pub(super) async fn run(session: &Arc<VerifySession>, pass: &mut Pass) -> Result<()> {
    session.progress.set_phase(VerifyPhase::Counting);
    if let (Selection::Sample(Sample::Files(files)), None) = (session.options.selection, pass.highest_draw) {
        let highest = highest_draw(session, pass, files).await?;
        session.journal.set_highest_draw(pass.number, highest).await?;
        pass.highest_draw = Some(highest);
    }
    let sums = sums(session, pass).await?;
    let done = sums.of_pass.values().fold(sums.left, |all, next| add(all, *next));
    session.progress.set_selected(done);
    session.progress.set_classes(sums.of_pass.clone());
    session.journal.set_selected(pass.number, done, &sums).await?;
    session.progress.set_phase(VerifyPhase::Reading);
    let picker = Arc::new(picker(session, pass));
    for _ in 0..ATTEMPTS {
        if lanes::run(session, &picker).await? == 0 || session.is_stopped() {
            break;
        }
    }
    Ok(())
}

/// The sums over all files.
pub(super) async fn sums(session: &VerifySession, pass: &Pass) -> Result<WindowSums> {
    let (picker, mut all, mut after) = (Arc::new(picker(session, pass)), WindowSums::default(), None);
    loop {
        let next = session.journal.verify_sums(Arc::clone(&picker), after).await?;
        all.left = add(all.left, next.left);
        all.synced = add(all.synced, next.synced);
        all.pending = add(all.pending, next.pending);
        for (class, totals) in next.of_pass {
            let sum = all.of_pass.entry(class).or_default();
            *sum = add(*sum, totals);
        }
        for (class, totals) in next.coverage {
            let sum = all.coverage.entry(class).or_default();
            *sum = add(*sum, totals);
        }
        match next.next {
            None => return Ok(all),
            Some(_) if session.is_stopped() => return Err(Error::Interrupted),
            last => after = last,
        }
    }
}

/// The highest draw of so many files with the lowest draws, or of all.
async fn highest_draw(session: &VerifySession, pass: &Pass, files: u64) -> Result<u64> {
    let most = usize::try_from(files).unwrap_or(usize::MAX);
    let (mut lowest, mut after) = (BinaryHeap::new(), None);
    loop {
        let (draws, next) = session.journal.draws(pass.lottery(), after).await?;
        for draw in draws {
            lowest.push(draw);
            if lowest.len() > most {
                lowest.pop();
            }
        }
        match next {
            // A sample of all files has also those that are sent from now on.
            None if lowest.len() < most => return Ok(u64::MAX),
            None => return Ok(lowest.peek().copied().unwrap_or(0)),
            Some(_) if session.is_stopped() => return Err(Error::Interrupted),
            last => after = last,
        }
    }
}

fn picker(session: &VerifySession, pass: &Pass) -> Picker {
    Picker { pass: pass.number, selection: session.options.selection, lottery: pass.lottery() }
}

fn add(a: Totals, b: Totals) -> Totals {
    Totals::new(a.files + b.files, a.bytes + b.bytes)
}
