//! The page at `/`: the tests in `tests/page/`, with the program of this build.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skip::skip;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page")
}

/// Whether this machine has Node.js 18 or later.
fn has_node_or_skip() -> bool {
    let output = Command::new("node").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    let has_node = major.is_some_and(|major| major >= 18);
    if !has_node {
        skip("needs Node.js 18 or later (package nodejs): the page is not tested");
    }
    has_node
}

fn run(file: &str) {
    let mut command = Command::new("node");
    command.args(["--test", file]).current_dir(folder()).env("TOWPATH", env!("CARGO_BIN_EXE_towpath"));
    let output = command.output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{file}:\n{stdout}{stderr}");
    assert!(stdout.contains("fail 0") && !stdout.contains("pass 0"), "{stdout}");
}

#[test]
fn the_page_names_the_state_of_a_run() {
    if has_node_or_skip() {
        run("headline.test.js");
    }
}

#[test]
fn the_page_works_in_a_browser() {
    if !has_node_or_skip() {
        return;
    }
    let browser = std::env::var_os("CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    if !browser.exists() {
        return skip("needs chromium (package chromium): the page is not tested in a browser");
    }
    if !folder().join("node_modules/playwright-core").exists() {
        return skip("needs playwright-core (npm ci --prefix tests/page): the page is not tested in a browser");
    }
    run("page.test.js");
}
