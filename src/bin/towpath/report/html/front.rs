//! Page one: what a manager reads and signs.

use std::time::Duration;

use super::markup::Html;
use super::totals;
use super::words::{imbalance, optional_time, percent, plural, state, time};
use crate::format::{duration, number, size};
use crate::report::model::{ByKind, Report};

/// The amounts of a class.
pub(super) fn class(report: &Report, name: &str) -> ByKind {
    let classes = report.totals.iter().flat_map(|totals| &totals.classes);
    classes.filter(|class| class.class == name).map(|class| class.amount).next().unwrap_or_default()
}

pub(super) fn page_one(html: &mut Html, report: &Report) {
    html.raw("<header>\n").element("h1", "", "Migration report").raw("\n<p class=\"made\">");
    html.text(&format!("Made by Towpath {} on {}", report.towpath, time(report.generated)));
    if let Some(host) = &report.host {
        html.text(&format!(", on {host}"));
    }
    html.raw("</p>\n</header>\n<section class=\"front\">\n");
    verdict(html, report);
    trees(html, report);
    figures(html, report);
    if let Some(found) = &report.totals {
        totals::summary(html, found);
    }
    signatures(html);
    html.raw("</section>\n");
}

fn verdict(html: &mut Html, report: &Report) {
    let (class, title) = state(report);
    html.raw("<div class=\"verdict ").raw(class).raw("\">\n").element("strong", "", title);
    html.element("p", "", &sentence(report)).raw("\n</div>\n");
    let (class, title, text) = match &report.totals {
        Some(totals) if report.balanced => {
            let names = totals.source.map_or(0, |source| source.all.names);
            let names = u64::try_from(names).unwrap_or(0);
            let text = format!(
                "{} the source listed at the scan of {} {} in exactly one class. Difference: 0 names, 0 bytes.",
                plural(names, "name that", "names that"),
                optional_time(totals.scanned_at),
                if names == 1 { "is" } else { "are" }
            );
            ("good", "The totals reconcile to zero", text)
        }
        _ => ("bad", "The totals do not reconcile", capital(&imbalance(report))),
    };
    html.raw("<div class=\"verdict ").raw(class).raw("\">\n").element("strong", "", title);
    html.element("p", "", &text).raw("\n</div>\n");
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect::<String>() + ".")
}

/// What the state means.
fn sentence(report: &Report) -> String {
    if report.totals.is_none() {
        return "What the source has is not known completely.".to_owned();
    }
    let of = |name| class(report, name).all.names;
    let (pending, failed, accepted) = (of("pending"), of("failed"), of("accepted"));
    let mut parts = Vec::new();
    if pending > 0 {
        parts.push(format!("{} still to be sent", plural(pending, "name is", "names are")));
    }
    if failed > 0 {
        parts.push(format!("{} failed", plural(failed, "name has", "names have")));
    }
    if accepted > 0 {
        parts.push(format!("{} accepted as exceptions", plural(accepted, "name is", "names are")));
    }
    let bad = report.verification.coverage.iter().filter(|found| found.is_bad).map(|found| found.amount.names).sum();
    if bad > 0 {
        let copies = plural(bad, "copy that was verified is", "copies that were verified are");
        parts.push(format!("{copies} different, missing or unreadable at the destination"));
    }
    let unknown = report.unreadable.open;
    if unknown > 0 {
        parts.push(format!("the content of {} is unknown", plural(unknown, "directory", "directories")));
    }
    if !parts.is_empty() {
        return capital(&parts.join("; "));
    }
    let (excluded, skipped) = (of("excluded"), of("skipped"));
    let rest = match excluded + skipped {
        0 => String::new(),
        _ => format!(" {} were excluded, and {} skipped.", plural(excluded, "name", "names"), number(skipped)),
    };
    format!("Each name of the source that is to be copied is in sync at the destination.{rest}")
}

fn trees(html: &mut Html, report: &Report) {
    let scope = &report.scope;
    html.raw("<dl class=\"facts\">\n");
    for (term, path) in [("Source", &scope.source), ("Destination", &scope.dest)] {
        html.element("dt", "", term).raw("<dd>").path(&path.raw).raw("</dd>\n");
    }
    let runs = plural(report.runs.len() as u64, "run", "runs");
    let active = duration(Duration::from_secs(report.throughput.active_s));
    let period = format!(
        "{} to {}; {runs}, {active} of sending",
        optional_time(scope.first_run),
        scope.last_run_ended.map_or_else(|| "now".to_owned(), time)
    );
    html.element("dt", "", "Period").element("dd", "", &period).raw("\n</dl>\n");
}

fn figures(html: &mut Html, report: &Report) {
    let synced = class(report, "synced").all;
    let of = |name| u128::from(class(report, name).all.names);
    let to_copy = of("synced") + of("failed") + of("accepted") + of("pending");
    let exceptions = class(report, "failed").all.names + class(report, "accepted").all.names;
    let proved = report.with_checksum;
    let deleted = report.deletions.files + report.deletions.directories;
    html.raw("<ul class=\"figures\">\n");
    let mut figure = |value: &str, label: &str, class: &str| {
        html.open("li", class).element("b", "", value).element("span", "", label).raw("</li>\n");
    };
    figure(&percent(synced.names.into(), to_copy), "of the names to be copied are in sync", "");
    figure(&size(synced.bytes), "in sync", "");
    figure(
        &percent(proved.bytes, class(report, "synced").files.bytes),
        "of the files' bytes have a checksum of what was sent",
        "",
    );
    let coverage = &report.verification.coverage;
    let checked = coverage.iter().filter(|one| one.class != "not-verified").map(|one| one.amount.bytes).sum();
    let all = coverage.iter().map(|one| one.amount.bytes).sum();
    let has_bad = coverage.iter().any(|one| one.is_bad && one.amount.names > 0);
    figure(&percent(checked, all), "of that verified at the destination", if has_bad { "bad" } else { "" });
    figure(&number(exceptions), "failed or accepted", if exceptions > 0 { "bad" } else { "" });
    figure(&number(deleted), "deleted from the destination", "");
    html.raw("</ul>\n");
}

fn signatures(html: &mut Html) {
    html.raw("<div class=\"signatures\">\n");
    for role in ["Migrated by", "Verified by", "Accepted by"] {
        html.raw("<div>").element("span", "", role);
        for line in ["Name", "Date", "Signature"] {
            html.raw("<div class=\"line\">").element("small", "", line).raw("</div>");
        }
        html.raw("</div>\n");
    }
    html.raw("</div>\n");
}
