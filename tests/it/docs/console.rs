//! Sessions in the documents: each ```` ```console ```` block is run and must print the documented output.
//!
//! The blocks of a page are one session of one shell. `/mnt`, `/tmp/demo` and `/home/you` are in a folder of the test.
//! Times, rates and the like are masked before the comparison; in a block marked `console varying`, all numbers.
//! `DOCS=update cargo test docs` writes the current output into the documents where it differs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;

use super::{Page, documents, repository};
use crate::skip::skip;

/// Separates the output of two commands.
const SEPARATOR: char = '\u{1e}';

/// A command and its documented output.
struct Step {
    command: String,
    /// The lines of the command in the document.
    prompt: String,
    output: String,
}

/// A block of a page and its steps.
struct Block<'a> {
    body: &'a str,
    is_varying: bool,
    steps: Vec<Step>,
}

#[test]
fn sessions_print_what_the_documents_say() {
    let update = std::env::var_os("DOCS").is_some_and(|value| value == "update");
    let pages = documents();
    let sessions: Vec<_> = pages.iter().map(|page| (page, blocks(page))).collect();
    let printed: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = sessions.iter().map(|(_, blocks)| scope.spawn(|| run(blocks))).collect();
        running.into_iter().map(|session| session.join().unwrap()).collect()
    });
    let mut differences = Vec::new();
    for ((page, blocks), printed) in sessions.iter().zip(printed) {
        let text = corrected(page, blocks, printed);
        if text == page.text {
            continue;
        }
        if update {
            fs::write(repository().join(&page.path), text).unwrap();
        } else {
            differences.push(format!("{}\n{}", page.path.display(), changed_lines(&page.text, &text)));
        }
    }
    assert!(differences.is_empty(), "run `DOCS=update cargo test docs`:\n{}", differences.join("\n"));
}

fn blocks(page: &Page) -> Vec<Block<'_>> {
    let sessions = page.fences().into_iter().filter(|fence| fence.info.starts_with("console"));
    sessions
        .map(|fence| Block { body: fence.body, is_varying: fence.info.contains("varying"), steps: steps(fence.body) })
        .collect()
}

/// The page with the current output of its commands, where that differs beyond the masks.
fn corrected(page: &Page, blocks: &[Block<'_>], printed: Vec<String>) -> String {
    let mut printed = printed.into_iter();
    let mut text = page.text.clone();
    for block in blocks {
        let mut body = String::new();
        for step in &block.steps {
            let now = printed.next().unwrap_or_else(|| panic!("{:?}: {} did not end", page.path, step.command));
            let is_same = masked(&now, block.is_varying) == masked(&step.output, block.is_varying);
            body += &step.prompt;
            body += if is_same || is_skipped(&step.command) { &step.output } else { &now };
        }
        text = text.replacen(block.body, &body, 1);
    }
    text
}

fn steps(body: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in body.split_inclusive('\n') {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), prompt: line.to_owned(), output: String::new() });
            continue;
        }
        let step = steps.last_mut().expect("a session begins with a command");
        if let Some(more) = line.strip_prefix("> ") {
            step.command += more;
            step.prompt += line;
        } else {
            step.output += line;
        }
    }
    steps
}

/// Whether the command needs a tool that is missing.
fn is_skipped(command: &str) -> bool {
    let missing = ["jq", "sqlite3"].into_iter().find(|tool| {
        let has_it = |folder: &str| Path::new(folder).join(tool).exists();
        command.split_whitespace().any(|word| word == *tool) && !std::env::var("PATH").unwrap().split(':').any(has_it)
    });
    if let Some(tool) = missing {
        skip(format_args!("a command of the documents (needs {tool}): {}", command.trim_end()));
    }
    missing.is_some()
}

/// Runs all steps in one shell; returns the output of each, with paths as in the documents.
fn run(blocks: &[Block<'_>]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    for name in ["mnt", "tmp/demo", "home/you"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    let root = root.to_str().unwrap();
    let outside = Regex::new(r#"(^|[ \n'"=>])/(mnt|tmp/demo|home/you)"#).unwrap();
    let mut script = String::new();
    for step in blocks.iter().flat_map(|block| &block.steps) {
        let command = outside.replace_all(&step.command, format!("${{1}}{root}/${{2}}"));
        let command = command.replace("cargo run --release -- ", "towpath ");
        script += &format!("{command}\nstatus=$?; printf '\\036'; (exit $status)\n");
    }
    let programs = Path::new(env!("CARGO_BIN_EXE_towpath")).parent().unwrap().display();
    let ended = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{script}")])
        .env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap()))
        .env("HOME", format!("{root}/home/you"))
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env_remove("XDG_STATE_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8(ended.stdout).unwrap().replace(root, "");
    let mut outputs: Vec<_> = printed.split(SEPARATOR).map(str::to_owned).collect();
    outputs.pop();
    outputs
}

/// The output without values that differ from run to run.
fn masked(output: &str, is_varying: bool) -> String {
    let masks = [
        (r"-[0-9a-f]{12}\.", "-#."),
        (r"in [0-9.]+ s \([0-9.]+ [KMGT]?i?B/s\)", "in # s"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9.]+Z?)?", "#"),
        (r"last line: [0-9a-f]{64}", "last line: #"),
        (r#""duration_ms": ?[0-9]+"#, "duration"),
    ];
    let mut text = output.to_owned();
    for (pattern, mask) in masks {
        text = Regex::new(pattern).unwrap().replace_all(&text, mask).into_owned();
    }
    if is_varying {
        text = Regex::new(r"[0-9][0-9.,]*( [KMGT]i?B| B)?").unwrap().replace_all(&text, "#").into_owned();
    }
    text
}

fn changed_lines(before: &str, after: &str) -> String {
    let missing = |from: &str, to: &str, mark: char| -> String {
        let lines = from.lines().filter(|line| !to.lines().any(|other| other == *line));
        lines.map(|line| format!("{mark} {line}\n")).collect()
    };
    missing(before, after, '-') + &missing(after, before, '+')
}
