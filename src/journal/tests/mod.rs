//! Tests of several parts of the journal together.

mod beside_runs;
mod hard_links;
mod power_cuts;
mod rotation;

use std::path::Path;

use crate::audit::AuditLog;
use crate::journal::store::db::Db;
use crate::journal::store::open::{self, Roots};

/// Opens or creates the database in `folder`.
pub(super) fn open(folder: &Path) -> Db {
    let roots = Roots { source: b"/old".to_vec(), sink: b"/new".to_vec() };
    let log = AuditLog::open(&folder.join("log")).unwrap();
    let path = folder.join("db");
    Db::new(open::open(&path, &roots).unwrap(), log, path)
}
