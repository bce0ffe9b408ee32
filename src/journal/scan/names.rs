//! Names that the sink cannot hold or does not distinguish, found before anything is written.
//!
//! If the sink does not distinguish two names of the source, the second would overwrite the
//! first. If the sink has one of them with exactly this spelling, that one is migrated; otherwise the
//! first by its bytes. The others fail, with everything below them. A name
//! that only the sink spells differently collides with none (module `spelling`).

use rusqlite::params;
use towpath_backend::NameRules;

use crate::error::{Error, Result};
use crate::journal::row::file::StoredWork;
use crate::journal::row::not_copied::NotCopied;
use crate::journal::row::unknown::Unknown;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, last_name, path, subtree};

/// A name in a directory as the source or the sink spells it.
struct Spelling {
    name: Vec<u8>,
    is_dir: bool,
    in_source: bool,
}

impl Db {
    /// Finds the names in some directories that the sink cannot hold.
    pub(in crate::journal) fn check_names(&mut self, from: i64, to: i64) -> Result<()> {
        let rules = self.scan()?.names;
        if rules == NameRules::BYTES {
            return Ok(());
        }
        let range = params![from, to];
        for sql in [
            "UPDATE file SET problem = name_problem(name), error_code = 'invalid-name', error_side = 1
             WHERE dir BETWEEN ?1 AND ?2 AND name_problem(name) IS NOT NULL",
            "UPDATE dir SET problem = name_problem(path), error_code = 'invalid-name', error_side = 1
             WHERE parent BETWEEN ?1 AND ?2 AND name_problem(path) IS NOT NULL",
        ] {
            self.execute(sql, range)?;
        }
        if !rules.folds() {
            return Ok(());
        }
        for (dir, key) in self.ambiguous_names(from, to)? {
            self.check_spellings(dir, &key)?;
        }
        Ok(())
    }

    /// Directories and keys that several names share.
    fn ambiguous_names(&self, from: i64, to: i64) -> Result<Vec<(i64, Vec<u8>)>> {
        self.execute("CREATE TEMP TABLE IF NOT EXISTS spelling(dir INTEGER, key BLOB, name ANY, source INTEGER)", [])?;
        self.execute("DELETE FROM spelling", [])?;
        let scan = self.scan()?.id;
        for sql in [
            "INSERT INTO spelling SELECT dir, name_key(name), name, 1 FROM file WHERE dir BETWEEN ?1 AND ?2 AND ?3",
            "INSERT INTO spelling SELECT dir, name_key(name), name, 0 FROM sink_entry WHERE dir BETWEEN ?1 AND ?2 AND ?3",
            "INSERT INTO spelling SELECT parent, name_key(path), path, source_scan IS ?3 FROM dir
             WHERE parent BETWEEN ?1 AND ?2 AND (source_scan = ?3 OR sink_scan = ?3)",
        ] {
            self.execute(sql, params![from, to, scan])?;
        }
        self.rows(
            "SELECT dir, key FROM spelling GROUP BY dir, key
             HAVING count(DISTINCT name_key(name) || hex(name)) > 1 AND max(source) = 1",
            [],
            |row| Ok((row.get("dir")?, row.get("key")?)),
        )
    }

    fn check_spellings(&mut self, dir: i64, key: &[u8]) -> Result<()> {
        let spellings = self.spellings(dir, key)?;
        let at_sink = |name: &[u8]| spellings.iter().any(|other| !other.in_source && other.name == name);
        let sources: Vec<_> = spellings.iter().filter(|spelling| spelling.in_source).collect();
        let exact = sources.iter().find(|spelling| at_sink(&spelling.name));
        let right = exact.or_else(|| sources.first()).ok_or_else(|| {
            Error::Internal(format!("directory {dir} of the source has no ambiguous name although one was found"))
        })?;
        for spelling in spellings.iter().filter(|spelling| spelling.name != right.name) {
            // A directory of the sink where the source has a file is an extra like any other.
            let is_extra = !spelling.in_source && spelling.is_dir && !right.is_dir;
            if !is_extra {
                self.give_up_spelling(dir, spelling, &right.name)?;
            }
        }
        Ok(())
    }

    fn spellings(&self, dir: i64, key: &[u8]) -> Result<Vec<Spelling>> {
        let mut spellings = self.rows(
            "SELECT name, 0 AS is_dir, 1 AS in_source FROM file WHERE dir = ?1 AND name_key(name) = ?2
             UNION ALL SELECT name, 0, 0 FROM sink_entry WHERE dir = ?1 AND name_key(name) = ?2
             UNION ALL SELECT path, 1, 1 FROM dir WHERE parent = ?1 AND source_scan = ?3 AND name_key(path) = ?2
             UNION ALL SELECT path, 1, 0 FROM dir WHERE parent = ?1 AND sink_scan = ?3 AND name_key(path) = ?2",
            params![dir, key, self.scan()?.id],
            |row| {
                let name = last_name(&bytes(row, "name")?).to_vec();
                Ok(Spelling { name, is_dir: row.get("is_dir")?, in_source: row.get("in_source")? })
            },
        )?;
        spellings.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(spellings)
    }

    /// Fails a name of the source, and protects a name of the sink from deletion, since the sink does not
    /// distinguish it from a name of the source.
    fn give_up_spelling(&self, dir: i64, spelling: &Spelling, other: &[u8]) -> Result<()> {
        let name = Name(&spelling.name);
        let problem = format!(
            "the destination does not distinguish its name from {}",
            String::from_utf8_lossy(other).escape_debug()
        );
        match (spelling.in_source, spelling.is_dir) {
            (true, false) => {
                let sql = "UPDATE file SET problem = ?3, error_code = 'name-collision', error_side = 1
                     WHERE dir = ?1 AND name = ?2";
                self.execute(sql, params![dir, name, problem]).map(drop)
            }
            (true, true) => {
                let path = self.entry_path(dir, &spelling.name)?;
                let sql = "UPDATE dir SET problem = ?2, error_code = 'name-collision', error_side = 1 WHERE path = ?1";
                self.execute(sql, params![Name::of(&path), problem]).map(drop)
            }
            (false, false) => {
                let sql = "INSERT OR IGNORE INTO source_other(dir, name, reason) VALUES (?1, ?2, ?3)";
                self.execute(sql, params![dir, name, NotCopied::SinkSpelling]).map(drop)
            }
            (false, true) => self.add_unknown(Unknown::AmbiguousName, &self.entry_path(dir, &spelling.name)?),
        }
    }

    /// Fails everything below directories that the sink cannot hold.
    pub(in crate::journal) fn give_up_impossible(&mut self) -> Result<()> {
        if self.scan()?.names == NameRules::BYTES {
            return Ok(());
        }
        let sql = "SELECT path, problem, error_code FROM dir WHERE problem IS NOT NULL ORDER BY path";
        let dirs = self.rows(sql, [], |row| {
            Ok((path(row, "path")?, row.get::<_, String>("problem")?, row.get::<_, Option<String>>("error_code")?))
        })?;
        for (dir, problem, code) in dirs {
            let (first, end) = subtree(&dir);
            let problem = format!("its directory {dir} cannot be created: {problem}");
            let below = "(path = ?1 OR (path >= ?2 AND path < ?3)
                 OR (path >= CAST(?2 AS BLOB) AND path < CAST(?3 AS BLOB)))";
            let values = params![Name::of(&dir), Name(&first), Name(&end), problem, code];
            self.execute(
                &format!(
                    "UPDATE file SET problem = ?4, error_code = ?5, error_side = 1
                     WHERE problem IS NULL AND dir IN (SELECT id FROM dir WHERE {below})"
                ),
                values,
            )?;
            self.execute(
                &format!(
                    "UPDATE dir SET problem = ?4, error_code = ?5, error_side = 1 WHERE problem IS NULL AND {below}"
                ),
                values,
            )?;
        }
        self.execute("UPDATE file SET status = 0, work = ?1 WHERE problem IS NOT NULL", [StoredWork::Impossible])?;
        self.execute("UPDATE dir SET missing = 0, settle = 0 WHERE problem IS NOT NULL", []).map(drop)
    }
}
