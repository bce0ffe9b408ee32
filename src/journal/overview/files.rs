//! The files of a migration as the database records them, in pages.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row, named_params};
use towpath_backend::Timestamp;

use super::connection;
use crate::checksum::{Checksum, FileHash};
use crate::error::Result;
use crate::journal::row::detail::optional_bytes;
use crate::journal::row::file::EntryKind;
use crate::journal::store::value::{Name, bytes, limit, number, time};

/// The first version of the schema with kinds and identities of files.
const WITH_KINDS: i32 = 2;
/// The first version of the schema with targets of symbolic links.
const WITH_TARGETS: i32 = 7;

/// A file or symbolic link of the source, as the database records it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedFile {
    /// The path below the roots of both trees, as raw bytes.
    pub path: Vec<u8>,
    /// Whether it is a symbolic link.
    pub is_symlink: bool,
    /// Whether it is in sync; otherwise it is pending, or failed.
    pub is_synced: bool,
    /// Bytes: the number sent, if the source states another size.
    pub size_bytes: u64,
    /// The mtime at the source.
    pub modified: Timestamp,
    /// The checksum of its content as it was sent. `None`: it was found in sync without being sent, or is no regular
    /// file, or has not been sent yet.
    pub checksum: Option<Checksum>,
    /// The target of a symbolic link at the source, as it was last read or sent, as raw bytes. `None`: it is no link, or
    /// an earlier version scanned it.
    pub link_target: Option<Vec<u8>>,
    /// Device and inode of a file with several names at the source: the same for each of them.
    pub link_id: Option<(u64, u64)>,
}

/// Reads the files of a migration in pages, sorted by directory and then by name.
///
/// Each page is read in a transaction of its own, so that even a manifest of 100 million files does not hold up a run
/// that writes to the database meanwhile. What is true of [`crate::Overview::read`] is true of each page.
///
/// ```no_run
/// # fn example() -> towpath::Result<()> {
/// let mut files = towpath::RecordedFiles::of("backlog.db");
/// while let Some(page) = files.next_page()? {
///     for file in page.iter().filter(|file| file.is_synced) {
///         println!("{} {:?}", String::from_utf8_lossy(&file.path), file.checksum);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RecordedFiles {
    database: PathBuf,
    at: Position,
    is_finished: bool,
}

/// The last row of a page.
#[derive(Clone, Debug, Default)]
struct Position {
    /// The directory to go on in; `None` before the first page.
    dir: Option<Vec<u8>>,
    /// The last name in it; `None`: none of its files is read yet.
    name: Option<Vec<u8>>,
}

impl RecordedFiles {
    /// The most files of a page.
    const PAGE: usize = 10_000;

    /// The files in this database, from the first.
    pub fn of(database: impl AsRef<Path>) -> Self {
        Self { database: database.as_ref().to_owned(), at: Position::default(), is_finished: false }
    }

    /// The next files; `None` after the last, and if there is no database. Blocks.
    ///
    /// # Errors
    /// [`crate::Error::Database`] if it cannot be read, with what to do.
    pub fn next_page(&mut self) -> Result<Option<Vec<RecordedFile>>> {
        if self.is_finished {
            return Ok(None);
        }
        let read = connection::read(&self.database, |connection| page(connection, &self.at, Self::PAGE))?;
        let Some(((files, next), _)) = read else {
            self.is_finished = true;
            return Ok(None);
        };
        self.is_finished = next.is_none();
        self.at = next.unwrap_or_default();
        Ok((!files.is_empty()).then_some(files))
    }
}

/// At most `rows` files after a position, and the position after them; `None`: there are no more.
fn page(
    connection: &Connection,
    at: &Position,
    rows: usize,
) -> rusqlite::Result<(Vec<RecordedFile>, Option<Position>)> {
    let schema = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let mut query = connection.prepare(&files_after(schema))?;
    let mut files = Vec::new();
    let first = at.dir.clone().unwrap_or_default();
    // A run may have removed the directory of the last name meanwhile.
    let mut next = dir(connection, ">=", &first)?.map(|(id, dir)| {
        let name = at.name.clone().filter(|_| dir == first);
        (id, dir, name)
    });
    while let Some((id, path, name)) = next {
        let rest = rows - files.len();
        let parameters = named_params! { ":dir": id, ":name": name.as_deref().map(Name), ":rows": limit(rest) };
        let mut last = None;
        for read in query.query_map(parameters, |row| file(row, &path))? {
            let (name, file) = read?;
            files.push(file);
            last = Some(name);
        }
        if files.len() == rows {
            return Ok((files, Some(Position { dir: Some(path), name: last })));
        }
        next = dir(connection, ">", &path)?.map(|(id, dir)| (id, dir, None));
    }
    Ok((files, None))
}

/// The first directory whose path compares so.
fn dir(connection: &Connection, comparison: &str, path: &[u8]) -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
    let sql = format!("SELECT id, path FROM dir WHERE path {comparison} ?1 ORDER BY path LIMIT 1");
    connection.prepare_cached(&sql)?.query_row([Name(path)], |row| Ok((row.get("id")?, bytes(row, "path")?))).optional()
}

/// The files of a directory after a name.
fn files_after(schema: i32) -> String {
    let columns = if schema < WITH_KINDS {
        "0 AS kind, size AS sent_size, NULL AS device, NULL AS inode"
    } else {
        "kind, coalesce(kept_size, size) AS sent_size, device, inode"
    };
    let target = if schema < WITH_TARGETS { "NULL AS target" } else { "target" };
    format!(
        "SELECT name, status, modified, hash, algorithm, {columns}, {target} FROM file
         WHERE dir = :dir AND (:name IS NULL OR name > :name) ORDER BY name LIMIT :rows"
    )
}

/// A row, and its name.
fn file(row: &Row<'_>, dir: &[u8]) -> rusqlite::Result<(Vec<u8>, RecordedFile)> {
    let name = bytes(row, "name")?;
    let hash = row.get::<_, Option<String>>("hash")?.zip(row.get::<_, Option<String>>("algorithm")?);
    let checksum = hash.and_then(|(digits, algorithm)| {
        Some(Checksum { algorithm: algorithm.parse().ok()?, hash: FileHash::recorded(digits) })
    });
    let bits = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned));
    let file = RecordedFile {
        path: if dir.is_empty() { name.clone() } else { [dir, b"/", &name].concat() },
        is_symlink: row.get::<_, EntryKind>("kind")? == EntryKind::Symlink,
        is_synced: row.get::<_, i64>("status")? == 1,
        size_bytes: number(row, "sent_size")?,
        modified: time(row, "modified")?,
        checksum,
        link_target: optional_bytes(row, "target")?,
        link_id: bits("device")?.zip(bits("inode")?),
    };
    Ok((name, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with these directories and names.
    fn database(folder: &Path, names: &[(&str, &[&[u8]])]) -> PathBuf {
        drop(crate::journal::tests::open(folder));
        let path = folder.join("db");
        let connection = Connection::open(&path).unwrap();
        for (id, (dir, names)) in (100..).zip(names) {
            connection.execute("INSERT OR IGNORE INTO dir(id, path) VALUES (?1, ?2)", (id, dir)).unwrap();
            for name in *names {
                let sql = "INSERT INTO file(dir, name, size, modified, status, scan)
                     SELECT id, ?2, 7, 5, 1, 1 FROM dir WHERE path = ?1";
                connection.execute(sql, (dir, Name(name))).unwrap();
            }
        }
        path
    }

    #[test]
    fn pages_of_any_size_have_each_file_once() {
        let folder = tempfile::tempdir().unwrap();
        let names: [&[u8]; 4] = [b"a", b"b", b"c\xff", b"d"];
        let path = database(folder.path(), &[("", &names), ("empty", &[]), ("sub", &names), ("z", &names[..1])]);
        let connection = Connection::open(&path).unwrap();
        let (all, end) = page(&connection, &Position::default(), 100).unwrap();
        assert!(all.len() == 9 && end.is_none());
        assert_eq!((&all[0].path[..], &all[4].path[..], &all[8].path[..]), (&b"a"[..], &b"sub/a"[..], &b"z/a"[..]));
        for rows in 1..=10 {
            let (mut read, mut at) = (Vec::new(), Some(Position::default()));
            while let Some(position) = at {
                let (files, next) = page(&connection, &position, rows).unwrap();
                assert!(files.len() <= rows);
                read.extend(files);
                at = next;
            }
            assert_eq!(read, all, "{rows} rows a page");
        }
    }

    #[test]
    fn a_directory_that_is_gone_is_followed_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path(), &[("a", &[b"1", b"2"]), ("b", &[b"1"])]);
        let connection = Connection::open(&path).unwrap();
        let (_, next) = page(&connection, &Position::default(), 1).unwrap();
        connection.execute("DELETE FROM file WHERE dir = (SELECT id FROM dir WHERE path = 'a')", []).unwrap();
        connection.execute("DELETE FROM dir WHERE path = 'a'", []).unwrap();
        let (rest, end) = page(&connection, &next.unwrap(), 10).unwrap();
        assert!(rest.len() == 1 && rest[0].path == b"b/1" && end.is_none());
    }

    #[test]
    fn without_a_database_there_are_no_files() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(RecordedFiles::of(folder.path().join("none.db")).next_page().unwrap(), None);
    }
}
