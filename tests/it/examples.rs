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
    let said = printed("custom_backend", &[]);
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap().count();
    assert!(said.ends_with(&format!("{files} files, all in sync: true\n")), "{said}");
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
    let said = printed("progress_bar", &[]);
    assert!(said.lines().count() >= 3 && said.ends_with("20 files, all in sync: true\n"), "{said}");
}

#[test]
fn a_service_stops_and_resumes() {
    let said = printed("service", &[]);
    assert!(said.contains("stopped: true") && !said.contains(" 0 files pending"), "{said}");
    assert!(said.ends_with("gone on with a new scan: false, all in sync: true\n"), "{said}");
}

#[test]
fn a_full_sink_is_reported() {
    let said = printed("mocked_sink", &[]);
    assert!(said.contains("no space left") || said.contains("pending"), "{said}");
}

#[test]
fn a_program_reacts_to_the_kind_of_a_failure() {
    let said = printed("failure_kinds", &[]);
    assert!(
        said.starts_with("PermissionDenied: run as the owner\n") && said.contains("\nNoSpace: make room: "),
        "{said}"
    );
}
