//! Completions, in the shells that they are for.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::*;

fn script(bench: &Bench, shell: &str) -> std::path::PathBuf {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["completions", shell]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let file = bench.path(format!("towpath.{shell}"));
    fs::write(&file, end(command.spawn().unwrap()).with_status(0).stdout).unwrap();
    file
}

/// What a shell prints for a script of its own, which gets the file of completions as `$1` or `$argv[1]`, then `words`;
/// nothing where the shell is not installed.
fn run(shell: &str, options: &[&str], code: &str, file: &Path, words: &[&str]) -> Option<String> {
    let mut command = Command::new(shell);
    command.args(options).args(["-c", code]);
    if shell != "fish" {
        command.arg("test");
    }
    let started = command.arg(file).args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(child) = started else {
        skip(format!("needs {shell}: its completions are not tested"));
        return None;
    };
    let ended = end(child).with_status(0);
    assert_eq!(ended.stderr, "", "{shell} {words:?}");
    Some(ended.stdout)
}

/// Completes as bash does: by the function that is registered, then by file names if it offers nothing.
const BASH: &str = r#"
source "$1"; shift
compopt() { :; } # only bash itself may call it
registered=$(complete -p towpath)
[[ $registered == *"-o default"* && $registered =~ -F\ ([a-z_]+) ]] || exit 9
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
"${BASH_REMATCH[1]}" towpath "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn bash_completes_commands_options_values_and_paths() {
    let bench = Bench::new();
    let file = script(&bench, "bash");
    fs::write(bench.path("a database.db"), "").unwrap();
    let folder = bench.folder.path().to_str().unwrap().to_owned();
    let [old, database] = ["old", "a database.db"].map(|name| format!("{folder}/{name}\n"));
    let [old_begun, database_begun] = ["ol", "a da"].map(|begun| format!("{folder}/{begun}"));
    let mut tested = false;
    for (words, expected) in [
        (&["sy"][..], "sync\n"),
        (&["ctl", ""], "pause\nresume\nstop\nlimit\nhelp\n"),
        (&["sync", "--delete-e"], "--delete-extras\n--delete-excluded\n"),
        (&["sync", "--links", ""], "copy\nskip\nfollow\n"),
        (&["sync", "a", "b", "--checksum", "s"], "sha1\nsha256\n"),
        (&["completions", "b"], "bash\n"),
        (&["sync", &old_begun], &old),
        (&["sync", "a", &old_begun], &old),
        (&["status", "--database", &database_begun], &database),
        (&["ctl", "pause", "--database", &database_begun], &database),
        // Neither file names nor options are a rate.
        (&["sync", "--bwlimit", ""], "\n"),
    ] {
        let words = [&["towpath"], words].concat();
        let Some(found) = run("bash", &["--norc"], BASH, &file, &words) else { return };
        assert_eq!(sorted(&found), sorted(expected), "{words:?}");
        tested = true;
    }
    // An empty word gets paths.
    let found = run("bash", &["--norc"], &format!("cd '{folder}'; {BASH}"), &file, &["towpath", "sync", ""]).unwrap();
    assert!(found.lines().any(|line| line == "old") && !found.contains("--"), "{found}");
    assert!(tested);
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn fish_completes_commands_values_and_paths() {
    let bench = Bench::new();
    let file = script(&bench, "fish");
    let old = format!("{}/", bench.source().display());
    let begun = old.trim_end_matches("d/").to_owned();
    for (line, expected) in [
        ("towpath sync --links ".to_owned(), "copy\nfollow\nskip\n".to_owned()),
        (format!("towpath sync --trash {begun}"), format!("{old}\n")),
        (format!("towpath sync {begun}"), format!("{old}\n")),
    ] {
        let code = "source $argv[1]; or exit 1; complete -C $argv[2] | string replace -r '\\t.*' ''; true";
        let Some(found) = run("fish", &["--no-config"], code, &file, &[&line]) else { return };
        assert_eq!(sorted(&found), sorted(&expected), "{line}");
    }
}

#[test]
fn zsh_registers_the_completions() {
    let bench = Bench::new();
    let file = script(&bench, "zsh");
    let code = r#"autoload -Uz compinit && compinit -u -D && source "$1" && print -- $_comps[towpath]"#;
    if let Some(found) = run("zsh", &["-f"], code, &file, &[]) {
        assert_eq!(found, "_towpath\n");
    }
    // Which file names and values an option takes is declared for zsh in the script.
    let text = fs::read_to_string(&file).unwrap();
    for part in ["#compdef towpath", "'--database=[", ":FILE:_files'", ":DIR:_files -/'", ":WHAT:(copy skip follow)'"] {
        assert!(text.contains(part), "{part}");
    }
}
