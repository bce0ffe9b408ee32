//! An assessment as JSON: one object.

use serde_json::{Map, Value, json};

use super::findings;
use super::histogram::Histogram;
use super::kept::Ranking;
use super::report::Assessment;
use crate::exit::{ALL_IN_SYNC, NOT_ALL_IN_SYNC};
use crate::finding;
use towpath::json::{number, put_path, time};

impl Assessment {
    /// The whole assessment.
    pub(crate) fn json(&self) -> Value {
        let (survey, checks, linked) = (&self.survey, &self.checks, self.linked());
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put_path("source", &self.place.source, &mut put);
        match &self.place.dest {
            Some(dest) => put_path("dest", dest, &mut put),
            None => put("dest", Value::Null),
        }
        match &self.place.database {
            Some(database) => put_path("database", database, &mut put),
            None => put("database", Value::Null),
        }
        put("scanned_at", time(self.began).into());
        put("scan_seconds", self.scan.as_secs_f64().into());
        put("files", survey.files.files.into());
        put("bytes", number(survey.files.bytes));
        put("dirs", survey.dirs.into());
        put("links", survey.links.into());
        let reasons = survey.not_copied.iter().map(|(reason, amount)| {
            (reason.code().to_owned(), json!({ "files": amount.files, "bytes": number(amount.bytes) }))
        });
        put("not_copied", Value::Object(reasons.collect()));
        put("sizes", histogram(&survey.sizes));
        put("ages", histogram(&survey.ages));
        put("largest", self.ranking("bytes", &survey.largest));
        put("widest", self.ranking("entries", &survey.widest));
        put("deepest", self.ranking("depth", &survey.deepest));
        put("longest_path", self.ranking("path_bytes_below_root", &survey.longest));
        put(
            "hard_links",
            json!({
                "files": linked.files, "names": linked.names, "saved_bytes": number(linked.saved_bytes),
                "with_names_elsewhere": linked.with_names_elsewhere, "estimated": linked.is_estimated,
            }),
        );
        let sparse = survey.sparse;
        put(
            "sparse",
            json!({
                "files": sparse.files, "bytes": number(sparse.size_bytes),
                "allocated_bytes": number(sparse.allocated_bytes),
            }),
        );
        let (xattrs, access, changes) = (&checks.xattrs, &checks.access, &checks.changes);
        put(
            "samples",
            json!({
                "xattrs": {
                    "of": xattrs.from, "read": xattrs.read, "with_acl": xattrs.with_acl.count,
                    "with_others": xattrs.with_others.count, "failed": xattrs.failed.count, "names": xattrs.names,
                },
                "access": { "of": access.doubtful, "tried": access.tried, "denied": access.denied.count },
                "changes": { "of": survey.recent.count, "again": changes.again, "changed": changes.changed.count },
                "cut_short": checks.is_cut_short,
            }),
        );
        let open = checks
            .open
            .as_ref()
            .map(|open| json!({ "for_writing": open.for_writing.count, "hidden_processes": open.hidden_processes }));
        put("open_files", open.into());
        let pending = self.pending.map(|pending| json!({ "files": pending.files, "bytes": number(pending.bytes) }));
        put("pending", pending.into());
        put("estimates", self.estimates_json());
        finding::json(&findings::of(self)).into_iter().for_each(|(key, value)| put(&key, value));
        put("exit_status", self.exit_status().into());
        Value::Object(object)
    }

    /// The exit status of the command.
    pub(crate) fn exit_status(&self) -> u8 {
        if finding::has_problem(&findings::of(self)) { NOT_ALL_IN_SYNC } else { ALL_IN_SYNC }
    }

    fn estimates_json(&self) -> Value {
        let estimates = self.estimates().into_iter().map(|estimate| {
            json!({
                "limit": estimate.limit,
                "bytes_per_second": estimate.bytes_per_s,
                "baseline_seconds": estimate.baseline.as_secs(),
                "pass_seconds": estimate.pass.as_secs(),
            })
        });
        estimates.collect()
    }

    fn ranking<T: Ord + Copy + Into<Number>>(&self, key: &str, ranking: &Ranking<T>) -> Value {
        let entries = ranking.iter().map(|(value, path)| {
            let mut object = Map::new();
            let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
            put_path("path", &self.place.whole_path(path), &mut put);
            put(key, (*value).into().0.into());
            Value::Object(object)
        });
        entries.collect()
    }
}

/// A number of any ranking.
struct Number(u64);

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self(number as u64)
    }
}

fn histogram<T: PartialOrd + Copy>(histogram: &Histogram<T>) -> Value {
    let ranges = histogram
        .names()
        .zip(histogram.used())
        .map(|(range, amount)| json!({ "range": range, "files": amount.files, "bytes": number(amount.bytes) }));
    ranges.collect()
}
