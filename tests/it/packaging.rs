//! What packages are made from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;

use crate::common::*;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether a path exists, or a file that matches it: `docs/*.md`, `packaging/systemd/*`.
fn exists(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/').filter(|(_, name)| name.contains('*')) else {
        return repository().join(path).is_file();
    };
    let entries = fs::read_dir(repository().join(folder)).into_iter().flatten();
    let suffix = name.trim_start_matches('*');
    entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(|name| name.ends_with(suffix)))
}

#[test]
fn each_file_of_the_debian_package_exists() {
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let asset = Regex::new(r#"(?m)^ +\["([^"]+)", "usr/"#).unwrap();
    // Those in target/ are made before.
    let sources: Vec<_> = asset.captures_iter(&manifest).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(sources.iter().any(|source| source.starts_with("target/")), "{sources:?}");
    let missing: Vec<_> = sources.iter().filter(|source| !source.starts_with("target/") && !exists(source)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!exists("packaging/nothing") && !exists("packaging/*.nothing"));
    // A page, a picture or an example that is new is in the package, too.
    let matches = |path: &str, pattern: &str| match pattern.split_once('*') {
        Some((before, after)) => path.starts_with(before) && path.ends_with(after),
        None => path == pattern,
    };
    for folder in ["docs", "packaging/systemd", "packaging/prometheus", "packaging/grafana"] {
        for entry in fs::read_dir(repository().join(folder)).unwrap().map(|entry| entry.unwrap()) {
            let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
            let is_a_tool = [".sh", ".py", ".toml"].iter().any(|extension| path.ends_with(extension));
            assert!(is_a_tool || sources.iter().any(|source| matches(&path, source)), "{path} is in no asset");
        }
    }
}

#[test]
fn the_example_of_a_configuration_is_valid() {
    let bench = Bench::new();
    let file = bench.path("config.toml");
    fs::copy(repository().join("packaging/config.toml"), &file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["config", "show", "--job", "projects", "--config"]).arg(&file);
    let ended = end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).with_status(0);
    assert_eq!(ended.stderr, "");
    assert!(ended.stdout.contains("08:00,5M 18:00,off") && ended.stdout.contains("eu-central-1"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("REPLACE-THE-SECRET"), "a secret is shown");
}
