//! The steps of a dry run, sorted by path. They are in a temporary table, which SQLite keeps in a file, so that
//! memory does not grow with their number.

use rusqlite::{named_params, params};
use towpath_backend::RelPath;

use crate::error::Result;
use crate::event::{Action, PlanReason};
use crate::journal::dry_run::reason;
use crate::journal::handle::Journal;
use crate::journal::store::value::{limit, optional_number, path, signed, stored_as_integer};

/// A step that a run would take.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) path: RelPath,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) reason: PlanReason,
}

impl Step {
    /// Its position: by the bytes of its path, then in the order in which a run takes the steps.
    pub(crate) fn key(&self) -> StepKey {
        StepKey { path: self.path.as_bytes().to_vec(), action: Some(self.action) }
    }
}

/// The position of a step; without an action, the position before all steps of its path.
#[derive(Clone, Debug)]
pub(crate) struct StepKey {
    path: Vec<u8>,
    action: Option<Action>,
}

impl StepKey {
    /// A position before the first step.
    pub(crate) fn first() -> Self {
        Self { path: Vec::new(), action: None }
    }
}

// The order in which a run takes the steps for one path.
stored_as_integer!(Action {
    Action::Rename = 0,
    Action::Delete = 1,
    Action::DeleteDir = 2,
    Action::MakeDir = 3,
    Action::Send = 4,
    Action::Link = 5,
    Action::SetAttributes = 6,
    Action::Fail = 7,
});

const TABLE: &str = "CREATE TEMP TABLE IF NOT EXISTS step(
        path BLOB NOT NULL, place INTEGER NOT NULL, size INTEGER, reason INTEGER NOT NULL, detail BLOB,
        PRIMARY KEY (path, place)
    ) STRICT, WITHOUT ROWID";

impl Journal {
    /// Adds steps, in any order.
    pub(crate) async fn add_steps(&self, steps: Vec<Step>) -> Result<()> {
        self.call(move |db| {
            db.execute(TABLE, [])?;
            for Step { action, path, size_bytes, reason } in steps {
                let (reason, detail) = reason::stored(&reason);
                let values = params![path.as_bytes(), action, size_bytes.map(signed), reason, detail];
                let sql = "INSERT OR REPLACE INTO step(path, place, size, reason, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
                db.execute(sql, values)?;
            }
            Ok(())
        })
        .await
    }

    /// Up to `steps` steps after `after`, sorted.
    pub(crate) async fn steps(&self, after: StepKey, steps: usize) -> Result<Vec<Step>> {
        self.call(move |db| {
            db.execute(TABLE, [])?;
            db.rows(
                "SELECT path, place, size, reason, detail FROM step WHERE (path, place) > (:path, coalesce(:place, -1))
                 ORDER BY path, place LIMIT :limit",
                named_params! { ":path": after.path, ":place": after.action, ":limit": limit(steps) },
                |row| {
                    Ok(Step {
                        action: row.get("place")?,
                        path: path(row, "path")?,
                        size_bytes: optional_number(row, "size")?,
                        reason: reason::from_stored(row)?,
                    })
                },
            )
        })
        .await
    }
}
