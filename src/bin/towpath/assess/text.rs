//! An assessment as text.

use std::fmt::Write as _;

use super::findings;
use super::histogram::{Amount, Histogram};
use super::kept::Ranking;
use super::report::Assessment;
use crate::finding;
use crate::format::width::columns;
use crate::format::{duration, escape, local_time, number, size};
use towpath::Estimator;

/// Columns of a bar.
const BAR: usize = 20;

impl Assessment {
    /// The whole assessment.
    pub(crate) fn text(&self) -> String {
        let sections = [
            self.head(),
            self.contents(),
            histogram("SIZE", &self.survey.sizes),
            histogram("AGE (mtime)", &self.survey.ages),
            ranking("LARGEST FILES", &self.survey.largest, |bytes| size(*bytes), self),
            ranking("WIDEST DIRECTORIES", &self.survey.widest, |entries| number(*entries), self),
            ranking("DEEPEST DIRECTORIES", &self.survey.deepest, |depth| number(*depth as u64), self),
            self.looked_at(),
            self.estimate(),
            self.verdict(),
        ];
        let sections: Vec<_> = sections.into_iter().filter(|section| !section.is_empty()).collect();
        sections.join("\n").trim_end().to_owned()
    }

    fn head(&self) -> String {
        let mut text = format!("source       {}\n", escape(&self.place.source));
        if let Some(dest) = &self.place.dest {
            let _ = writeln!(text, "destination  {}", escape(dest));
        }
        let entries = self.survey.files.files + self.survey.dirs + self.survey.links;
        let rate = entries as f64 / self.scan.as_secs_f64().max(0.001);
        let began = local_time(self.began);
        let _ = writeln!(text, "scanned      {began}, in {}, {} entries/s", duration(self.scan), number(rate as u64));
        match &self.place.database {
            Some(database) => {
                let _ = writeln!(text, "database     {}: `towpath sync` begins with this scan", escape(database));
            }
            None => text += "database     none: without DEST nothing is recorded\n",
        }
        text
    }

    fn contents(&self) -> String {
        let survey = &self.survey;
        let rows = [
            ("files", survey.files.files, Some(survey.files.bytes)),
            ("directories", survey.dirs, None),
            ("symbolic links", survey.links, None),
            ("special files", survey.specials.count, None),
        ];
        let mut text = String::new();
        for (name, count, bytes) in rows {
            let _ = writeln!(text, "{}", row(name, count, bytes).trim_end());
        }
        for (reason, amount) in &survey.not_copied {
            if *reason != towpath::NotCopied::Special {
                let name = format!("not copied: {}", reason.code());
                let _ = writeln!(text, "{}", row(&name, amount.files, Some(amount.bytes)).trim_end());
            }
        }
        if let Some(pending) = self.pending {
            let _ = writeln!(text, "{}", row("to be sent", pending.files, Some(pending.bytes)).trim_end());
        }
        text
    }

    /// What was checked besides the listing: only samples were.
    fn looked_at(&self) -> String {
        let (access, xattrs, changes) = (&self.checks.access, &self.checks.xattrs, &self.checks.changes);
        let mut text = format!(
            "CHECKED AFTER THE SCAN\n  extended attributes of {} of {} files and directories: {} with ACLs, {} with \
             others\n",
            number(xattrs.read),
            number(xattrs.from),
            number(xattrs.with_acl.count),
            number(xattrs.with_others.count)
        );
        let _ = writeln!(
            text,
            "  whether {} of {} files with doubtful permissions can be opened: {} cannot",
            number(access.tried),
            number(access.doubtful),
            number(access.denied.count)
        );
        let _ = writeln!(
            text,
            "  {} of {} recently changed files again: {} changed",
            number(changes.again),
            number(self.survey.recent.count),
            number(changes.changed.count)
        );
        match &self.checks.open {
            Some(open) => {
                let (hidden, files) = (number(open.hidden_processes), number(open.for_writing.count));
                let _ = writeln!(
                    text,
                    "  open files of this machine's processes: {files} for writing; {hidden} processes not visible"
                );
            }
            None => text += "  open files: not visible for this source\n",
        }
        text
    }

    fn estimate(&self) -> String {
        let (baseline, day) = (self.baseline(), self.of_a_day());
        let cost_ms = Estimator::FILE_COST.as_millis();
        let mut text = format!("ESTIMATE\n  {:<16}{:<18}{}\n", "limit", "baseline", "a pass a day later");
        for estimate in self.estimates() {
            let (baseline, pass) = (duration(estimate.baseline), duration(estimate.pass));
            let _ = writeln!(text, "  {:<16}{baseline:<18}{pass}", estimate.limit);
        }
        let _ = writeln!(
            text,
            "  baseline: {} files, {}; a pass: this scan and what changed on the last day, {} files, {}.",
            number(baseline.files),
            size(baseline.bytes),
            number(day.files),
            size(day.bytes)
        );
        let _ =
            writeln!(text, "  Each file is taken to cost {cost_ms} ms besides its bytes, until a run has measured it.");
        text
    }

    fn verdict(&self) -> String {
        let findings = findings::of(self);
        format!("FINDINGS\n{}\n", finding::text(&findings))
    }
}

fn row(name: &str, count: u64, bytes: Option<u128>) -> String {
    format!("{name:<28}{:>16}{:>14}", number(count), bytes.map(size).unwrap_or_default())
}

fn histogram<T: PartialOrd + Copy>(title: &str, histogram: &Histogram<T>) -> String {
    let amounts = histogram.used();
    if amounts.is_empty() {
        return String::new();
    }
    let files: u64 = amounts.iter().map(|amount| amount.files).sum();
    let bytes: u128 = amounts.iter().map(|amount| amount.bytes).sum();
    let mut text = format!("{title:<14}{:>14}  {:<BAR$}{:>12}\n", "files", "", "bytes");
    for (name, Amount { files: some, bytes: some_bytes }) in histogram.names().zip(amounts) {
        let of_files = bar(u128::from(*some), files.into());
        let of_bytes = bar(*some_bytes, bytes);
        let line = format!("{name:<14}{:>14}  {of_files:<BAR$}{:>12}  {of_bytes}", number(*some), size(*some_bytes));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// A bar for the share of `part` in `whole`: whatever is not nothing can be seen.
fn bar(part: u128, whole: u128) -> String {
    if part == 0 {
        return String::new();
    }
    let share = part as f64 / whole.max(1) as f64;
    "#".repeat(((share * BAR as f64).round() as usize).clamp(1, BAR))
}

fn ranking<T: Ord>(title: &str, ranking: &Ranking<T>, shown: impl Fn(&T) -> String, assessment: &Assessment) -> String {
    let mut lines = String::new();
    for (value, path) in ranking.iter() {
        let value = shown(value);
        let padding = " ".repeat(14_usize.saturating_sub(columns(&value)));
        let _ = writeln!(lines, "{padding}{value}  {}", escape(&assessment.place.whole_path(path)));
    }
    if lines.is_empty() { lines } else { format!("{title}\n{lines}") }
}
