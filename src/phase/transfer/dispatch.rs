//! Hands the files of the backlog to the lanes: the largest first, small ones of several directories in turn.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::mem;

use tokio::sync::mpsc;

use super::shared::Transfer;
use super::task::Task;
use crate::error::Result;
use crate::journal::{FileKey, Pending, RowRange, Sizes, Work};

/// Files of one page of the backlog.
const PAGE_FILES: usize = 1024;

/// Pages through the backlog and hands out its files of these sizes.
pub(super) async fn dispatch(
    transfer: &Transfer,
    work: Work,
    attempt: u32,
    sizes: Sizes,
    tasks: mpsc::Sender<Task>,
) -> Result<()> {
    let session = &transfer.session;
    let fetch = |range, limit| async move {
        let page = session.journal.pending_page(work, attempt, sizes, range, limit).await;
        // Dropping the sender ends the lanes.
        page.inspect_err(|_| transfer.stop.cancel())
    };
    // One directory for each lane keeps all of them busy.
    let mut pages = Pages::new(if sizes == Sizes::Large { 1 } else { session.lanes });
    while let Some(mut page) = pages.next(&fetch).await? {
        match sizes {
            // The largest first, so that none is left at the end, and the link is busy while small files wait for
            // answers.
            Sizes::Large => page.sort_by_key(|pending| Reverse(pending.metadata.size_bytes)),
            Sizes::Small | Sizes::All => page = round_robin(page),
        }
        for pending in page {
            tokio::select! {
                biased;
                () = transfer.stop.cancelled() => return Ok(()),
                () = session.finish.cancelled() => return Ok(()),
                sent = tasks.send(Task::new(work, pending, &session.progress)) => if sent.is_err() { return Ok(()) },
            }
        }
    }
    Ok(())
}

/// The position in the backlog, in pages with files of several directories if these are large: a client creates files
/// of one directory one after the other, whatever the number of lanes (it holds the directory's lock until the server
/// answers).
#[derive(Debug)]
struct Pages {
    /// Directories in flight at a time.
    dirs: usize,
    /// The last file taken of each directory in flight.
    begun: Vec<FileKey>,
    /// The position of directories that were not begun yet, if there may be any.
    rest: Option<RowRange>,
}

impl Pages {
    fn new(dirs: usize) -> Self {
        Self { dirs, begun: Vec::new(), rest: Some(RowRange::all()) }
    }

    /// The next files, or `None` at the end: about [`PAGE_FILES`]. `fetch` returns the files of a range, in order and
    /// up to a limit.
    async fn next<F>(&mut self, fetch: &impl Fn(RowRange, usize) -> F) -> Result<Option<Vec<Pending>>>
    where
        F: Future<Output = Result<Vec<Pending>>>,
    {
        if self.begun.is_empty() && self.rest.is_none() {
            return Ok(None);
        }
        let share = PAGE_FILES.div_ceil(self.dirs);
        let mut page = Vec::new();
        for last in mem::take(&mut self.begun) {
            let files = fetch(RowRange::RestOfDir(last), share).await?;
            self.begun.extend(last_of_full(&files, share));
            page.extend(files);
        }
        while self.begun.len() < self.dirs && page.len() < PAGE_FILES {
            let Some(range) = self.rest.take() else { break };
            let files = fetch(range, share).await?;
            if let Some(last) = last_of_full(&files, share) {
                self.rest = Some(RowRange::AfterDir(last.dir));
                self.begun.push(last);
            }
            page.extend(files);
        }
        Ok(Some(page))
    }
}

/// The last of these files, if there may be more: their number reached the limit.
fn last_of_full(files: &[Pending], limit: usize) -> Option<FileKey> {
    files.last().filter(|_| files.len() >= limit).map(|pending| pending.key.clone())
}

/// The files of a page, one of each directory in turn.
fn round_robin(page: Vec<Pending>) -> Vec<Pending> {
    let mut taken = HashMap::new();
    let round = |pending: Pending| {
        let round = taken.entry(pending.key.dir).or_insert(0_usize);
        *round += 1;
        (*round, pending)
    };
    let mut rounds: Vec<_> = page.into_iter().map(round).collect();
    rounds.sort_by_key(|(round, _)| *round);
    rounds.into_iter().map(|(_, pending)| pending).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashSet;

    use proptest::prelude::*;
    use towpath_backend::{Kind, Metadata, RelPath, Timestamp};

    use super::*;
    use crate::journal::Kept;

    /// Files, by the number of their directory and their number in it.
    fn backlog(dirs: &[usize]) -> Vec<Pending> {
        let mut files = Vec::new();
        for (dir, count) in dirs.iter().enumerate() {
            for file in 0..*count {
                let name = format!("{file:06}");
                let path = RelPath::new(format!("{dir}/{name}")).unwrap();
                files.push(Pending {
                    key: FileKey { dir: i64::try_from(dir).unwrap(), name: name.into_bytes() },
                    read_path: path.clone(),
                    path,
                    metadata: Metadata::new(Kind::File, 1, Timestamp::from_ns(0)),
                    recorded: None,
                    name_of: None,
                    replaces: crate::journal::Replaced::Nothing,
                    kept_size_bytes: None,
                    kept: Kept::default(),
                });
            }
        }
        files
    }

    /// All pages of this backlog, and the number of queries.
    fn pages_of(backlog: &[Pending], dirs: usize) -> (Vec<Vec<Pending>>, usize) {
        let asked = Cell::new(0);
        let fetch = |range: RowRange, limit: usize| {
            asked.set(asked.get() + 1);
            let is_in = |pending: &&Pending| {
                let key = (pending.key.dir, &pending.key.name);
                match &range {
                    RowRange::AfterDir(dir) => key.0 > *dir,
                    RowRange::RestOfDir(after) => key.0 == after.dir && key.1 > &after.name,
                }
            };
            std::future::ready(Ok(backlog.iter().filter(is_in).take(limit).cloned().collect()))
        };
        let mut pages = Pages::new(dirs);
        let mut taken = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        while let Some(page) = runtime.block_on(pages.next(&fetch)).unwrap() {
            taken.push(page);
        }
        (taken, asked.get())
    }

    #[test]
    fn files_of_large_directories_alternate() {
        let (pages, _) = pages_of(&backlog(&[5000, 3000, 4000, 10, 2000]), 4);
        for page in &pages[..3] {
            let order = round_robin(page.clone());
            for four in order.chunks(4).take(200) {
                let dirs: HashSet<_> = four.iter().map(|pending| pending.key.dir).collect();
                assert_eq!(dirs.len(), 4, "one of each directory");
            }
        }
    }

    #[test]
    fn many_small_directories_need_few_queries() {
        let (pages, asked) = pages_of(&backlog(&[2; 2000]), 8);
        assert_eq!(pages.iter().map(Vec::len).sum::<usize>(), 4000);
        assert!(asked <= 4000 / (PAGE_FILES / 8) * 2 + 8, "asked {asked} times");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_file_is_sent_once(dirs in proptest::collection::vec(0_usize..2500, 0..12), lanes in 1_usize..20) {
            let backlog = backlog(&dirs);
            let (pages, _) = pages_of(&backlog, lanes);
            let mut taken: Vec<_> = pages.iter().flatten().map(|pending| pending.path.clone()).collect();
            let mut expected: Vec<_> = backlog.iter().map(|pending| pending.path.clone()).collect();
            taken.sort();
            expected.sort();
            prop_assert_eq!(taken, expected);
            prop_assert!(pages.iter().all(|page| page.len() <= 3 * PAGE_FILES), "a page is bounded");
        }
    }
}
