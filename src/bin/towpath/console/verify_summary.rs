//! How a verification ended, as text and as JSON.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::text::{files, plural, totals};
use crate::event_json::object;
use crate::format::{duration, local_time, rate, size};
use towpath::{RunOutcome, Totals, UpperBound, VerifyClass, VerifyReport};

/// How it ended, and what to do next.
pub(crate) fn verify_summary(report: &VerifyReport, database: &str) -> String {
    let seconds = report.duration.as_secs_f64();
    let mean = if seconds > 0.0 { (report.read_bytes as f64 / seconds) as u64 } else { 0 };
    let word = if report.outcome == RunOutcome::Stopped { "stopped" } else { "done" };
    let mut text = format!(
        "{word}: {} checked; read {} in {} ({})",
        totals(report.checked()),
        size(report.read_bytes),
        duration(report.duration),
        rate(mean)
    );
    if let Some(began) = report.resumed_from {
        text += &format!("\n  goes on with what began on {}", local_time(began));
    }
    for class in VerifyClass::ALL {
        let found = report.of(class);
        if found.files > 0 {
            text += &format!("\n  {:<18}{}{}", class.name(), totals(found), explained(class));
        }
    }
    if report.outcome == RunOutcome::Finished {
        text += &coverage(report);
    }
    if let Some(bound) = report.upper_bound() {
        text += &format!("\n  {}", in_words(&bound));
    }
    if report.cached_files > 0 {
        let reason = report.cached_reason.map_or_else(String::new, |reason| format!(": {reason}"));
        text += &format!("\n  {} may have been read from a cache of this machine{reason}", files(report.cached_files));
    }
    if report.pending.files > 0 {
        text += &format!("\n  {} pending, and not verified: `towpath sync` sends them", totals(report.pending));
    }
    if report.left.files > 0 {
        let why = if report.outcome == RunOutcome::Stopped { "" } else { ", as they were being sent again" };
        text += &format!("\n  {} left{why}: the same command goes on", totals(report.left));
    }
    if report.bad_files() > 0 {
        text += &format!("\n  list: towpath verify --database {database} --list");
    }
    text
}

fn explained(class: VerifyClass) -> &'static str {
    match class {
        VerifyClass::Unproven => ": no checksum was recorded; --hash-both reads both copies",
        VerifyClass::ChangedAtSource => ": the copies are what was recorded; `towpath sync` sends them again",
        _ => "",
    }
}

/// How much of all files in sync matches, by this pass and earlier ones.
fn coverage(report: &VerifyReport) -> String {
    if report.synced.files == 0 {
        return "\n  no files are in sync: there is nothing to verify".to_owned();
    }
    let sound = [VerifyClass::Matches, VerifyClass::ChangedAtSource];
    let sum = sound
        .iter()
        .filter_map(|class| report.coverage.get(&Some(*class)))
        .fold(Totals::default(), |a, b| Totals::new(a.files + b.files, a.bytes + b.bytes));
    format!(
        "\n  coverage: {:.1} % of the files and {:.1} % of the bytes in sync match since they were sent ({} of {})",
        percent(sum.files.into(), report.synced.files.into()),
        percent(sum.bytes, report.synced.bytes),
        totals(sum),
        totals(report.synced)
    )
}

/// Less than 100 until all is.
fn percent(part: u128, all: u128) -> f64 {
    super::amounts::percent(part, all)
}

/// What a sample proves.
fn in_words(bound: &UpperBound) -> String {
    let UpperBound { bad_files, files: drawn, share, .. } = bound;
    format!(
        "random sample: {} of {} did not match; with 95 % confidence fewer than {} of all files with a checksum do not",
        plural(*bad_files, "file", "files"),
        files(*drawn),
        share_in_words(*share)
    )
}

/// Rounded up, to two digits.
fn share_in_words(share: f64) -> String {
    let percent = share * 100.0;
    let digits = (1 - percent.log10().floor() as i32).clamp(0, 8);
    let unit = 10_f64.powi(digits);
    format!("{:.*} %", usize::try_from(digits).unwrap_or(0), (percent * unit).ceil() / unit)
}

/// The result on one line.
pub(crate) fn verify_summary_json(report: &VerifyReport, database: &Path) -> String {
    let totals = |totals: Totals| json!({ "files": totals.files, "bytes": towpath::json::number(totals.bytes) });
    let classes: Map<_, _> =
        VerifyClass::ALL.into_iter().map(|class| (class.name().to_owned(), totals(report.of(class)))).collect();
    let name = |class: &Option<VerifyClass>| class.map_or("not-checked", VerifyClass::name).to_owned();
    let coverage: Map<_, _> = report.coverage.iter().map(|(class, sum)| (name(class), totals(*sum))).collect();
    let bound = report.upper_bound().map(|bound| {
        json!({
            "bad_files": bound.bad_files,
            "files": bound.files,
            "share_below": bound.share,
            "confidence": UpperBound::CONFIDENCE,
        })
    });
    let fields = json!({
        "outcome": if report.outcome == RunOutcome::Stopped { "stopped" } else { "finished" },
        "pass": report.pass,
        "resumed_from": report.resumed_from.map(towpath::json::time),
        "selection": report.selection.to_string(),
        "sample_seed": report.sample_seed,
        "sample_bound": bound,
        "checked": totals(report.checked()),
        "bad_files": report.bad_files(),
        "classes": classes,
        "coverage": coverage,
        "synced": totals(report.synced),
        "pending": totals(report.pending),
        "left": totals(report.left),
        "cached_files": report.cached_files,
        "read_bytes": report.read_bytes,
        "seconds": report.duration.as_secs_f64(),
        "database": database.to_string_lossy(),
        "log": report.log.to_string_lossy(),
    });
    Value::Object(object("verify-summary", fields)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_to_two_digits() {
        for (share, text) in
            [(0.002_991, "0.30 %"), (0.258, "26 %"), (1.0, "100 %"), (0.0501, "5.1 %"), (1e-6, "0.00010 %")]
        {
            assert_eq!(share_in_words(share), text);
        }
    }

    #[test]
    fn the_summary_says_what_was_found_and_what_it_proves() {
        let mut report = VerifyReport::default();
        report.selection = towpath::Selection::Sample(towpath::Sample::Files(1000));
        report.classes =
            [(VerifyClass::Matches, Totals::new(998, 5 << 30)), (VerifyClass::Missing, Totals::new(2, 7))].into();
        report.coverage =
            [(Some(VerifyClass::Matches), Totals::new(2000, 9 << 30)), (None, Totals::new(8000, 1 << 30))].into();
        report.synced = Totals::new(10_000, 10 << 30);
        report.pending = Totals::new(3, 30);
        report.read_bytes = 5 << 30;
        report.duration = std::time::Duration::from_secs(100);
        insta::assert_snapshot!(verify_summary(&report, "/a.db"), @"
        done: 1,000 files, 5.0 GiB checked; read 5.0 GiB in 01:40 (51.2 MiB/s)
          matches           998 files, 5.0 GiB
          missing           2 files, 7 B
          coverage: 20.0 % of the files and 90.0 % of the bytes in sync match since they were sent (2,000 files, 9.0 GiB of 10,000 files, 10.0 GiB)
          random sample: 2 files of 1,000 files did not match; with 95 % confidence fewer than 0.63 % of all files with a checksum do not
          3 files, 30 B pending, and not verified: `towpath sync` sends them
          list: towpath verify --database /a.db --list
        ");
        let json: Value = serde_json::from_str(&verify_summary_json(&report, Path::new("/a.db"))).unwrap();
        assert_eq!(json["classes"]["missing"], json!({ "files": 2, "bytes": 7 }));
        assert_eq!((&json["bad_files"], &json["sample_bound"]["files"]), (&json!(2), &json!(1000)));
        assert_eq!(json["coverage"]["not-checked"]["files"], 8000);
    }
}
