//! The files of a run that took the longest, as its rows keep them.

use rusqlite::{Connection, params};
use std::time::Duration;

use towpath_backend::RelPath;

use crate::journal::store::value::{Name, signed};

/// The most files of a run.
const MAX_FILES: usize = 50;

/// A file that took long to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlowFile {
    pub(crate) took: Duration,
    pub(crate) size_bytes: u64,
    pub(crate) path: RelPath,
}

/// The slowest files of the run in progress.
#[derive(Debug, Default)]
pub(super) struct Slowest {
    /// Those in the database, the slowest first.
    committed: Vec<SlowFile>,
    /// Those of the open transaction.
    open: Vec<SlowFile>,
}

impl Slowest {
    /// Takes a file that was sent. Most are too fast to be kept, which one comparison shows.
    pub(super) fn add(&mut self, file: &SlowFile) {
        let last = self.committed.get(MAX_FILES - 1);
        if last.is_none_or(|last| last.took < file.took) {
            self.open.push(file.clone());
            if self.open.len() > 2 * MAX_FILES {
                keep_slowest(&mut self.open);
            }
        }
    }

    pub(super) fn commit(&mut self) {
        if !self.open.is_empty() {
            self.committed.append(&mut self.open);
            keep_slowest(&mut self.committed);
        }
    }

    pub(super) fn roll_back(&mut self) {
        self.open.clear();
    }

    pub(super) fn has_changed(&self) -> bool {
        !self.open.is_empty()
    }

    /// Writes what changed in the open transaction.
    pub(super) fn write(&self, connection: &Connection, run: i64) -> rusqlite::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let mut all = [&self.committed[..], &self.open[..]].concat();
        keep_slowest(&mut all);
        let mut delete = connection.prepare_cached("DELETE FROM slow_file WHERE run = ?1 AND path = ?2")?;
        for gone in self.committed.iter().filter(|file| !all.contains(file)) {
            delete.execute(params![run, Name::of(&gone.path)])?;
        }
        let mut insert = connection
            .prepare_cached("INSERT OR REPLACE INTO slow_file(run, path, size, duration_ms) VALUES (?1, ?2, ?3, ?4)")?;
        for new in all.iter().filter(|file| !self.committed.contains(file)) {
            let duration_ms = i64::try_from(new.took.as_millis()).unwrap_or(i64::MAX);
            insert.execute(params![run, Name::of(&new.path), signed(new.size_bytes), duration_ms])?;
        }
        Ok(())
    }
}

/// Keeps the slowest, each path once.
fn keep_slowest(files: &mut Vec<SlowFile>) {
    files.sort_by(|a, b| b.took.cmp(&a.took).then_with(|| a.path.cmp(&b.path)));
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.path.clone()));
    files.truncate(MAX_FILES);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: u64) -> SlowFile {
        let path = RelPath::new(format!("f{number}")).unwrap();
        SlowFile { took: Duration::from_millis(number), size_bytes: number, path }
    }

    fn stored(connection: &Connection) -> Vec<i64> {
        let mut query = connection.prepare("SELECT duration_ms FROM slow_file WHERE run = 1 ORDER BY 1").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn the_database_has_the_slowest_whatever_is_rolled_back() {
        let connection = Connection::open_in_memory().unwrap();
        let table = "CREATE TABLE slow_file(run INTEGER, path ANY, size INTEGER, duration_ms INTEGER,
             PRIMARY KEY (run, path)) STRICT";
        connection.execute_batch(table).unwrap();
        let mut slowest = Slowest::default();
        for batch in 0..20_u64 {
            (0..100).for_each(|at| slowest.add(&file((batch * 37 + at * 13) % 1000)));
            if batch == 7 {
                slowest.add(&file(5000));
                slowest.roll_back();
                continue;
            }
            slowest.write(&connection, 1).unwrap();
            slowest.commit();
            assert!(!slowest.has_changed() && stored(&connection).len() <= MAX_FILES);
        }
        let mut all: Vec<u64> = (0..20)
            .filter(|batch| *batch != 7)
            .flat_map(|b: u64| (0..100).map(move |at| (b * 37 + at * 13) % 1000))
            .collect();
        all.sort_unstable();
        all.dedup();
        let most: Vec<i64> = all[all.len() - MAX_FILES..].iter().map(|one| one.cast_signed()).collect();
        assert_eq!(stored(&connection), most);
    }
}
