//! The database, and other migrations.

use super::room::room;
use crate::doctor::model::{Coming, DatabaseFacts, OtherMigration, Recorded};
use crate::doctor::{Code, info, ok, problem, warning};
use crate::finding::Finding;
use crate::format;

/// Measured with 100,000 files in 1,000 directories, with names of 23 characters and SHA-256 (docs/doctor.md).
const BYTES_OF_A_FILE: u64 = 250;
const LOG_BYTES_OF_A_FILE: u64 = 325;
/// Where the number of files is unknown, room for this many must be there.
const ASSUMED_FILES: u64 = 10_000_000;

/// Judges the database.
pub(crate) fn database(found: &DatabaseFacts, files: Option<u64>) -> Vec<Finding> {
    let shown = found.place.path.display();
    let mut findings = Vec::new();
    match &found.recorded {
        Err(error) => findings.push(problem(
            Code::Database,
            format!("{shown} cannot be read: {error}"),
            "a run needs it",
            "see the message; or give another --database, and scan again",
        )),
        Ok(_) if !found.is_writable => findings.push(problem(
            Code::Database,
            format!("{shown} cannot be written: no permission in {}", found.folder.display()),
            "a run needs to write there",
            "give --database and --log-file in a folder of your own",
        )),
        Ok(Some(Recorded { other_trees: Some(trees), .. })) => findings.push(problem(
            Code::Database,
            format!("{shown} belongs to the migration {trees}"),
            "a database is for one pair of trees: a run with these would not start",
            "leave out --database, or give a new file",
        )),
        Ok(Some(recorded)) => findings.push(match recorded.process {
            Some(process) => problem(
                Code::OtherMigration,
                format!("this migration is running already: process {process}"),
                "there is one run at a time for a pair of trees",
                "`towpath status`; wait until it ends, or stop it",
            ),
            None => ok(
                Code::Database,
                format!("{shown} of an earlier run, {}", format::size(found.size_bytes.unwrap_or(0))),
            ),
        }),
        Ok(None) => findings.push(ok(Code::Database, format!("{shown} will be created"))),
    }
    findings.extend(place(found));
    findings.extend(size(found, files));
    findings
}

fn place(found: &DatabaseFacts) -> Option<Finding> {
    let mount = found.place.mount.as_ref()?;
    let on = format!("the database lies on {} ({})", mount.kind(), mount.point().display());
    Some(match mount.kind() {
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "ceph" | "lustre" => problem(
            Code::DatabasePlace,
            on,
            "SQLite needs locks and shared memory that network file systems do not give reliably; each commit is a round \
             trip, within no limit",
            "give --database and --log-file on a local disk",
        ),
        kind if kind.starts_with("fuse") => warning(
            Code::DatabasePlace,
            on,
            "locks and flushes are what that program makes of them",
            "give --database and --log-file on a local disk",
        ),
        "tmpfs" | "ramfs" => warning(
            Code::DatabasePlace,
            on,
            "it is lost when the machine restarts: the next run scans both trees, and checksums and the log are gone",
            "give --database and --log-file on a disk",
        ),
        _ => ok(Code::DatabasePlace, on),
    })
}

/// What the database needs for this many files, beside what it has.
fn size(found: &DatabaseFacts, files: Option<u64>) -> Option<Finding> {
    let space = found.space.as_ref()?;
    let known = files.unwrap_or(ASSUMED_FILES);
    let (database, log) = (known.saturating_mul(BYTES_OF_A_FILE), known.saturating_mul(LOG_BYTES_OF_A_FILE));
    // As much again for a while: the write-ahead log, and the copy of a dry run.
    let needed = database.saturating_mul(2).saturating_sub(found.size_bytes.unwrap_or(0)).saturating_add(log);
    let (free, why) = (format::size(space.free_bytes), if files.is_some() { "" } else { " (their number is unknown)" });
    let text = format!(
        "the database needs about {}, and the log {}, for {} files{why}; {free} free",
        format::size(database),
        format::size(log),
        format::number(known)
    );
    let remedy = "make room, or give --database and --log-file elsewhere";
    let is_full = room(space, Some(&Coming { files: 10, dirs: 0, bytes: u128::from(needed) }))
        .iter()
        .any(|finding| finding.severity == crate::finding::Severity::Problem);
    Some(match (is_full, files) {
        (true, Some(_)) => problem(Code::DatabaseRoom, text, "a run ends when its database cannot grow", remedy),
        (true, None) => info(Code::DatabaseRoom, text, "a run ends when its database cannot grow", remedy),
        (false, _) => ok(Code::DatabaseRoom, text),
    })
}

/// Judges other migrations to the same destination.
pub(crate) fn other_migrations(found: &[OtherMigration]) -> Vec<Finding> {
    let judged = found.iter().map(|other| {
        let database = other.database.display();
        match other.process {
            Some(process) => problem(
                Code::OtherMigration,
                format!("process {process} migrates {} to this destination", other.source),
                "both would write the same names, and each would take the other's files for changed",
                format!("wait until it ends: towpath status --database {database}"),
            ),
            None => info(
                Code::OtherMigration,
                format!("{} was migrated to this destination, too", other.source),
                "with --delete-extras, what came from there is extra",
                format!("towpath status --database {database}"),
            ),
        }
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use towpath_local::Mount;

    use super::*;
    use crate::doctor::model::{Place, Space};
    use crate::finding::Severity;

    fn facts(kind: &str, free_bytes: u64) -> DatabaseFacts {
        let line = format!("36 1 0:9 / /var rw - {kind} none rw");
        DatabaseFacts {
            place: Place { path: "/var/x.db".into(), mount: Mount::of_line(line.as_bytes()), unmounted: None },
            size_bytes: None,
            folder: "/var".into(),
            is_writable: true,
            space: Some(Space { free_bytes, total_bytes: u64::MAX, free_files: None, quota: None }),
            recorded: Ok(None),
        }
    }

    fn bad(found: &DatabaseFacts, files: Option<u64>) -> Vec<(&'static str, Severity)> {
        let found = database(found, files);
        let bad = found.iter().filter(|finding| finding.severity != Severity::Ok);
        bad.map(|finding| (finding.code, finding.severity)).collect()
    }

    #[test]
    fn the_place_and_the_room_of_the_database_are_judged() {
        use Severity::{Info, Problem, Warning};
        let much = 1 << 40;
        assert_eq!(bad(&facts("ext4", much), Some(100_000_000)), []);
        assert_eq!(bad(&facts("nfs4", much), None), [("database-place", Problem)]);
        assert_eq!(bad(&facts("cifs", much), None), [("database-place", Problem)]);
        assert_eq!(bad(&facts("fuse.sshfs", much), None), [("database-place", Warning)]);
        assert_eq!(bad(&facts("tmpfs", much), None), [("database-place", Warning)]);
        assert_eq!(bad(&facts("ext4", 1 << 20), Some(100_000_000)), [("database-room", Problem)]);
        assert_eq!(bad(&facts("ext4", 1 << 20), None), [("database-room", Info)]);
        assert_eq!(bad(&facts("ext4", 1 << 20), Some(1_000)), []);
        let read_only = DatabaseFacts { is_writable: false, ..facts("ext4", much) };
        assert_eq!(bad(&read_only, None), [("database", Problem)]);
        let with = |recorded| DatabaseFacts { recorded: Ok(Some(recorded)), ..facts("ext4", much) };
        assert_eq!(bad(&with(Recorded::default()), None), []);
        let strange = Recorded { other_trees: Some("/a -> /b".to_owned()), ..Recorded::default() };
        assert_eq!(bad(&with(strange), None), [("database", Problem)]);
        let running = Recorded { process: Some(5), ..Recorded::default() };
        assert_eq!(bad(&with(running), None), [("other-migration", Problem)]);
        let broken = DatabaseFacts { recorded: Err("damaged".to_owned()), ..facts("ext4", much) };
        assert_eq!(bad(&broken, None), [("database", Problem)]);
    }

    #[test]
    fn another_migration_is_a_problem_while_it_runs() {
        let other = |process| OtherMigration { database: "/x.db".into(), source: "/old".to_owned(), process };
        let found = other_migrations(&[other(Some(5)), other(None)]);
        assert_eq!((found[0].severity, found[1].severity), (Severity::Problem, Severity::Info));
        assert!(found[0].found.contains("process 5"));
    }
}
