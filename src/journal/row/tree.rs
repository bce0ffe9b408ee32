//! The identities of the trees.

use rusqlite::params;
use towpath_backend::Identity;

use crate::error::Result;
use crate::event::Side;
use crate::journal::store::db::Db;
use crate::per_side::PerSide;

impl Db {
    /// The identities of source and sink at the last complete scan.
    pub(in crate::journal) fn identities(&self) -> Result<PerSide<Option<String>>> {
        let identity = |side: Side| {
            let sql = "SELECT identity FROM tree WHERE side = ?1";
            self.row(sql, [side], |row| row.get("identity")).map(Option::flatten)
        };
        Ok(PerSide { source: identity(Side::Source)?, sink: identity(Side::Sink)? })
    }

    pub(in crate::journal) fn record_identities(&self, identities: &PerSide<Identity>) -> Result<()> {
        for (side, identity) in identities.iter() {
            self.execute(
                "UPDATE tree SET identity = ?2 WHERE side = ?1 AND identity IS NOT ?2",
                params![side, identity.as_str()],
            )?;
        }
        Ok(())
    }
}
