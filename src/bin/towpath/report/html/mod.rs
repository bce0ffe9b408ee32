//! The report as one HTML file: no script, nothing from elsewhere, rules for printing.

mod chart;
mod front;
mod lists;
mod markup;
mod sections;
mod totals;
mod words;

use super::model::Report;
use markup::Html;

const STYLE: &str = include_str!("style.css");
/// A browser loads nothing and runs nothing, whatever a name contains.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

pub(crate) use words::imbalance;

/// The report as a page.
pub(crate) fn page(report: &Report) -> String {
    let mut html = Html::new();
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n"));
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
    html.element("title", "", "Migration report");
    html.raw("<style>").raw(STYLE).raw("</style>\n</head>\n<body>\n<main>\n");
    front::page_one(&mut html, report);
    totals::section(&mut html, report);
    lists::exceptions(&mut html, report);
    sections::verification(&mut html, report);
    sections::throughput(&mut html, report);
    sections::sizes(&mut html, report);
    lists::slowest(&mut html, report);
    lists::deletions(&mut html, report);
    sections::evidence(&mut html, report);
    sections::runs(&mut html, report);
    sections::reading(&mut html, report);
    html.raw("</main>\n</body>\n</html>\n");
    html.done()
}
