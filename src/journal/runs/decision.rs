//! The resume-or-scan decision: whether a run resumes the backlog of an earlier one or scans.

use std::time::Duration;

use towpath_backend::Timestamp;

use crate::audit::RunLine;
use crate::error::{Error, ErrorFilter, NoBacklog, Result};
use crate::event::{BacklogOrigin, ScanReason};
use crate::journal::backlog::summary::Backlog;
use crate::journal::store::db::Db;
use crate::journal::store::value::now_ns;
use crate::json;
use crate::options::AfterBacklog;
use crate::progress::Progress;

/// The options and settings that a run starts with.
#[derive(Debug)]
pub(crate) struct RunRequest {
    /// Scan first, even if there is a backlog.
    pub(crate) rescan: bool,
    pub(crate) after_backlog: AfterBacklog,
    /// The greatest age of an interrupted run's backlog that is resumed.
    pub(crate) rescan_after: Option<Duration>,
    /// Scan, and send nothing.
    pub(crate) only_scans: bool,
    /// The filters and options that select the files to migrate, as a comparable text: a backlog with
    /// other settings is not resumed.
    pub(crate) settings: String,
    /// Send only the failed entries that match.
    pub(crate) retry: Option<ErrorFilter>,
    /// How the run was started.
    pub(crate) command: Option<String>,
    /// Link the lines of the log from now on; those of a chain that has begun are linked in any case.
    pub(crate) audit_chain: bool,
    /// The size at which the log is rotated.
    pub(crate) max_log_bytes: Option<u64>,
    /// The first line of the run in the log; [`start_line`] completes it.
    pub(crate) line: RunLine,
    /// Where what is recorded is shown.
    pub(crate) progress: Progress,
}

/// What a run does first: a scan, or the backlog of an earlier run.
#[derive(Debug)]
pub(crate) enum Decision {
    Scan(ScanReason),
    /// The backlog of an earlier run, and then a scan if there is a reason for one.
    Resume {
        backlog: Backlog,
        origin: BacklogOrigin,
        then: Option<ScanReason>,
    },
}

/// Whether a scan began longer ago than `age`, which may be none.
fn is_older(scanned_at: Option<Timestamp>, age: Option<Duration>) -> bool {
    scanned_at.zip(age).is_some_and(|(scanned_at, age)| {
        let since_ns = i128::from(now_ns()) - scanned_at.total_ns();
        u128::try_from(since_ns).is_ok_and(|since_ns| since_ns > age.as_nanos())
    })
}

/// Completes the first line of a run: its number, its mode, and the previous run if that has no last line.
pub(in crate::journal) fn start_line(
    mut line: RunLine,
    run: i64,
    decision: &Decision,
    unfinished: Option<(i64, i64)>,
) -> RunLine {
    let fields = std::mem::take(&mut line.fields);
    line.put("run", run);
    let (mode, reason) = match decision {
        Decision::Scan(reason) => ("scan", reason.name()),
        Decision::Resume { origin, then, .. } => {
            (if then.is_some() { "backlog-then-scan" } else { "backlog" }, origin.name())
        }
    };
    line.put("mode", mode);
    line.put("reason", reason);
    if let Decision::Resume { backlog, .. } = decision {
        line.put("pending_files", backlog.pending.files);
        line.put("pending_bytes", json::number(backlog.pending.bytes));
        line.put("scanned_at", backlog.scanned_at.map(json::time));
    }
    let unfinished = unfinished.map(|(run, started_ns)| {
        let started = jiff::Timestamp::from_nanosecond(started_ns.into()).ok().map(|time| time.to_string());
        serde_json::json!({ "run": run, "started": started })
    });
    line.put("unfinished_run", unfinished);
    line.fields.extend(fields);
    line
}

impl Db {
    /// The last run if it did not end: its number, and its start in nanoseconds since 1970.
    pub(in crate::journal) fn unfinished_run(&self) -> Result<Option<(i64, i64)>> {
        let sql = "SELECT id, started FROM run WHERE id = (SELECT max(id) FROM run) AND finished IS NULL";
        self.row(sql, [], |row| Ok((row.get("id")?, row.get("started")?)))
    }

    pub(in crate::journal) fn decision(&self, request: &RunRequest) -> Result<Decision> {
        match (self.decision_without_limits(request)?, request.after_backlog) {
            (Decision::Resume { .. }, _) if request.only_scans => Ok(Decision::Scan(ScanReason::Requested)),
            (Decision::Resume { backlog, origin, .. }, AfterBacklog::Stop) => {
                Ok(Decision::Resume { backlog, origin, then: None })
            }
            (Decision::Resume { backlog, origin, then: None }, AfterBacklog::Scan) => {
                Ok(Decision::Resume { backlog, origin, then: Some(ScanReason::AfterBacklog) })
            }
            (Decision::Scan(reason), AfterBacklog::Stop) => self.decision_without_scan(reason, &request.settings),
            (decision, _) => Ok(decision),
        }
    }

    fn has_settings(&self, settings: &str) -> Result<bool> {
        let sql = "SELECT settings = ?1 AS same FROM scan ORDER BY id DESC LIMIT 1";
        Ok(self.row(sql, [settings], |row| row.get("same"))?.unwrap_or(false))
    }

    /// The backlog alone, for a run that would scan for `reason` but must not. A backlog with other settings is
    /// never resumed.
    fn decision_without_scan(&self, reason: ScanReason, settings: &str) -> Result<Decision> {
        Err(Error::NoBacklog(match reason {
            ScanReason::FirstRun => NoBacklog::NotScanned,
            ScanReason::Interrupted => NoBacklog::ScanInterrupted,
            _ if !self.has_settings(settings)? => NoBacklog::OtherSettings,
            _ => {
                let (backlog, origin) = (self.backlog()?, BacklogOrigin::Failed);
                return Ok(Decision::Resume { backlog, origin, then: None });
            }
        }))
    }

    fn decision_without_limits(&self, request: &RunRequest) -> Result<Decision> {
        if self.fresh {
            return Ok(Decision::Scan(ScanReason::FirstRun));
        }
        let last = self.row(
            "SELECT finished IS NOT NULL AS complete, settings = ?1 AS same FROM scan ORDER BY id DESC LIMIT 1",
            [&request.settings],
            |row| Ok((row.get::<_, bool>("complete")?, row.get::<_, bool>("same")?)),
        )?;
        let same_settings = match last {
            None => return Ok(Decision::Scan(ScanReason::FirstRun)),
            Some((false, _)) => return Ok(Decision::Scan(ScanReason::Interrupted)),
            Some((true, same)) => same,
        };
        if request.rescan {
            return Ok(Decision::Scan(ScanReason::Requested));
        }
        let backlog = self.backlog()?;
        let has_dirs = |column| self.exists(&format!("SELECT 1 FROM dir WHERE {column} = 1 LIMIT 1"), []);
        // Files that the sink cannot hold do not count: otherwise no run would ever scan again.
        let possible = "SELECT 1 FROM file WHERE status = 0 AND work IN (0, 1, 2) LIMIT 1";
        let has_files = self.exists(possible, [])?;
        let is_incomplete = backlog.unreadable > 0 || backlog.unreadable_at_sink > 0;
        if !has_files && !has_dirs("missing")? && !has_dirs("settle")? {
            let reason = if is_incomplete { ScanReason::Incomplete } else { ScanReason::BacklogEmpty };
            return Ok(Decision::Scan(reason));
        }
        if !same_settings {
            return Ok(Decision::Scan(ScanReason::OtherSettings));
        }
        // An interrupted run is resumed. After a run that finished, only failed files are pending: a file that fails
        // repeatedly must not prevent a scan.
        let ended = "SELECT 1 FROM run WHERE outcome = 'finished' AND id >= (SELECT max(run) FROM scan) LIMIT 1";
        if !self.exists(ended, [])? {
            if is_older(backlog.scanned_at, request.rescan_after) {
                return Ok(Decision::Scan(ScanReason::BacklogOld));
            }
            let assessed = "SELECT 1 FROM run WHERE outcome = 'assessed' AND id = (SELECT max(id) FROM run)";
            let is_assessed = self.exists(assessed, [])?;
            let origin = if is_assessed { BacklogOrigin::Assessed } else { BacklogOrigin::Interrupted };
            return Ok(Decision::Resume { backlog, origin, then: None });
        }
        let reason = if is_incomplete { ScanReason::Incomplete } else { ScanReason::AfterFailed };
        Ok(if has_files {
            Decision::Resume { backlog, origin: BacklogOrigin::Failed, then: Some(reason) }
        } else {
            Decision::Scan(reason)
        })
    }
}
