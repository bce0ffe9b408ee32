//! Names that the sink cannot hold, or takes for one another, found before anything is written.
//!
//! Of two names of the source that are one to the sink, the second would overwrite the
//! first. Where the sink has one of them exactly, that one is right; otherwise the
//! first by its bytes. The others are given up, with all that lies below them. A name
//! that the sink alone spells in another way collides with none (module `spelling`).

use rusqlite::functions::FunctionFlags;
use rusqlite::params;
use towpath_backend::{NameRules, RelPath};
use unicode_normalization::UnicodeNormalization as _;

use crate::error::Result;
use crate::journal::backlog::pending::FileKey;
use crate::journal::handle::Journal;
use crate::journal::scan::finish::subtree;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, path, signed};

/// A file that the sink cannot hold, and why.
#[derive(Debug)]
pub(crate) struct Impossible {
    pub(crate) path: RelPath,
    pub(crate) problem: String,
}

/// What pending rows wait for that cannot be sent.
pub(in crate::journal) const IMPOSSIBLE: i64 = 3;

/// The position of a row in the index of what is pending.
#[derive(Clone, Debug)]
pub(crate) struct ImpossibleKey {
    turn: i64,
    file: FileKey,
}

impl ImpossibleKey {
    /// Before all rows.
    pub(crate) fn first() -> Self {
        Self { turn: -1, file: FileKey::first() }
    }
}

impl Journal {
    /// Up to `limit` files that the sink cannot hold, behind the row `after`.
    pub(crate) async fn impossible(
        &self,
        after: ImpossibleKey,
        limit: usize,
    ) -> Result<Vec<(ImpossibleKey, Impossible)>> {
        self.call(move |db| db.impossible(&after, limit)).await
    }
}

/// A name of a directory, as source or sink spell it.
struct Spelling {
    name: Vec<u8>,
    is_dir: bool,
    in_source: bool,
}

impl Db {
    /// In the order of the index, so that a page does not sort all of them.
    pub(in crate::journal) fn impossible(
        &self,
        after: &ImpossibleKey,
        limit: usize,
    ) -> Result<Vec<(ImpossibleKey, Impossible)>> {
        self.rows(
            "SELECT turn, file.dir, name, path, file.problem FROM file JOIN dir ON dir.id = file.dir
             WHERE status = 0 AND work = 3 AND (turn, file.dir, name) > (?1, ?2, ?3)
             ORDER BY turn, file.dir, name LIMIT ?4",
            params![after.turn, after.file.dir, Name(&after.file.name), signed(limit as u64)],
            |row| {
                let file = FileKey { dir: row.get(1)?, name: bytes(row, 2)? };
                let path = crate::journal::backlog::pending::join(&path(row, 3)?, &file.name)?;
                let problem = row.get::<_, Option<String>>(4)?.unwrap_or_default();
                Ok((ImpossibleKey { turn: row.get(0)?, file }, Impossible { path, problem }))
            },
        )
    }

    /// Makes the functions that the statements below use.
    pub(in crate::journal) fn know_names(&self, rules: NameRules) -> Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        let name = |context: &rusqlite::functions::Context<'_>| {
            use rusqlite::types::ValueRef;
            match context.get_raw(0) {
                ValueRef::Text(path) | ValueRef::Blob(path) => last_name(path).to_vec(),
                _ => Vec::new(),
            }
        };
        self.connection
            .create_scalar_function("name_problem", 1, flags, move |context| Ok(rules.problem(&name(context))))
            .and_then(|()| {
                self.connection
                    .create_scalar_function("name_key", 1, flags, move |context| Ok(key(rules, &name(context))))
            })
            .map_err(|error| self.error(&error))
    }

    /// Finds what the sink cannot hold in some directories.
    pub(in crate::journal) fn judge_names(&mut self, from: i64, to: i64) -> Result<()> {
        let rules = self.scan.names;
        if rules == NameRules::BYTES {
            return Ok(());
        }
        let range = params![from, to];
        for sql in [
            "UPDATE file SET problem = name_problem(name) WHERE dir BETWEEN ?1 AND ?2 AND name_problem(name) IS NOT NULL",
            "UPDATE dir SET problem = name_problem(path)
             WHERE parent BETWEEN ?1 AND ?2 AND name_problem(path) IS NOT NULL",
        ] {
            self.execute(sql, range)?;
        }
        if !rules.folds() {
            return Ok(());
        }
        for (dir, key) in self.ambiguous_names(from, to)? {
            self.judge_spellings(dir, &key)?;
        }
        Ok(())
    }

    /// Directories and keys under which several names meet.
    fn ambiguous_names(&self, from: i64, to: i64) -> Result<Vec<(i64, Vec<u8>)>> {
        self.execute("CREATE TEMP TABLE IF NOT EXISTS spelling(dir INTEGER, key BLOB, name ANY, source INTEGER)", [])?;
        self.execute("DELETE FROM spelling", [])?;
        for sql in [
            "INSERT INTO spelling SELECT dir, name_key(name), name, 1 FROM file WHERE dir BETWEEN ?1 AND ?2 AND ?3",
            "INSERT INTO spelling SELECT dir, name_key(name), name, 0 FROM sink_entry WHERE dir BETWEEN ?1 AND ?2 AND ?3",
            "INSERT INTO spelling SELECT parent, name_key(path), path, source_scan IS ?3 FROM dir
             WHERE parent BETWEEN ?1 AND ?2 AND (source_scan = ?3 OR sink_scan = ?3)",
        ] {
            self.execute(sql, params![from, to, self.scan.id])?;
        }
        self.rows(
            "SELECT dir, key FROM spelling GROUP BY dir, key
             HAVING count(DISTINCT name_key(name) || hex(name)) > 1 AND max(source) = 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    fn judge_spellings(&mut self, dir: i64, key: &[u8]) -> Result<()> {
        let spellings = self.spellings(dir, key)?;
        let at_sink = |name: &[u8]| spellings.iter().any(|other| !other.in_source && other.name == name);
        let sources: Vec<_> = spellings.iter().filter(|spelling| spelling.in_source).collect();
        let exact = sources.iter().find(|spelling| at_sink(&spelling.name));
        let Some(right) = exact.or_else(|| sources.first()) else { return Ok(()) };
        for spelling in spellings.iter().filter(|spelling| spelling.name != right.name) {
            // A directory of the sink where the source has a file is an extra as any other.
            let is_extra = !spelling.in_source && spelling.is_dir && !right.is_dir;
            if !is_extra {
                self.give_up_spelling(dir, spelling, &right.name)?;
            }
        }
        Ok(())
    }

    fn spellings(&self, dir: i64, key: &[u8]) -> Result<Vec<Spelling>> {
        let mut spellings = self.rows(
            "SELECT name, 0, 1 FROM file WHERE dir = ?1 AND name_key(name) = ?2
             UNION ALL SELECT name, 0, 0 FROM sink_entry WHERE dir = ?1 AND name_key(name) = ?2
             UNION ALL SELECT path, 1, 1 FROM dir WHERE parent = ?1 AND source_scan = ?3 AND name_key(path) = ?2
             UNION ALL SELECT path, 1, 0 FROM dir WHERE parent = ?1 AND sink_scan = ?3 AND name_key(path) = ?2",
            params![dir, key, self.scan.id],
            |row| {
                let name = last_name(&bytes(row, 0)?).to_vec();
                Ok(Spelling { name, is_dir: row.get(1)?, in_source: row.get(2)? })
            },
        )?;
        spellings.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(spellings)
    }

    /// A name of the source is not sent; one of the sink is not deleted, since a name of the source is the same to it.
    fn give_up_spelling(&self, dir: i64, spelling: &Spelling, other: &[u8]) -> Result<()> {
        let name = Name(&spelling.name);
        let problem =
            format!("to the destination its name is the same as {}", String::from_utf8_lossy(other).escape_debug());
        let path = self.row("SELECT path FROM dir WHERE id = ?1", [dir], |row| path(row, 0))?;
        let path = path.and_then(|dir| dir.join(&spelling.name).ok()).unwrap_or_else(RelPath::root);
        match (spelling.in_source, spelling.is_dir) {
            (true, false) => {
                let sql = "UPDATE file SET problem = ?3 WHERE dir = ?1 AND name = ?2";
                self.execute(sql, params![dir, name, problem])
            }
            (true, true) => {
                self.execute("UPDATE dir SET problem = ?2 WHERE path = ?1", params![Name(path.as_bytes()), problem])
            }
            (false, false) => self.execute("INSERT OR IGNORE INTO source_other VALUES (?1, ?2)", params![dir, name]),
            (false, true) => self.execute("INSERT OR IGNORE INTO unreadable VALUES (2, ?1)", [Name(path.as_bytes())]),
        }
        .map(drop)
    }

    /// Gives up what lies below directories that are given up.
    pub(in crate::journal) fn give_up_impossible(&mut self) -> Result<()> {
        if self.scan.names == NameRules::BYTES {
            return Ok(());
        }
        let dirs = self.rows("SELECT path, problem FROM dir WHERE problem IS NOT NULL ORDER BY path", [], |row| {
            Ok((path(row, 0)?, row.get::<_, String>(1)?))
        })?;
        for (dir, problem) in dirs {
            let (first, end) = subtree(&dir);
            let problem = format!("its directory {dir} is not there: {problem}");
            let below = "(path = ?1 OR (path >= ?2 AND path < ?3)
                 OR (path >= CAST(?2 AS BLOB) AND path < CAST(?3 AS BLOB)))";
            let values = params![Name(dir.as_bytes()), Name(&first), Name(&end), problem];
            self.execute(
                &format!(
                    "UPDATE file SET problem = ?4
                     WHERE problem IS NULL AND dir IN (SELECT id FROM dir WHERE {below})"
                ),
                values,
            )?;
            self.execute(&format!("UPDATE dir SET problem = ?4 WHERE problem IS NULL AND {below}"), values)?;
        }
        self.execute("UPDATE file SET status = 0, work = ?1 WHERE problem IS NOT NULL", [IMPOSSIBLE])?;
        self.execute("UPDATE dir SET missing = 0, settle = 0 WHERE problem IS NOT NULL", []).map(drop)
    }
}

pub(in crate::journal) fn last_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or_default()
}

/// What two names have in common that are the same to a sink with these rules.
fn key(rules: NameRules, name: &[u8]) -> Vec<u8> {
    let mut name = name;
    while rules.trims_end && matches!(name.last(), Some(b'.' | b' ')) {
        name = &name[..name.len() - 1];
    }
    let Ok(text) = std::str::from_utf8(name) else {
        return if rules.folds_case { name.to_ascii_lowercase() } else { name.to_vec() };
    };
    let composed = |text: &str| if rules.folds_unicode { text.nfc().collect() } else { text.to_owned() };
    let text = composed(text);
    if rules.folds_case {
        // By way of capitals, so that letters with several small forms meet.
        composed(&text.to_uppercase().to_lowercase()).into_bytes()
    } else {
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_meet_as_the_rules_say() {
        let case = NameRules { folds_case: true, ..NameRules::BYTES };
        let unicode = NameRules { folds_unicode: true, ..NameRules::BYTES };
        let trims = NameRules { trims_end: true, ..NameRules::BYTES };
        let meet = |rules, a: &[u8], b: &[u8]| key(rules, a) == key(rules, b);
        let (composed, apart) = ("\u{e9}".as_bytes(), "e\u{301}".as_bytes());
        for (rules, a, b, expected) in [
            (case, &b"README"[..], &b"ReadMe"[..], true),
            (case, "Ärger".as_bytes(), "äRGER".as_bytes(), true),
            (case, "ΣΑΣ".as_bytes(), "σας".as_bytes(), true),
            (case, b"A\xff", b"a\xff", true),
            (case, composed, apart, false),
            (case, b"a", b"b", false),
            (unicode, composed, apart, true),
            (unicode, b"A", b"a", false),
            (trims, b"a. .", b"a", true),
            (trims, b".a", b"a", false),
            (NameRules::BYTES, b"A", b"a", false),
        ] {
            assert_eq!(meet(rules, a, b), expected, "{} and {}", a.escape_ascii(), b.escape_ascii());
        }
    }
}
