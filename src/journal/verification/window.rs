//! The files in sync, in windows of bounded size: each is a short transaction, beside which a run can write.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Row, named_params};
use towpath_backend::{Kind, RelPath, Timestamp};

use crate::checksum::{Checksum, FileHash};
use crate::error::Result;
use crate::event::Totals;
use crate::journal::handle::Journal;
use crate::journal::row::detail::optional_bytes;
use crate::journal::row::file::{EntryKind, FileKey};
use crate::journal::store::db::Db;
use crate::journal::store::value::{
    Name, bytes, limit, number, optional_number, optional_path, optional_time, path_in, time,
};
use crate::selection::{Lottery, Selection};
use crate::verify_result::VerifyClass;

/// Rows that are read in one transaction, whether they are selected or not.
const WINDOW_ROWS: usize = 10_000;

/// Which rows a pass checks.
#[derive(Clone, Debug)]
pub(crate) struct Picker {
    pub(crate) pass: i64,
    pub(crate) selection: Selection,
    pub(crate) lottery: Lottery,
}

/// A file in sync, as the database records it.
#[derive(Clone, Debug)]
pub(crate) struct Verifiable {
    pub(crate) key: FileKey,
    pub(crate) path: RelPath,
    /// Where it is read in the source, if it is reached through a symlink there.
    pub(crate) read_path: RelPath,
    pub(crate) kind: Kind,
    /// At the source.
    pub(crate) size_bytes: u64,
    pub(crate) modified: Timestamp,
    /// At the sink, if it differs.
    pub(crate) kept_size_bytes: Option<u64>,
    pub(crate) kept_modified: Option<Timestamp>,
    pub(crate) checksum: Option<Checksum>,
    /// Of a symlink, at the source and at the sink, as last read or sent.
    pub(crate) target: Option<Vec<u8>>,
    pub(crate) copy_target: Option<Vec<u8>>,
    /// The run that sent it.
    pub(crate) synced_run: Option<i64>,
    /// What the last check found.
    pub(crate) last_class: Option<VerifyClass>,
}

impl Verifiable {
    /// The size of the copy.
    pub(crate) fn copy_bytes(&self) -> u64 {
        self.kept_size_bytes.unwrap_or(self.size_bytes)
    }

    /// The mtime of the copy.
    pub(crate) fn copy_modified(&self) -> Timestamp {
        self.kept_modified.unwrap_or(self.modified)
    }
}

/// The files of a window.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) selected: Vec<Verifiable>,
    /// The last row; `None`: there are no more.
    pub(crate) next: Option<FileKey>,
}

/// Sums over a window.
#[derive(Clone, Debug, Default)]
pub(crate) struct WindowSums {
    /// Of the pass, and not checked in it yet.
    pub(crate) left: Totals,
    pub(crate) synced: Totals,
    pub(crate) pending: Totals,
    /// Checked in this pass, by class.
    pub(crate) of_pass: BTreeMap<VerifyClass, Totals>,
    /// Checked in any pass, by class. The others were not checked since they were sent.
    pub(crate) coverage: BTreeMap<Option<VerifyClass>, Totals>,
    pub(crate) next: Option<FileKey>,
}

/// Files in sync of random places: each of the first directories, or of those at and after a random one. Many rows that
/// are pending are not worth a long search.
const PROBES: &str = "
    SELECT dir_path, name FROM (
        SELECT dir.path AS dir_path, file.name AS name, file.status AS status
        FROM file JOIN dir ON dir.id = file.dir
        WHERE file.dir >= CASE WHEN :first THEN 0
            ELSE (SELECT abs(random() % max(1, coalesce(max(id), 1))) FROM dir) END
        ORDER BY file.dir, file.name LIMIT 1000)
    WHERE status = 1 ORDER BY random() LIMIT :probes";
/// Of the first directories.
const FIRST_PROBES: usize = 200;
/// Of random ones, one each.
const RANDOM_PROBES: usize = 56;

/// The rows of a window. `CROSS JOIN`: in the order of the files, by their primary key.
const WINDOW: &str = "
    SELECT file.dir AS dir, file.name AS name, dir.path AS dir_path, file.kind AS kind, file.real AS real,
        file.size AS size, file.modified AS modified, file.kept_size AS kept_size,
        file.kept_modified AS kept_modified, file.hash AS hash, file.algorithm AS algorithm,
        file.target AS target, coalesce(file.kept_target, file.target) AS copy_target,
        file.status AS status, file.synced_run AS synced_run, file.verify_pass AS verify_pass,
        file.verify_class AS verify_class
    FROM file CROSS JOIN dir ON dir.id = file.dir
    WHERE (file.dir, file.name) > (:dir, :name) ORDER BY file.dir, file.name LIMIT :rows";

/// The columns of a row that decide whether it is checked.
struct State {
    is_synced: bool,
    pass: Option<i64>,
    class: Option<VerifyClass>,
    synced_run: Option<i64>,
}

impl State {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            is_synced: row.get::<_, i64>("status")? == 1,
            pass: row.get("verify_pass")?,
            class: row.get("verify_class")?,
            synced_run: row.get("synced_run")?,
        })
    }

    fn is_done_in(&self, pass: i64) -> bool {
        self.pass == Some(pass) && self.class.is_some()
    }
}

impl Picker {
    /// Whether a row is checked, apart from its place in a sample.
    fn may_pick(&self, state: &State) -> bool {
        state.is_synced
            && !state.is_done_in(self.pass)
            && match self.selection {
                // What changed at the source is the file that was recorded.
                Selection::Unverified => {
                    !matches!(state.class, Some(VerifyClass::Matches | VerifyClass::ChangedAtSource))
                }
                Selection::Since(run) => state.synced_run.is_some_and(|sent_by| sent_by >= run),
                Selection::All | Selection::Sample(_) => true,
            }
    }

    fn picks(&self, state: &State, row: &Row<'_>) -> rusqlite::Result<bool> {
        Ok(self.may_pick(state)
            && match self.selection {
                Selection::Sample(_) => self.lottery.has(path_in(row, "dir_path", "name")?.as_bytes()),
                _ => true,
            })
    }
}

impl Journal {
    /// The selected files of the next window.
    pub(crate) async fn verify_window(&self, picker: Arc<Picker>, after: Option<FileKey>) -> Result<Window> {
        self.read(move |db| {
            let mut selected = Vec::new();
            let next = db.window(after.as_ref(), |row| {
                if picker.picks(&State::of(row)?, row)? {
                    selected.push(verifiable(row)?);
                }
                Ok(())
            })?;
            Ok(Window { selected, next })
        })
        .await
    }

    /// The sums of the next window.
    pub(crate) async fn verify_sums(&self, picker: Arc<Picker>, after: Option<FileKey>) -> Result<WindowSums> {
        self.read(move |db| {
            let mut sums = WindowSums::default();
            sums.next = db.window(after.as_ref(), |row| add_to_sums(&mut sums, &picker, row))?;
            Ok(sums)
        })
        .await
    }

    /// The draws of the files in sync of the next window, and its last row.
    pub(crate) async fn draws(&self, lottery: Lottery, after: Option<FileKey>) -> Result<(Vec<u64>, Option<FileKey>)> {
        self.read(move |db| {
            let mut draws = Vec::new();
            let next = db.window(after.as_ref(), |row| {
                if State::of(row)?.is_synced {
                    draws.push(lottery.draw(path_in(row, "dir_path", "name")?.as_bytes()));
                }
                Ok(())
            })?;
            Ok((draws, next))
        })
        .await
    }

    /// Some hundred files in sync, chosen at random.
    pub(crate) async fn probes(&self) -> Result<Vec<RelPath>> {
        self.read(move |db| {
            let probes = |is_first: bool, probes: usize| {
                let parameters = named_params! { ":first": is_first, ":probes": limit(probes) };
                db.rows(PROBES, parameters, |row| path_in(row, "dir_path", "name"))
            };
            let mut found = probes(true, FIRST_PROBES)?;
            for _ in 0..RANDOM_PROBES {
                found.extend(probes(false, 1)?);
            }
            Ok(found)
        })
        .await
    }
}

fn add_to_sums(sums: &mut WindowSums, picker: &Picker, row: &Row<'_>) -> rusqlite::Result<()> {
    let state = State::of(row)?;
    let add = |totals: &mut Totals, bytes: u64| {
        totals.files += 1;
        totals.bytes += u128::from(bytes);
    };
    if !state.is_synced {
        add(&mut sums.pending, number(row, "size")?);
        return Ok(());
    }
    let bytes = optional_number(row, "kept_size")?.map_or_else(|| number(row, "size"), Ok)?;
    add(&mut sums.synced, bytes);
    add(sums.coverage.entry(state.class).or_default(), bytes);
    if let Some(class) = state.class.filter(|_| state.is_done_in(picker.pass)) {
        add(sums.of_pass.entry(class).or_default(), bytes);
    }
    if picker.picks(&state, row)? {
        add(&mut sums.left, bytes);
    }
    Ok(())
}

fn verifiable(row: &Row<'_>) -> rusqlite::Result<Verifiable> {
    let path = path_in(row, "dir_path", "name")?;
    let kind: EntryKind = row.get("kind")?;
    let hash = row.get::<_, Option<String>>("hash")?.zip(row.get::<_, Option<String>>("algorithm")?);
    Ok(Verifiable {
        key: FileKey { dir: row.get("dir")?, name: bytes(row, "name")? },
        read_path: optional_path(row, "real")?.unwrap_or_else(|| path.clone()),
        path,
        kind: kind.into(),
        size_bytes: number(row, "size")?,
        modified: time(row, "modified")?,
        kept_size_bytes: optional_number(row, "kept_size")?,
        kept_modified: optional_time(row, "kept_modified")?,
        checksum: hash.and_then(|(digits, algorithm)| {
            Some(Checksum { algorithm: algorithm.parse().ok()?, hash: FileHash::recorded(digits) })
        }),
        target: optional_bytes(row, "target")?,
        copy_target: optional_bytes(row, "copy_target")?,
        synced_run: row.get("synced_run")?,
        last_class: row.get("verify_class")?,
    })
}

impl Db {
    /// Passes each row of the next window to `each`; returns the last one, if there may be more.
    fn window(
        &self,
        after: Option<&FileKey>,
        mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<Option<FileKey>> {
        let first = FileKey::first();
        let after = after.unwrap_or(&first);
        let parameters = named_params! {
            ":dir": after.dir, ":name": Name(&after.name), ":rows": limit(WINDOW_ROWS),
        };
        let last = self.rows(WINDOW, parameters, |row| {
            each(row)?;
            Ok(FileKey { dir: row.get("dir")?, name: bytes(row, "name")? })
        })?;
        Ok(if last.len() == WINDOW_ROWS { last.into_iter().last() } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_each_row_once_and_are_found_by_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let db = crate::journal::tests::open(folder.path());
        db.connection
            .execute_batch(
                "INSERT OR IGNORE INTO dir(id, path) VALUES (1, ''), (2, 'a'), (3, 'b'), (4, 'c'), (5, 'd'), (6, 'e'), (7, 'f');
                 WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 25000)
                 INSERT INTO file(dir, name, size, modified, status, scan) SELECT n % 7 + 1, 'f' || n, 1, 5, 1, 1 FROM number;
                 INSERT INTO file(dir, name, size, modified, status, scan) VALUES (3, X'ff00', 1, 5, 1, 1);",
            )
            .unwrap();
        let (mut seen, mut after, mut windows) = (std::collections::HashSet::new(), None, 0);
        loop {
            after = db
                .window(after.as_ref(), |row| {
                    assert!(seen.insert((row.get::<_, i64>("dir")?, bytes(row, "name")?)));
                    Ok(())
                })
                .unwrap();
            windows += 1;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((seen.len(), windows), (25_001, 3));
        let plan = format!("EXPLAIN QUERY PLAN {WINDOW}");
        let parameters = named_params! { ":dir": 1, ":name": "a", ":rows": 1 };
        let steps = db.rows(&plan, parameters, |row| row.get::<_, String>("detail")).unwrap().join("\n");
        assert!(steps.starts_with("SEARCH file USING PRIMARY KEY ((dir,name)>(?,?))"), "{steps}");
        assert!(!steps.contains("TEMP B-TREE"), "{steps}");
    }
}
