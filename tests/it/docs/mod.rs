//! The documents agree with the program and with the repository: links, paths, options, examples and their output.

mod console;
mod links;
mod messages;
mod options;
mod sql;

use std::fs;
use std::path::{Path, PathBuf};

/// A document, with its path in the repository.
struct Page {
    path: PathBuf,
    text: String,
}

/// A fenced block: its info string and the lines between the fences.
struct Fence<'a> {
    info: &'a str,
    body: &'a str,
    /// The number of its first line.
    line: usize,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(path: impl Into<PathBuf>) -> Page {
    let path = path.into();
    let text = fs::read_to_string(repository().join(&path)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    Page { path, text }
}

/// The pages of the book, without its table of contents.
fn book() -> Vec<Page> {
    let mut names: Vec<_> =
        fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|name| name.extension().is_some_and(|extension| extension == "md") && !name.ends_with("SUMMARY.md"));
    names.sort();
    names.into_iter().map(|name| page(name.strip_prefix(repository()).unwrap())).collect()
}

/// All documents for readers.
fn documents() -> Vec<Page> {
    let top = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/SUMMARY.md"];
    top.into_iter().map(page).chain(book()).collect()
}

impl Page {
    fn fences(&self) -> Vec<Fence<'_>> {
        let mut fences = Vec::new();
        let mut opened: Option<(&str, usize, usize)> = None;
        let mut offset = 0;
        for (number, line) in self.text.split_inclusive('\n').enumerate() {
            let start = offset;
            offset += line.len();
            let Some(info) = line.trim_start().strip_prefix("```") else { continue };
            opened = match opened {
                None => Some((info.trim(), offset, number + 2)),
                Some((info, from, line)) => {
                    fences.push(Fence { info, body: &self.text[from..start], line });
                    None
                }
            };
        }
        assert!(opened.is_none(), "{:?}: a fence is not closed", self.path);
        fences
    }

    /// The lines outside fenced blocks, with their numbers.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut is_fenced = false;
        self.text.lines().enumerate().filter_map(move |(number, line)| {
            let is_fence = line.trim_start().starts_with("```");
            is_fenced ^= is_fence;
            (!is_fence && !is_fenced).then_some((number + 1, line))
        })
    }

    /// The code spans of the prose, with their line numbers.
    fn code_spans(&self) -> impl Iterator<Item = (usize, &str)> {
        self.prose().flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(move |span| (number, span)))
    }
}

/// The table of the codes of failures in docs/errors.md is made from the list in the library.
#[test]
fn each_code_of_a_failure_has_its_row() {
    const HEAD: &str = "| code | meaning | what to do | then |\n| --- | --- | --- | --- |\n";
    let page = page("docs/errors.md");
    let (before, rest) = page.text.split_once(HEAD).unwrap();
    let after: String = rest.split_inclusive('\n').skip_while(|line| line.starts_with('|')).collect();
    let row = |code: &towpath::FailureCode| {
        let then = match code.remedy() {
            towpath::Remedy::Scan => "scan",
            towpath::Remedy::Accept => "accept",
            _ => "retry",
        };
        format!("| `{}` | {} | {} | {then} |\n", code.name(), code.meaning(), code.advice())
    };
    let rows: String = towpath::FailureCode::ALL.iter().map(row).collect();
    let expected = format!("{before}{HEAD}{rows}{after}");
    if std::env::var_os("DOCS").is_some_and(|value| value == "update") {
        fs::write(repository().join(&page.path), expected).unwrap();
    } else {
        assert!(page.text == expected, "the table of docs/errors.md is stale: run DOCS=update cargo test docs");
    }
}
