//! `towpath manifest`: what other tools verify.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::*;
use crate::skip::skip;

fn manifest(bench: &Bench, arguments: &[&str]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.arg("manifest").arg("--database").arg(bench.database()).args(arguments);
    end(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Writes a manifest to a file.
fn manifest_file(bench: &Bench, arguments: &[&str]) -> PathBuf {
    let path = bench.path("manifest");
    manifest(bench, &[arguments, &["--output", path.to_str().unwrap()]].concat()).with_status(0);
    path
}

/// `sha256sum --check --strict`, or the same of another of these tools, at the root of the destination.
fn check(tool: &str, bench: &Bench, manifest: &Path, options: &[&str]) -> std::process::Output {
    let mut command = Command::new(tool);
    command.args(["--check", "--strict", "--quiet"]).args(options).arg(manifest).current_dir(bench.dest());
    command.output().unwrap()
}

#[track_caller]
fn assert_verifies(tool: &str, bench: &Bench, manifest: &Path) {
    let checked = check(tool, bench, manifest, &[]);
    assert!(checked.status.success() && checked.stderr.is_empty(), "{tool}: {}", checked.stderr.escape_ascii());
}

/// Names of any bytes that a file system holds.
fn odd_names(count: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|number| {
        let mut name = noise(number as u64, 1 + number % 40);
        name.retain(|byte| !matches!(byte, 0 | b'/'));
        // Each once, and neither `.` nor a name that the file system does not take.
        [&name[..], format!("\\\r\n {number}").as_bytes()].concat()
    })
}

#[test]
fn sha256sum_accepts_five_thousand_odd_names() {
    let bench = Bench::new();
    for (number, name) in odd_names(5000).enumerate() {
        let dir = if number % 3 == 0 { b"sub\ndir\\/".as_slice() } else { b"" };
        bench.write([dir, &name].concat(), number.to_string());
    }
    // To these tools `-` is standard input.
    for name in ["-", "--help", " ", "*", "~", "sub\ndir\\/-"] {
        bench.write(name, name);
    }
    bench.sync(&[]).with_status(0);
    let path = manifest_file(&bench, &["--format", "sha256sum"]);
    assert_eq!(fs::read(&path).unwrap().iter().filter(|&&byte| byte == b'\n').count(), 5006);
    assert_verifies("sha256sum", &bench, &path);
    // A byte that differs is found.
    let name = OsString::from_vec(odd_names(2).last().unwrap());
    fs::write(bench.dest().join(name), "2").unwrap();
    assert!(!check("sha256sum", &bench, &path, &[]).status.success());
}

#[test]
fn md5sum_sha1sum_and_b2sum_accept_their_checksums() {
    for (checksum, format) in [("md5", "md5sum"), ("sha1", "sha1sum"), ("blake2b", "b2sum")] {
        let bench = Bench::new();
        for name in ["plain", "with \\ backslash", "with\nnewline", "sub/x"] {
            bench.write(name, name);
        }
        bench.sync(&["--checksum", checksum]).with_status(0);
        assert_verifies(format, &bench, &manifest_file(&bench, &["--format", format]));
    }
}

#[test]
fn with_zero_names_are_not_escaped() {
    let bench = Bench::new();
    bench.write("a\n\\b", "content");
    bench.sync(&[]).with_status(0);
    let lines = manifest(&bench, &["--format", "sha256sum", "--zero"]).with_status(0).stdout;
    assert!(lines.ends_with("  a\n\\b\0"), "{lines:?}");
    let problem = manifest(&bench, &["--format", "json", "-z"]).with_status(2).stderr;
    assert!(problem.contains("--zero is for the formats of coreutils"), "{problem}");
}

#[test]
fn json_has_sizes_times_kinds_and_names_of_one_file() {
    let bench = Bench::new();
    let file = bench.write("a", "hello\n");
    set_mtime(&file, 1_700_000_000, 5);
    fs::hard_link(&file, bench.source().join("b")).unwrap();
    symlink("a", bench.source().join("link")).unwrap();
    bench.write(b"\xff", "");
    bench.sync(&[]).with_status(0);
    let text = manifest(&bench, &["--format", "json"]).with_status(0).stdout;
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |path: &str| lines.iter().find(|line| line["path"] == path).unwrap();
    assert_eq!((&of("a")["size"], &of("a")["kind"]), (&6.into(), &"file".into()));
    assert_eq!(of("a")["mtime"], "2023-11-14T22:13:20.000000005Z");
    assert_eq!(of("a")["checksum"], sha256(b"hello\n"));
    assert!(of("a")["link_id"].is_string() && of("a")["link_id"] == of("b")["link_id"]);
    assert_eq!(of("b")["checksum"], of("a")["checksum"]);
    assert_eq!((&of("link")["kind"], &of("link")["checksum"]), (&"symlink".into(), &serde_json::Value::Null));
    assert_eq!(of("\u{fffd}")["path_bytes"], "ff");
}

#[test]
fn a_bag_has_the_payload_folder_and_encodes_line_ends() {
    let bench = Bench::new();
    bench.write("50%\nü", "x");
    bench.sync(&[]).with_status(0);
    let text = manifest(&bench, &["--format", "bagit"]).with_status(0).stdout;
    assert_eq!(text, format!("{}  data/50%25%0Aü\n", sha256(b"x")));
}

#[test]
fn what_is_not_in_the_manifest_is_counted_and_changes_the_exit_status() {
    let bench = Bench::new();
    for (root, name) in [(bench.source(), "there"), (bench.dest(), "there"), (bench.source(), "sent")] {
        set_mtime(&write(&root, name, "same"), 1_700_000_000, 0);
    }
    bench.sync(&[]).with_status(0);
    let ended = manifest(&bench, &["--format", "sha256sum"]).with_status(3);
    assert_eq!(ended.stdout, format!("{}  sent\n", sha256(b"same")));
    assert_eq!(ended.stderr, "note: 1 file has no recorded checksum: found in sync without being sent\n");
    let ended = manifest(&bench, &["--format", "md5sum"]).with_status(3);
    assert!(ended.stderr.contains("1 file has a recorded sha256 checksum"), "{}", ended.stderr);
}

#[test]
fn a_manifest_replaces_a_file_whole_and_a_pipe_never() {
    let bench = Bench::new();
    bench.write("a", "x");
    bench.sync(&[]).with_status(0);
    let line = format!("{}  a\n", sha256(b"x"));
    // A link stays a link.
    let (file, link, pipe) = (bench.path("file"), bench.path("link"), bench.path("pipe"));
    fs::write(&file, "old").unwrap();
    symlink(&file, &link).unwrap();
    make_fifo(&pipe);
    let to = |path: &Path| manifest(&bench, &["--format", "sha256sum", "-o", path.to_str().unwrap()]).with_status(0);
    to(&link);
    assert_eq!((fs::read_to_string(&file).unwrap(), link.is_symlink()), (line.clone(), true));
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    to(&pipe);
    assert_eq!(reader.join().unwrap(), line);
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    let left: Vec<_> = fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.as_bytes().starts_with(b".towpath-manifest")), "{left:?}");
}

#[test]
fn minisign_verifies_a_signed_manifest() {
    if Command::new("minisign").arg("-v").output().is_err() {
        return skip("needs minisign (package minisign)");
    }
    let bench = Bench::new();
    bench.write("a", "x");
    bench.sync(&[]).with_status(0);
    let (secret, public) = (bench.path("secret.key"), bench.path("public.key"));
    let minisign = |arguments: &[&str]| {
        let mut command = Command::new("minisign");
        command.args(arguments).arg("-p").arg(&public).stdin(Stdio::null()).output().unwrap().status.success()
    };
    assert!(minisign(&["-G", "-W", "-s", secret.to_str().unwrap()]));
    let path = manifest_file(&bench, &["--format", "sha256sum", "--sign", secret.to_str().unwrap()]);
    let verifies = || minisign(&["-V", "-m", path.to_str().unwrap()]);
    assert!(verifies());
    fs::write(&path, "another").unwrap();
    assert!(!verifies());
}

#[test]
fn without_a_migration_there_is_no_manifest() {
    let bench = Bench::new();
    let problem = manifest(&bench, &["--format", "sha256sum"]).with_status(1).stderr;
    assert!(problem.contains("there is no migration with the database"), "{problem}");
}
