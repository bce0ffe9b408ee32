//! The columns that record why an entry is not in sync: `error`, `error_code` and `error_side`.

use rusqlite::params;

use crate::error::{FailureCode, FileError, Result};
use crate::journal::row::file::FileKey;
use crate::journal::store::cause_columns::{Code, ErrorSide};
use crate::journal::store::db::Db;
use crate::journal::store::value::Name;
use crate::side::Side;

/// Why an entry is not in sync.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    pub(crate) code: FailureCode,
    /// The tree that failed, if one did.
    pub(crate) side: Option<Side>,
    /// The error, for people.
    pub(crate) text: String,
}

impl From<&FileError> for Cause {
    fn from(error: &FileError) -> Self {
        Self { code: error.code(), side: error.side(), text: error.to_string() }
    }
}

impl Db {
    /// Records why a file is not in sync.
    pub(in crate::journal) fn set_cause(&self, key: &FileKey, cause: &Cause) -> Result<()> {
        let Cause { code, side, text } = cause;
        self.execute(
            "UPDATE file SET error = ?3, error_code = ?4, error_side = ?5 WHERE dir = ?1 AND name = ?2",
            params![key.dir, Name(&key.name), text, Code(*code), ErrorSide(*side)],
        )
        .map(drop)
    }

    /// Records why a directory is not in sync.
    pub(in crate::journal) fn set_cause_of_dir(&self, id: i64, cause: &Cause) -> Result<()> {
        let Cause { code, side, text } = cause;
        let sql = "UPDATE dir SET error = ?2, error_code = ?3, error_side = ?4 WHERE id = ?1";
        self.execute(sql, params![id, text, Code(*code), ErrorSide(*side)]).map(drop)
    }
}
