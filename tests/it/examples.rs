//! The examples work as documented.

use std::path::Path;
use std::process::Command;

/// The output of an example, which is built with the tests.
fn printed(name: &str, arguments: &[&Path]) -> String {
    let test = std::env::current_exe().unwrap();
    let example = test.parent().unwrap().with_file_name("examples").join(name);
    let ended = Command::new(&example).args(arguments).output().unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo build --examples` builds it", example.display());
    });
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn an_archive_is_a_source() {
    let output = printed("custom_backend", &[]);
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap().count();
    assert!(output.ends_with(&format!("{files} files, all in sync: true\n")), "{output}");
}

#[test]
fn an_archive_arrives_as_tar_would_unpack_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("old/dir/empty")).unwrap();
    std::fs::write(at("old/dir/file"), vec![7; 1_000_000]).unwrap();
    std::fs::write(at("old/none"), "").unwrap();
    let tar =
        Command::new("tar").args(["--format=ustar", "-cf"]).arg(at("a.tar")).arg("-C").arg(at("old")).arg(".").status();
    assert!(tar.unwrap().success());
    assert!(printed("custom_backend", &[&at("a.tar"), &at("new")]).ends_with("2 files, all in sync: true\n"));
    let same = Command::new("diff").arg("-r").arg(at("old")).arg(at("new")).status();
    assert!(same.unwrap().success());
}

#[test]
fn a_bar_shows_the_progress() {
    let output = printed("progress_bar", &[]);
    assert!(output.lines().count() >= 3 && output.ends_with("20 files, all in sync: true\n"), "{output}");
}

#[test]
fn a_service_stops_and_resumes() {
    let output = printed("service", &[]);
    assert!(output.contains("stopped: true") && !output.contains(" 0 files pending"), "{output}");
    assert!(output.ends_with("resumed with a new scan: false, all in sync: true\n"), "{output}");
}

#[test]
fn a_full_sink_is_reported() {
    let output = printed("mocked_sink", &[]);
    assert!(output.contains("no space left") || output.contains("pending"), "{output}");
}

#[test]
fn a_program_reacts_to_the_kind_of_a_failure() {
    let output = printed("failure_kinds", &[]);
    assert!(
        output.starts_with("PermissionDenied: run as the owner\n") && output.contains("\nNoSpace: free some space: "),
        "{output}"
    );
}
