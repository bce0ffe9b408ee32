//! Tests: owners, links, modes and folders.

use std::os::unix::fs::{chown, lchown, symlink};

use self::skip::skip;
use super::*;

#[path = "../../tests/it/skip.rs"]
mod skip;

/// A folder of this user with `file` in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    folder
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

/// Whether files can be given to another user; if not, the test is skipped.
fn is_root() -> bool {
    if me() != 0 {
        skip("needs root: files of another user");
    }
    me() == 0
}

const OTHER: Option<u32> = Some(65_533);

#[test]
fn created_files_and_folders_are_private() {
    let folder = folder();
    let path = folder.path().join("a/b/file");
    let opened = open(&path, Access::Append).unwrap();
    assert!(opened.warnings.is_empty());
    assert_eq!(mode(&path), 0o600);
    assert_eq!((mode(&folder.path().join("a")), mode(&folder.path().join("a/b"))), (0o700, 0o700));
}

#[test]
fn own_links_are_followed_even_if_the_file_is_missing() {
    let folder = folder();
    let real = folder.path().canonicalize().unwrap();
    symlink("dir", folder.path().join("link-to-dir")).unwrap();
    symlink("../new", folder.path().join("link-to-new")).unwrap();
    std::fs::create_dir(folder.path().join("dir")).unwrap();
    symlink(real.join("file"), folder.path().join("dir/absolute")).unwrap();
    symlink("../link-to-dir/new", folder.path().join("dir/relative")).unwrap();
    for (link, file) in [("link-to-dir/absolute", "file"), ("link-to-dir/./relative", "dir/new")] {
        assert_eq!(open(&folder.path().join(link), Access::Write).unwrap().path, real.join(file), "{link}");
    }
    assert_eq!(resolve(&folder.path().join("missing/../file")).unwrap(), real.join("file"));
    symlink("loop", folder.path().join("loop")).unwrap();
    assert!(open(&folder.path().join("loop"), Access::Write).is_err());
}

#[test]
fn a_link_that_another_user_planted_is_rejected() {
    if !is_root() {
        return;
    }
    let folder = folder();
    let tmp = folder.path().join("tmp");
    std::fs::create_dir(&tmp).unwrap();
    set_mode(&tmp, 0o1777);
    for (name, to) in [("link", "../file"), ("dir", "..")] {
        symlink(to, tmp.join(name)).unwrap();
        lchown(tmp.join(name), OTHER, OTHER).unwrap();
    }
    for path in ["link", "dir/file", "dir/new"] {
        for access in [Access::Read, Access::Write, Access::Append] {
            let error = open(&tmp.join(path), access).unwrap_err().to_string();
            assert!(error.contains("symbolic link") && error.contains("user 65533"), "{path}: {error}");
        }
    }
    assert!(!folder.path().join("new").exists());
    // In a folder that only we can write to, its owner does not matter.
    set_mode(&tmp, 0o755);
    open(&tmp.join("link"), Access::Write).unwrap();
}

#[test]
fn a_file_of_another_user_is_rejected_with_the_command_to_run() {
    if !is_root() {
        return;
    }
    let folder = folder();
    let path = folder.path().join("file");
    chown(&path, OTHER, OTHER).unwrap();
    for access in [Access::Read, Access::Write, Access::Append] {
        let error = open(&path, access).unwrap_err().to_string();
        assert!(error.contains("belongs to user 65533") && error.contains("`chown 0 /"), "{error}");
    }
    assert!(check_beside(&path, true).is_err());
}

#[test]
fn write_permission_of_others_is_removed_once() {
    let folder = folder();
    let path = folder.path().join("file");
    for (before, after) in [(0o666, 0o644), (0o660, 0o640), (0o640, 0o640)] {
        set_mode(&path, before);
        let mut opened = open(&path, Access::Write).unwrap();
        assert_eq!(mode(&path), before, "only when asked to");
        opened.tighten();
        opened.tighten();
        assert_eq!((mode(&path), opened.warnings.len()), (after, usize::from(before != after)));
        set_mode(&path, before);
        assert_eq!(check_beside(&path, false).unwrap().len(), 0);
        assert_eq!(check_beside(&path, true).unwrap().len(), usize::from(before != after));
        assert_eq!(mode(&path), after);
    }
}

#[test]
fn a_folder_where_everybody_can_replace_files_is_rejected() {
    let folder = folder();
    set_mode(folder.path(), 0o777);
    let path = folder.path().join("file");
    let own = open(&path, Access::Write).unwrap();
    assert!(own.warnings[0].to_string().contains("`chmod o-w /"), "{:?}", own.warnings);
    set_mode(folder.path(), 0o1777);
    assert!(open(&path, Access::Write).unwrap().warnings.is_empty(), "as /tmp is");
    set_mode(folder.path(), 0o777);
    if is_root() {
        chown(folder.path(), OTHER, OTHER).unwrap();
        let error = open(&path, Access::Write).unwrap_err().to_string();
        assert!(error.contains("every user can replace files"), "{error}");
    }
}

#[test]
fn only_regular_files_are_opened() {
    let folder = folder();
    let path = folder.path().join("fifo");
    rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    symlink("file", folder.path().join("link")).unwrap();
    for path in [path, folder.path().to_owned()] {
        assert!(open(&path, Access::Write).is_err(), "{}", path.display());
    }
    assert!(check_beside(&folder.path().join("link"), false).is_err());
    assert_eq!(open(&folder.path().join("missing"), Access::Read).unwrap_err().kind(), io::ErrorKind::NotFound);
}
