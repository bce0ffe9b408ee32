//! The man pages: one for each subcommand, with its options and its reference, and without complaints of formatters.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::*;

fn towpath(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The pages, by name, in a directory that did not exist.
fn pages(bench: &Bench) -> Vec<(String, String)> {
    let folder = bench.path("share/man/man1");
    let mut command = towpath(&["man", "--dir", folder.to_str().unwrap()]);
    let ended = end(command.env("SOURCE_DATE_EPOCH", "1767225600").spawn().unwrap()).with_status(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut pages: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect();
    pages.sort();
    pages
}

/// The names of the commands and options that `--help` lists.
fn listed(arguments: &[&str], heading: &str) -> Vec<String> {
    let help = end(towpath(arguments).arg("--help").spawn().unwrap()).with_status(0).stdout;
    let (_, rest) = help.split_once(&format!("{heading}:\n")).unwrap_or_default();
    let lines = rest
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).filter(|name| name != "help").collect()
}

#[test]
fn each_subcommand_has_a_page_with_its_reference() {
    let bench = Bench::new();
    let pages = pages(&bench);
    let commands = listed(&[], "Commands");
    assert!(commands.len() >= 5, "{commands:?}");
    let mut expected = vec!["towpath.1".to_owned()];
    for command in &commands {
        expected.push(format!("towpath-{command}.1"));
        let inner = listed(&[command.as_str()], "Commands");
        expected.extend(inner.iter().map(|inner| format!("towpath-{command}-{inner}.1")));
    }
    expected.sort();
    assert_eq!(pages.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), expected);
    for (name, text) in &pages {
        for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "\"EXIT STATUS\"", "ENVIRONMENT", "\"SEE ALSO\""]
        {
            assert_eq!(text.matches(&format!("\n.SH {heading}\n")).count(), 1, "{heading} in {name}");
        }
        assert!(text.contains("2026\\-01\\-01") || text.contains(" 2026-01-01 "), "the date of {name}");
    }
}

#[test]
fn the_page_of_sync_has_what_its_help_has() {
    let bench = Bench::new();
    let pages = pages(&bench);
    let (_, page) = pages.iter().find(|(name, _)| name == "towpath-sync.1").unwrap();
    let help = end(towpath(&["sync", "--help"]).spawn().unwrap()).with_status(0).stdout;
    let options: Vec<_> = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .filter_map(|line| line.split([' ', ',', '[', '.']).find(|word| word.starts_with("--")))
        .collect();
    assert!(options.len() > 30, "{options:?}");
    for option in options {
        assert!(page.contains(&option.replace('-', "\\-")), "{option}");
    }
    for part in [".TP\n\\fB3\\fR\nfinished, but some files are not in sync\n", "[possible values: copy, skip, follow]"]
    {
        assert!(page.contains(part), "{part}");
    }
    let files = page.split("\n.SH FILES\n").nth(1).unwrap();
    assert!(files.contains("DATABASE.sock") && files.contains("config.toml") && files.contains("XDG_STATE_HOME"));
    if cfg!(feature = "all-backends") {
        assert!(files.contains("AWS_SECRET_ACCESS_KEY") && files.contains("HTTPS_PROXY"));
    }
}

/// Runs a formatter over all pages; returns what it complains about.
fn complaints(program: &str, options: &[&str], bench: &Bench) -> Option<String> {
    let mut all = String::new();
    for (name, _) in pages(bench) {
        let page = bench.path(Path::new("share/man/man1").join(name));
        let mut command = Command::new(program);
        let child = command.args(options).arg(page).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
        let ended = end(child);
        // mandoc reports on standard output, groff on standard error.
        all += &if program == "mandoc" { ended.stdout } else { ended.stderr };
    }
    Some(all)
}

#[test]
fn formatters_have_no_complaints() {
    for (program, options) in
        [("groff", &["-ww", "-man", "-Tutf8", "-Kutf8", "-z"][..]), ("mandoc", &["-Tlint", "-Wwarning"])]
    {
        match complaints(program, options, &Bench::new()) {
            Some(found) => assert_eq!(found, "", "{program}"),
            None => skip(format!("needs {program}: its check of the man pages does not run")),
        }
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error() {
    let bench = Bench::new();
    let file = bench.path("file");
    fs::write(&file, "").unwrap();
    let ended = end(towpath(&["man", "--dir", file.to_str().unwrap()]).spawn().unwrap()).with_status(1);
    assert!(ended.stderr.starts_with(&format!("towpath: write man pages to {}: ", file.display())), "{}", ended.stderr);
    let mut command = towpath(&["man", "--dir", bench.path("man").to_str().unwrap()]);
    let ended = end(command.env("SOURCE_DATE_EPOCH", "today").spawn().unwrap()).with_status(2);
    assert!(ended.stderr.contains("SOURCE_DATE_EPOCH: `today`"), "{}", ended.stderr);
}
