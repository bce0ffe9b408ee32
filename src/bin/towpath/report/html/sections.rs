//! The other sections: verification, throughput, sizes, evidence, runs.

use std::time::Duration;

use serde_json::Value;

use super::chart;
use super::front::class;
use super::markup::Html;
use super::words::{exact_size, optional_time, percent, plural};
use crate::format::{duration, number, rate, size};
use crate::report::model::{Report, Run, SignatureCheck};

pub(super) fn verification(html: &mut Html, report: &Report) {
    html.raw("<section>\n").heading("Verification");
    let (synced, proved) = (class(report, "synced"), report.with_checksum);
    let files = synced.files.names;
    html.paragraph(&format!(
        "{} of {} in sync were sent by this migration with a checksum of what was read: {} of the bytes. The others were \
         found in sync by size and time.",
        number(proved.names),
        plural(files, "file", "files"),
        percent(proved.bytes, synced.files.bytes),
    ));
    let found = &report.verification;
    if found.passes.is_empty() {
        html.paragraph("The destination has not been read again: `towpath verify` does that.");
    } else {
        html.paragraph(
            "`towpath verify` read the destination again. What was last found of each file and link in sync:",
        );
        coverage(html, report);
        not_matching(html, report);
        passes(html, report);
    }
    html.raw("</section>\n");
}

fn coverage(html: &mut Html, report: &Report) {
    let coverage = &report.verification.coverage;
    let names: u64 = coverage.iter().map(|one| one.amount.names).sum();
    let bytes: u128 = coverage.iter().map(|one| one.amount.bytes).sum();
    html.table("", &["Result", "#Names", "#Share", "#Bytes", "#Share"]);
    for one in coverage {
        html.raw("<tr>")
            .element("th", if one.is_bad { "bad" } else { "" }, one.class)
            .number(&number(one.amount.names));
        html.number(&percent(one.amount.names.into(), names.into())).number(&size(one.amount.bytes));
        html.number(&percent(one.amount.bytes, bytes)).raw("</tr>\n");
    }
    html.end_table();
}

fn passes(html: &mut Html, report: &Report) {
    html.element("h3", "", "Passes").raw("\n");
    html.table("", &["#", "Started", "Ended", "Which files", "#Read", "#Maybe cached", "Found"]);
    for pass in &report.verification.passes {
        html.raw("<tr>").number(&pass.number.to_string()).element("td", "nowrap", &optional_time(pass.started));
        html.element("td", "nowrap", &optional_time(pass.finished)).raw("<td>").text(&pass.selection);
        if let Some(seed) = &pass.seed {
            html.raw(" <small>").text(&format!("seed {seed}")).raw("</small>");
        }
        html.raw("</td>").number(&size(pass.read_bytes)).number(&number(pass.cached_files)).raw("<td>");
        let results = pass.classes.iter().map(|one| format!("{} {}", number(one.amount.names), one.class));
        html.text(&results.collect::<Vec<_>>().join(", "));
        if let Some(share) = pass.share_below {
            let text = format!(
                ". With 95 % confidence, fewer than {:.2} % of all files with a checksum do not match.",
                share * 100.0
            );
            html.text(&text);
        }
        html.raw("</td></tr>\n");
    }
    html.end_table();
}

fn not_matching(html: &mut Html, report: &Report) {
    let found = &report.verification;
    if found.not_matching.is_empty() {
        return;
    }
    html.element("h3", "bad", "Files that did not match").raw("\n");
    html.table("", &["Path", "#Size", "Result", "Detail", "Checked"]);
    for file in &found.not_matching {
        html.raw("<tr><td>").path(&file.path.raw).raw("</td>").number(&size(file.bytes)).cell(file.class);
        html.cell(file.detail.as_deref().unwrap_or("")).element("td", "nowrap", &optional_time(file.checked));
        html.raw("</tr>\n");
    }
    html.end_table();
    if found.has_more {
        html.paragraph("There are more: `towpath verify --list` has them all.");
    }
}

pub(super) fn throughput(html: &mut Html, report: &Report) {
    html.raw("<section>\n").heading("Throughput, and what others felt");
    let found = &report.throughput;
    if found.samples.is_empty() {
        html.paragraph("No run sent files for long enough to be sampled.").raw("</section>\n");
        return;
    }
    let mut text = format!(
        "{} written in {} of sending, {} of pauses not counted.",
        size(found.written_bytes),
        duration(Duration::from_secs(found.active_s)),
        duration(Duration::from_secs(found.paused_s)),
    );
    if let Some(peak) = found.peak_bytes_per_s {
        text.push_str(&format!(" The second with the most had {}", rate(peak)));
        match found.peak_of_limit {
            Some(part) => text
                .push_str(&format!("; relative to the limit in force, no second had more than {:.0} %.", part * 100.0)),
            None => text.push('.'),
        }
    }
    html.paragraph(&text);
    chart::throughput(html, &found.samples);
    html.paragraph(
        "While files were sent, small requests to both storages were timed: what other users of them felt. The line is the \
         median of a minute, the band reaches to its 95th percentile. Of hours that are more than a day old, it is the mean \
         of the medians, and the highest of the percentiles.",
    );
    chart::round_trips(html, &found.samples);
    html.raw("</section>\n");
}

pub(super) fn sizes(html: &mut Html, report: &Report) {
    html.raw("<section>\n").heading("Files and links by size");
    let most = report.sizes.iter().map(|range| range.all.names).max().unwrap_or(0);
    if most == 0 {
        html.paragraph("There are none.").raw("</section>\n");
        return;
    }
    html.table("sizes", &["Size", "#Names", "", "#Bytes", "#In sync"]);
    for range in &report.sizes {
        let label = match (range.from_bytes, range.below_bytes) {
            (0, _) => "empty".to_owned(),
            (from, None) => format!("{} and more", size(from)),
            (from, Some(below)) => format!("{} to {}", size(from), size(below)),
        };
        let width = range.all.names as f64 / most as f64 * 100.0;
        html.raw("<tr>").element("th", "nowrap", &label).number(&number(range.all.names));
        html.raw(&format!(
            "<td class=\"bar\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <rect class=\"fill\" width=\"{width:.2}\" height=\"10\"/></svg></td>"
        ));
        html.number(&size(range.all.bytes)).number(&number(range.synced.names)).raw("</tr>\n");
    }
    html.end_table().raw("</section>\n");
}

/// The manifest, and the end of the audit chain.
pub(super) fn evidence(html: &mut Html, report: &Report) {
    html.raw("<section class=\"keep\">\n").heading("Manifest and audit log");
    html.raw("<dl class=\"facts\">\n");
    match &report.manifest {
        None => {
            html.element("dt", "", "Manifest").element("dd", "", "none given (--manifest)");
        }
        Some(manifest) => {
            html.element("dt", "", "Manifest").raw("<dd>").path(&manifest.path.raw);
            html.text(&format!(", {}", exact_size(manifest.bytes.into()))).raw("</dd>\n");
            html.element("dt", "", "Its SHA-256").raw("<dd><code>").text(&manifest.sha256).raw("</code></dd>\n");
            match &manifest.signature {
                None => html.element("dt", "", "Signature").element("dd", "", "none"),
                Some(signature) => {
                    let (class, check) = match signature.check {
                        SignatureCheck::Valid => ("good", "valid: checked with the public key that was given"),
                        SignatureCheck::Invalid => {
                            ("bad", "NOT VALID for this manifest and the public key that was given")
                        }
                        SignatureCheck::NotChecked => ("", "not checked: no public key was given (--public-key)"),
                    };
                    html.element("dt", "", "Signature").element("dd", class, check).raw("\n");
                    html.element("dt", "", "Key").raw("<dd><code>").text(&signature.key_id).raw("</code></dd>\n");
                    html.element("dt", "", "Its comment").element("dd", "", &signature.trusted_comment)
                }
            };
        }
    }
    html.raw("\n").element("dt", "", "End of the audit chain").raw("<dd>");
    match &report.audit_chain_end {
        Some(hash) => html.raw("<code>").text(hash).raw("</code>"),
        None => html.text("the lines of the log are not linked (--audit-chain)"),
    };
    html.raw("</dd>\n").element("dt", "", "Database").raw("<dd>").path(&report.scope.database.raw);
    html.text(&format!(", schema {}", report.scope.schema)).raw("</dd>\n</dl>\n</section>\n");
}

/// All runs, and their options.
pub(super) fn runs(html: &mut Html, report: &Report) {
    html.raw("<section class=\"page\">\n").heading("Runs");
    html.table("", &["#", "Started", "Ended", "How", "#Sent", "#Bytes", "#Failed", "#Deleted", "Version"]);
    for run in &report.runs {
        html.raw("<tr>").number(&run.number.to_string()).element("td", "nowrap", &optional_time(run.started));
        html.element("td", "nowrap", &optional_time(run.ended)).raw("<td>").text(&ended(run)).raw("</td>");
        let counted = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), number);
        html.number(&counted(run.sent.map(|sent| sent.names)));
        html.number(&run.sent.map_or_else(|| "–".to_owned(), |sent| size(sent.bytes)));
        html.number(&counted(run.failed.map(|failed| failed.names)));
        html.number(&counted(run.deleted_files.zip(run.deleted_directories).map(|(files, dirs)| files + dirs)));
        html.cell(run.version.as_deref().unwrap_or("–")).raw("</tr>\n");
    }
    html.end_table();
    html.element("h3", "", "Options").raw("\n");
    let mut before: Option<&Value> = None;
    for run in report.runs.iter().filter(|run| run.options.is_some()) {
        if run.options.as_ref() != before {
            options(html, run, before);
            before = run.options.as_ref();
        }
    }
    if before.is_none() {
        html.paragraph("No run recorded its options: they are in the audit log.");
    }
    html.raw("</section>\n");
}

/// How a run ended.
fn ended(run: &Run) -> String {
    let how = match run.outcome {
        Some(how) => how,
        None if run.is_running => "running",
        None => "killed",
    };
    let why = run.stopped_by.as_deref().or(run.error.as_deref());
    why.map_or_else(|| how.to_owned(), |why| format!("{how}: {why}"))
}

/// The options of a run; of a later one, those that changed.
fn options(html: &mut Html, run: &Run, before: Option<&Value>) {
    let Some(Value::Object(options)) = &run.options else { return };
    let title = match before {
        None => format!("From run {}", run.number),
        Some(_) => format!("Changed in run {}", run.number),
    };
    html.element("h4", "", &title).raw("\n<dl class=\"options\">\n");
    for (name, value) in options.iter().filter(|(name, value)| before.is_none_or(|before| before[*name] != **value)) {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Null => "none".to_owned(),
            Value::Array(lines) if lines.is_empty() => "none".to_owned(),
            Value::Array(lines) => lines
                .iter()
                .map(|line| line.as_str().map_or_else(|| line.to_string(), str::to_owned))
                .collect::<Vec<_>>()
                .join(" · "),
            value => value.to_string(),
        };
        html.element("dt", "", name).element("dd", "", &value).raw("\n");
    }
    html.raw("</dl>\n");
}

/// How an auditor checks the report.
pub(super) fn reading(html: &mut Html, report: &Report) {
    html.raw("<section class=\"keep\">\n").heading("How to check this report");
    html.raw("<ul class=\"notes\">\n");
    for text in [
        "Each figure is from the database of the migration, read in one transaction; deletions are listed from the audit logs.",
        "`towpath report --json` writes the same figures for programs.",
        "`towpath manifest` writes the checksums of all files; `sha256sum --check` compares them with the destination.",
        "`towpath audit check` finds any line of the audit log that was changed, removed or moved.",
    ] {
        html.raw("<li>").prose(text).raw("</li>\n");
    }
    html.raw("</ul>\n<p class=\"made\">");
    html.text(&format!("Times are those of the zone that they name. Towpath {}.", report.towpath))
        .raw("</p>\n</section>\n");
}
