//! Lists of names: exceptions, slow files, deletions.

use super::markup::Html;
use super::totals::reason_words;
use super::words::{optional_time, plural};
use crate::format::{number, size};
use crate::report::model::{Exceptions, Report};

/// What failed, what was skipped, and what is unknown.
pub(super) fn exceptions(html: &mut Html, report: &Report) {
    html.raw("<section>\n").heading("Exceptions");
    let lists = [
        ("Failed", "Names of the source that are not in sync, as their last attempt failed.", &report.failed),
        (
            "Accepted",
            "Names of the source that are not in sync, and that somebody accepted as they are.",
            &report.accepted,
        ),
        (
            "Unknown content",
            "Directories that could not be read, so that what is below them is not known.",
            &report.unreadable,
        ),
        (
            "Skipped",
            "Names of the source that are not copied, apart from those that a filter excludes, and this migration's files.",
            &report.skipped,
        ),
    ];
    for (title, text, list) in lists {
        html.element("h3", "", &format!("{title}: {}", number(list.count))).raw("\n");
        if list.count > 0 {
            html.paragraph(text);
            table(html, list);
            rest(html, list.count, list.listed.len(), title == "Failed");
        }
    }
    acceptances(html, report);
    html.raw("</section>\n");
}

fn acceptances(html: &mut Html, report: &Report) {
    if report.acceptances.is_empty() {
        return;
    }
    html.element("h3", "", "Who accepted what").raw("\n");
    html.paragraph("An acceptance of a directory covers what is below it. Those that ended are listed, too.");
    html.table("", &["Path", "Reason", "By", "On", "Was", "Ended"]);
    for one in &report.acceptances {
        html.raw("<tr><td>").path(if one.path.raw.is_empty() { b"/" } else { &one.path.raw }).raw("</td>");
        html.cell(&one.reason).cell(&one.user).element("td", "nowrap", &optional_time(one.time));
        html.cell(one.code.as_deref().unwrap_or("")).raw("<td>");
        if let Some(end) = one.end {
            html.text(&format!("{end}, {}", optional_time(one.ended)));
        }
        html.raw("</td></tr>\n");
    }
    html.end_table();
}

fn table(html: &mut Html, list: &Exceptions) {
    html.table("", &["Path", "Kind", "#Size", "Side", "Code", "Why"]);
    for one in &list.listed {
        html.raw("<tr><td>").path(&one.path.raw).raw("</td>").cell(one.kind.unwrap_or(""));
        html.number(&one.bytes.map_or_else(String::new, size)).cell(one.side.unwrap_or(""));
        html.cell(&one.reason).raw("<td>");
        match &one.error {
            Some(error) => html.text(error),
            None => html.text(reason_words(&one.reason)),
        };
        if let Some(accepted) = &one.accepted {
            html.raw(" <b>").text(&format!("Accepted: {accepted}")).raw("</b>");
        }
        html.raw("</td></tr>\n");
    }
    html.end_table();
}

/// Says how many are not listed, and how to list them.
fn rest(html: &mut Html, count: u64, listed: usize, are_errors: bool) {
    let more = count.saturating_sub(listed as u64);
    if more > 0 {
        html.raw("<p class=\"more\">").text(&format!("And {} that are not listed here. ", number(more)));
        let command = format!("towpath report --max-listed {count}");
        let command = if are_errors { "towpath errors --list" } else { &command };
        html.raw("They are in the output of <code>").text(command).raw("</code>.</p>\n");
    }
}

pub(super) fn slowest(html: &mut Html, report: &Report) {
    html.raw("<section>\n").heading("Slowest files");
    if report.slowest.is_empty() {
        html.paragraph("No file took a second or more, or no run recorded it.");
    } else {
        html.table("", &["Path", "#Size", "#Time", "#Rate", "#Run"]);
        for file in &report.slowest {
            let rate = if file.seconds > 0.0 { (file.bytes as f64 / file.seconds) as u64 } else { 0 };
            html.raw("<tr><td>").path(&file.path.raw).raw("</td>").number(&size(file.bytes));
            html.number(&crate::format::duration(std::time::Duration::from_secs_f64(file.seconds)));
            html.number(&crate::format::rate(rate)).number(&file.run.to_string()).raw("</tr>\n");
        }
        html.end_table();
    }
    html.raw("</section>\n");
}

pub(super) fn deletions(html: &mut Html, report: &Report) {
    let deletions = &report.deletions;
    html.raw("<section>\n").heading("Deletions at the destination");
    if deletions.files + deletions.directories == 0 {
        html.paragraph("Nothing was deleted.").raw("</section>\n");
        return;
    }
    html.paragraph(&format!(
        "All runs deleted {} and {}. The audit logs have {} about them.",
        plural(deletions.files, "file", "files"),
        plural(deletions.directories, "directory", "directories"),
        plural(deletions.logged, "line", "lines"),
    ));
    for log in &deletions.logs {
        if let Some(problem) = &log.problem {
            html.raw("<p class=\"alarm\">")
                .text("An audit log could not be read, so that its deletions are not listed: ");
            html.path(&log.path.raw).text(&format!(" ({problem})")).raw("</p>\n");
        }
    }
    if !deletions.listed.is_empty() {
        html.table("", &["Time", "Path", "#Size"]);
        for one in &deletions.listed {
            html.raw("<tr>").element("td", "nowrap", &one.time).raw("<td>").path(&one.path.raw).raw("</td>");
            html.number(&one.bytes.map_or_else(|| "directory".to_owned(), size)).raw("</tr>\n");
        }
        html.end_table();
        rest(html, deletions.logged, deletions.listed.len(), false);
    }
    html.raw("</section>\n");
}
