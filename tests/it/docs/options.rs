//! The documents describe exactly the options that the program has.

use std::collections::BTreeSet;
use std::process::Command;

use regex::Regex;

use super::{documents, page};

fn printed(arguments: &[&str]) -> String {
    let ended = Command::new(env!("CARGO_BIN_EXE_towpath")).args(arguments).output().unwrap();
    assert!(ended.status.success(), "towpath {arguments:?}");
    String::from_utf8(ended.stdout).unwrap()
}

/// The options of a command, without `--help`.
fn options(command: &str) -> BTreeSet<String> {
    let line = Regex::new(r"(?m)^ +(?:-[a-z], )?(--[a-z-]+)").unwrap();
    let help = printed(&[command, "--help"]);
    line.captures_iter(&help).map(|found| found[1].to_owned()).filter(|option| option != "--help").collect()
}

fn commands() -> Vec<String> {
    let line = Regex::new(r"(?m)^  ([a-z]+) ").unwrap();
    let help = printed(&["--help"]);
    let commands = line.captures_iter(&help).map(|found| found[1].to_owned()).filter(|command| command != "help");
    commands.collect()
}

#[test]
fn each_option_has_its_section() {
    let page = page("docs/options.md");
    let headings: Vec<_> = page.prose().map(|(_, line)| line).filter(|line| line.starts_with("### ")).collect();
    for option in options("sync") {
        let count = headings.iter().filter(|heading| heading.split(['`', ' ', '=']).any(|word| word == option)).count();
        assert_eq!(count, 1, "headings of {option} in docs/options.md");
    }
}

#[test]
fn each_named_option_exists() {
    let option = Regex::new(r"(?:^|[ =(])(--[a-z][a-z-]+)").unwrap();
    let mut existing: BTreeSet<_> = commands().iter().flat_map(|command| options(command)).collect();
    // The hidden ones, for packages.
    existing.extend(options("man"));
    existing
        .extend(["--help", "--version", "--after-current", "--for", "--hash", "--reset", "--until"].map(str::to_owned));
    let mut wrong = Vec::new();
    for page in documents() {
        let spans = page.code_spans().filter(|(_, span)| span.starts_with("--") || span.starts_with("towpath"));
        let fences = page.fences();
        let commands = fences
            .iter()
            .flat_map(|fence| (fence.line..).zip(fence.body.lines()))
            .filter_map(|(number, line)| line.split_once("towpath sync ").map(|(_, rest)| (number, rest)));
        for (number, text) in spans.chain(commands) {
            let named = option.captures_iter(text).map(|found| found[1].to_owned());
            wrong.extend(
                named
                    .filter(|name| !existing.contains(name))
                    .map(|name| format!("{}:{number}: {name}", page.path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "options that do not exist:\n{}", wrong.join("\n"));
}

/// The options and environment variables of the storages in this build.
#[test]
fn each_option_of_a_storage_is_on_its_page() {
    let page = page("docs/storages.md");
    let spans: BTreeSet<_> = page.code_spans().map(|(_, span)| span).collect();
    let row = Regex::new(r"(?m)^ {9}([a-z_]+) {2,}").unwrap();
    let variable = Regex::new(r"[A-Z0-9]+(?:_[A-Z0-9]+)+").unwrap();
    let listed = printed(&["backends"]);
    let names = row.captures_iter(&listed).map(|found| found[1].to_owned());
    let variables = variable.find_iter(&listed).map(|found| found.as_str().to_owned());
    for name in names.chain(variables) {
        assert!(spans.contains(name.as_str()), "`{name}` is missing in docs/storages.md");
    }
}
