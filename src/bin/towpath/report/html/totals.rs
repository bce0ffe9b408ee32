//! The reconciliation: what the listings had, less what became of it.

use super::markup::Html;
use super::words::{amount, exact_size, imbalance, optional_time, plural, signed};
use crate::format::{number, size};
use crate::report::model::{Amount, ByKind, Differences, Report, Totals};

const HEAD: [&str; 7] = ["", "#Names", "#Files", "#Directories", "#Links", "#Other", "#Bytes"];

/// What each class means.
pub(super) fn meaning(class: &str) -> &'static str {
    match class {
        "synced" => "at the destination, complete and durable",
        "excluded" => "left out by a filter or an option",
        "skipped" => "not copied, not part of the tree, or gone",
        "failed" => "its last attempt failed, or it could not be read",
        "accepted" => "failed, and accepted as an exception",
        _ => "still to be sent",
    }
}

/// The sum on page one.
pub(super) fn summary(html: &mut Html, totals: &Totals) {
    html.table("sum", &HEAD);
    classes(html, totals, "Source");
    html.end_table();
}

/// The rows from the source to the difference.
fn classes(html: &mut Html, totals: &Totals, source_label: &str) {
    if let Some(source) = &totals.source {
        signed_row(html, "sum", source_label, source, false);
    }
    for class in &totals.classes {
        row(html, &format!("− {}", class.class), meaning(class.class), &class.amount);
    }
    if let Some(difference) = &totals.difference {
        let is_zero = *difference == Differences::default();
        signed_row(html, if is_zero { "result good" } else { "result bad" }, "= Difference", difference, true);
    }
}

fn row(html: &mut Html, label: &str, note: &str, amount: &ByKind) {
    html.raw("<tr><th scope=\"row\">").text(label);
    if !note.is_empty() {
        html.raw(" ").element("small", "", note);
    }
    html.raw("</th>");
    for part in [amount.all, amount.files, amount.directories, amount.links, amount.other] {
        html.number(&number(part.names));
    }
    html.number(&bytes(amount.all.bytes)).raw("</tr>\n");
}

fn bytes(bytes: u128) -> String {
    u64::try_from(bytes).map_or_else(|_| bytes.to_string(), number)
}

fn signed_row(html: &mut Html, class: &str, label: &str, amount: &Differences, with_sign: bool) {
    let shown = |value: i128| match with_sign {
        true => signed(value),
        false => signed(value).trim_start_matches('+').to_owned(),
    };
    html.open("tr", class).raw("<th scope=\"row\">").text(label).raw("</th>");
    for part in [amount.all, amount.files, amount.directories, amount.links, amount.other] {
        html.number(&shown(part.names));
    }
    html.number(&shown(amount.all.bytes)).raw("</tr>\n");
}

/// The section with all its steps.
pub(super) fn section(html: &mut Html, report: &Report) {
    html.raw("<section class=\"page\">\n").heading("Reconciliation");
    if !report.balanced {
        html.element("p", "alarm", &imbalance(report)).raw("\n");
    }
    if let Some(totals) = &report.totals {
        steps(html, totals);
        reasons(html, totals);
        notes(html, totals);
    }
    html.raw("</section>\n");
}

fn steps(html: &mut Html, totals: &Totals) {
    html.paragraph(&format!(
        "The scan of {} counted each name that a listing of the source had, before anything was decided about it. \
         Everything below that line is counted from the rows of the database. So an error in either of them leaves a \
         difference.",
        optional_time(totals.scanned_at)
    ));
    html.table("sum", &HEAD);
    if let Some(listed) = &totals.listed {
        row(html, "Names in the listings", "", listed);
    }
    let is_any = |amount: &ByKind| amount.all != Amount::default();
    if is_any(&totals.listed_twice) {
        row(html, "− listed twice", "a directory changed while it was listed", &totals.listed_twice);
    }
    if is_any(&totals.resolved) {
        row(html, "− followed links", "and names whose listing had no kind", &totals.resolved);
        row(html, "+ what they lead to", "", &totals.resolved_to);
    }
    classes(html, totals, "= Source");
    html.end_table();
}

fn reasons(html: &mut Html, totals: &Totals) {
    if totals.reasons.is_empty() {
        return;
    }
    html.element("h3", "", "Why names are not in sync").raw("\n");
    html.table("", &["Class", "Reason", "#Names", "#Bytes", "Example"]);
    for reason in &totals.reasons {
        html.raw("<tr>").cell(reason.class).raw("<td>").text(reason_words(&reason.reason));
        if let Some(rule) = &reason.rule {
            html.raw(" ").raw("<code>").text(rule).raw("</code>");
        }
        html.raw("</td>").number(&number(reason.amount.all.names)).number(&size(reason.amount.all.bytes)).raw("<td>");
        if let Some(example) = &reason.example {
            html.path(&example.raw);
        }
        html.raw("</td></tr>\n");
    }
    html.end_table();
}

fn notes(html: &mut Html, totals: &Totals) {
    html.raw("<ul class=\"notes\">\n");
    html.element(
        "li",
        "",
        "Directories count without a size. An excluded directory counts as one name: what is below it \
         is not listed.",
    );
    if totals.resized_from.names > 0 {
        let (from, to) = (exact_size(totals.resized_from.bytes), exact_size(totals.resized_to.bytes));
        let files = plural(totals.resized_from.names, "file", "files");
        let text =
            format!("{files} changed after the scan: {from} then, {to} when last tried. The sum has the former.");
        html.element("li", "", &text);
    }
    if totals.below_unreadable.names > 0 {
        let text = format!(
            "{} of earlier scans below directories that could not be read: it is not known whether the source still has \
             them, and they are in no class.",
            amount(totals.below_unreadable)
        );
        html.element("li", "", &text);
    }
    if totals.not_entered > 0 {
        let dirs = plural(totals.not_entered, "directory", "directories");
        let text =
            format!("{dirs} of other file systems not entered, as --one-file-system asks: their content is no part.");
        html.element("li", "", &text);
    }
    html.raw("\n</ul>\n");
}

/// A reason in words.
pub(super) fn reason_words(code: &str) -> &str {
    match code {
        "excluded" => "excluded by a rule",
        "too-large" => "larger than the maximum size",
        "too-small" => "smaller than the minimum size",
        "too-old" => "too old",
        "links-skipped" => "symbolic link, skipped by an option",
        "special-file" => "FIFO, socket or device",
        "partial-file" => "partial file of a migration",
        "own-file" => "file of this migration",
        "reserved-directory" => "reserved by the file system",
        "link-not-read" => "link that the source does not show",
        "link-not-supported" => "link that the destination cannot hold",
        "link-outside" => "link that leads outside of the source",
        "link-dangling" => "link to nothing",
        "link-loop" => "link that leads to itself",
        "link-holds-itself" => "link to a directory that it is in",
        "gone-during-scan" => "gone while it was listed",
        "vanished" => "gone after the scan",
        "unreadable" => "could not be read",
        "unreadable-directory" => "directory that could not be read: its content is unknown",
        "lost-mount" => "file system that is no longer mounted: its content is unknown",
        "name-not-possible" => "name that the destination cannot hold",
        "name-collision" => "name that the destination does not distinguish",
        "not-created" => "directory that could not be created",
        "attributes-not-applied" => "directory whose attributes could not be set",
        "failed" => "failed",
        "pending" => "to be sent",
        "unknown" => "not recorded",
        code => code,
    }
}
