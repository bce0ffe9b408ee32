//! The targets of links, anchors and paths exist, and every page is in the table of contents.

use std::collections::HashSet;
use std::path::Path;

use regex::Regex;

use super::{Page, book, documents, page, repository};

#[test]
fn every_page_is_in_the_summary_once() {
    let summary = page("docs/SUMMARY.md");
    for page in book() {
        let name = page.path.file_name().unwrap().to_str().unwrap();
        assert_eq!(summary.text.matches(&format!("({name})")).count(), 1, "{name} in docs/SUMMARY.md");
    }
}

#[test]
fn every_link_has_an_existing_target() {
    let link = Regex::new(r"\]\(([^) ]+)\)").unwrap();
    let mut wrong = Vec::new();
    for page in documents() {
        for (number, line) in page.prose() {
            for found in link.captures_iter(line) {
                let target = &found[1];
                if !target.contains("://") && !has_target(&page, target) {
                    wrong.push(format!("{}:{number}: {target}", page.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "links without a target:\n{}", wrong.join("\n"));
}

/// Pages of the book may link only to pages of the book: the rest of the repository is not part of it.
fn has_target(page: &Page, target: &str) -> bool {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = page.path.parent().unwrap();
    let file = if file.is_empty() { page.path.clone() } else { folder.join(file) };
    let is_inside = folder != Path::new("docs") || !target.starts_with("..");
    let is_there = repository().join(&file).exists();
    is_inside && is_there && (anchor.is_empty() || anchors(&super::page(file)).contains(anchor))
}

/// The anchors of a page's headings, as GitHub and mdBook generate them.
fn anchors(page: &Page) -> HashSet<String> {
    let headings = page
        .prose()
        .filter_map(|(_, line)| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    let mut anchors = HashSet::new();
    for heading in headings {
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
        let again = (1..).map(|n| format!("{anchor}-{n}"));
        let anchor = std::iter::once(anchor.clone()).chain(again).find(|name| !anchors.contains(name)).unwrap();
        anchors.insert(anchor);
    }
    anchors
}

#[test]
fn every_named_path_of_the_repository_exists() {
    let path =
        Regex::new(r"^(?:\./)?(?:src|backends|tests|benches|examples|docs|\.ci|\.config)/[A-Za-z0-9_./-]*$").unwrap();
    let mut wrong = Vec::new();
    // These name paths of the past and of a reader's crate.
    let others = ["CHANGELOG.md", "docs/writing-a-backend.md"].map(Path::new);
    for page in documents().iter().filter(|page| !others.contains(&page.path.as_path())) {
        for (number, span) in page.code_spans() {
            if path.is_match(span) && !repository().join(span).exists() {
                wrong.push(format!("{}:{number}: {span}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "paths that do not exist:\n{}", wrong.join("\n"));
}

#[test]
fn every_name_of_the_code_in_the_glossary_exists() {
    let mut text = String::new();
    super::messages::source_text(&repository().join("src"), &mut text);
    let glossary = page("docs/glossary.md");
    let in_the_code = glossary.prose().skip_while(|(_, line)| *line != "## In the code");
    for (number, line) in in_the_code {
        if let Some(name) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            let is_there = text.split(|c: char| !c.is_alphanumeric()).any(|word| word == name);
            assert!(is_there, "docs/glossary.md:{number}: {name}");
        }
    }
}
