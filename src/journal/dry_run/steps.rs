//! The steps of a dry run, sorted by path: a temporary table, which SQLite keeps in a file, so that
//! memory does not grow with their number.

use rusqlite::params;
use towpath_backend::RelPath;

use crate::error::Result;
use crate::event::Action;
use crate::journal::handle::Journal;
use crate::journal::store::value::{path, signed, unsigned};

/// Something that a run would do.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) path: RelPath,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) reason: String,
}

impl Step {
    /// Where the step stands among all: by the bytes of its path; of one path, what goes comes first.
    pub(crate) fn key(&self) -> StepKey {
        StepKey { path: self.path.as_bytes().to_vec(), place: place(self.action) }
    }
}

/// Where a page of steps ends.
#[derive(Clone, Debug)]
pub(crate) struct StepKey {
    path: Vec<u8>,
    place: i64,
}

impl StepKey {
    /// Before all of them.
    pub(crate) fn first() -> Self {
        Self { path: Vec::new(), place: -1 }
    }
}

/// In the order in which they are done to one path.
const ACTIONS: [Action; 8] = [
    Action::Rename,
    Action::Delete,
    Action::DeleteDir,
    Action::MakeDir,
    Action::Send,
    Action::Link,
    Action::SetAttributes,
    Action::Fail,
];

fn place(action: Action) -> i64 {
    ACTIONS.iter().position(|other| *other == action).map_or(-1, |place| signed(place as u64))
}

fn action(place: i64) -> Option<Action> {
    usize::try_from(place).ok().and_then(|place| ACTIONS.get(place)).copied()
}

const TABLE: &str = "CREATE TEMP TABLE IF NOT EXISTS step(
        path BLOB NOT NULL, place INTEGER NOT NULL, size INTEGER, reason TEXT NOT NULL, PRIMARY KEY (path, place)
    ) STRICT, WITHOUT ROWID";

impl Journal {
    /// Adds steps, in any order.
    pub(crate) async fn add_steps(&self, steps: Vec<Step>) -> Result<()> {
        self.call(move |db| {
            db.execute(TABLE, [])?;
            for Step { action, path, size_bytes, reason } in steps {
                let values = params![path.as_bytes(), place(action), size_bytes.map(signed), reason];
                db.execute("INSERT OR REPLACE INTO step VALUES (?1, ?2, ?3, ?4)", values)?;
            }
            Ok(())
        })
        .await
    }

    /// Up to `limit` steps behind `after`, sorted.
    pub(crate) async fn steps(&self, after: StepKey, limit: usize) -> Result<Vec<Step>> {
        self.call(move |db| {
            db.execute(TABLE, [])?;
            db.rows(
                "SELECT path, place, size, reason FROM step WHERE (path, place) > (?1, ?2) ORDER BY path, place LIMIT ?3",
                params![after.path, after.place, signed(limit as u64)],
                |row| {
                    Ok(Step {
                        action: action(row.get(1)?).ok_or(rusqlite::Error::InvalidColumnIndex(1))?,
                        path: path(row, 0)?,
                        size_bytes: row.get::<_, Option<i64>>(2)?.map(unsigned),
                        reason: row.get(3)?,
                    })
                },
            )
        })
        .await
    }
}
