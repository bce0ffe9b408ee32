//! Which files are sent again and which are skipped.

use std::fs;

use crate::common::*;

#[test]
fn same_size_and_mtime_is_skipped_even_if_the_content_differs() {
    let bench = Bench::new();
    set_mtime(&bench.write("file", "source"), 1_600_000_000, 5);
    set_mtime(&write(&bench.dest(), "file", "target"), 1_600_000_000, 5);
    bench.sync(&[]).with_status(0);
    assert_eq!(fs::read(bench.dest().join("file")).unwrap(), b"target");
    let row = bench.row("file");
    assert_eq!((row.status.as_str(), row.hash), ("synced", None));
}

#[test]
fn another_mtime_is_sent_again() {
    let bench = Bench::new();
    set_mtime(&bench.write("file", "source"), 1_600_000_000, 5);
    set_mtime(&write(&bench.dest(), "file", "target"), 1_600_000_000, 6);
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_longer_destination_file_is_truncated() {
    let bench = Bench::new();
    bench.write("file", "short");
    write(&bench.dest(), "file", noise(1, 100_000));
    bench.write("emptied", "");
    write(&bench.dest(), "emptied", "no longer");
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn mtimes_within_the_modify_window_are_equal() {
    let bench = Bench::new();
    set_mtime(&bench.write("near", "source"), 1_600_000_000, 0);
    set_mtime(&write(&bench.dest(), "near", "target"), 1_600_000_001, 999_999_999);
    set_mtime(&bench.write("far", "source"), 1_600_000_000, 0);
    set_mtime(&write(&bench.dest(), "far", "target"), 1_600_000_002, 1);
    bench.sync(&["--modify-window", "2s"]).with_status(0);
    assert_eq!(fs::read(bench.dest().join("near")).unwrap(), b"target");
    assert_eq!(fs::read(bench.dest().join("far")).unwrap(), b"source");
}

#[test]
fn a_changed_file_is_sent_again_and_its_row_updated() {
    let bench = Bench::new();
    bench.write("same", "same");
    bench.write("file", "before");
    bench.sync(&[]).with_status(0);
    bench.write("file", "after all");
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    assert_eq!(bench.row("file").hash, Some(sha256(b"after all")));
    assert_eq!(bench.logged("synced")["file"], 2);
    assert_eq!(bench.logged("synced")["same"], 1);
}

#[test]
fn a_recorded_hash_survives_a_lost_destination_file_but_not_a_changed_source_file() {
    let bench = Bench::new();
    bench.write("lost", "lost at the destination");
    bench.write("changed", "changed at the source");
    bench.sync(&[]).with_status(0);
    fs::remove_file(bench.dest().join("lost")).unwrap();
    fs::remove_file(bench.dest().join("changed")).unwrap();
    bench.write("changed", "changed");
    // Conflicting directories make the transfer fail, after the scan has decided.
    write(&bench.dest(), "lost/full", "");
    write(&bench.dest(), "changed/full", "");
    bench.sync(&[]).with_status(3);
    let (lost, changed) = (bench.row("lost"), bench.row("changed"));
    assert_eq!((lost.status.as_str(), lost.hash), ("pending", Some(sha256(b"lost at the destination"))));
    assert_eq!((changed.status.as_str(), changed.hash), ("pending", None));
}

#[test]
fn rows_of_removed_files_are_deleted() {
    let bench = Bench::new();
    bench.write("keep", "1");
    bench.write("dir/gone", "2");
    bench.sync(&[]).with_status(0);
    fs::remove_dir_all(bench.source().join("dir")).unwrap();
    bench.sync(&[]).with_status(0);
    assert_eq!(bench.rows().into_keys().collect::<Vec<_>>(), [b"keep".to_vec()]);
    assert!(bench.dest().join("dir/gone").exists(), "nothing is deleted at the destination");
}

#[test]
fn a_conflicting_directory_fails_only_that_file() {
    let bench = Bench::new();
    bench.write("blocked", "data");
    bench.write("fine", "data");
    write(&bench.dest(), "blocked/inner", "precious");
    let ended = bench.sync(&[]).with_status(3);
    assert!(ended.stderr.contains("blocked") && ended.stderr.contains("--delete-extras"), "{}", ended.stderr);
    assert_eq!(fs::read(bench.dest().join("blocked/inner")).unwrap(), b"precious");
    assert_eq!(bench.row("blocked").status, "pending");
    assert_eq!(bench.row("fine").status, "synced");
    let failed: Vec<_> = bench.log().into_iter().filter(|line| line["status"] == "failed").collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0]["error"].as_str().unwrap().contains("destination"), "{failed:?}");
    let error = failed[0]["error"].as_str().unwrap().to_owned();
    assert_eq!(bench.errors(), [("blocked".to_owned(), error)]);

    fs::remove_dir_all(bench.dest().join("blocked")).unwrap();
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("retrying what failed in the last run: 1 file"), "{}", ended.stdout);
    assert_eq!(bench.errors(), []);
    bench.assert_same_trees();
}

#[test]
fn content_that_changed_under_the_same_mtime_is_reported() {
    let bench = Bench::new();
    set_mtime(&bench.write("file", "aaaa"), 1_600_000_000, 0);
    bench.sync(&[]).with_status(0);
    set_mtime(&bench.write("file", "bbbb"), 1_600_000_000, 0);
    fs::remove_file(bench.dest().join("file")).unwrap();
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stderr.contains("its size and mtime did not"), "{}", ended.stderr);
    assert_eq!(bench.row("file").hash, Some(sha256(b"bbbb")));
}
