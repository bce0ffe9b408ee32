//! Owners, permissions and extended attributes of mounted trees. Tests that need root are skipped without it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::Path;
use std::process::Command;

use towpath_backend::{Attributes, ErrorKind, Owner, RelPath, Sink, Tree as _, Xattr};
use towpath_local::{LocalSink, LocalSource};

use crate::root::is_root_or_skip;
use crate::skip::skip;

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

fn xattr(name: &str, value: &[u8]) -> Xattr {
    Xattr { name: name.as_bytes().to_vec(), value: value.to_vec() }
}

fn open(folder: &Path) -> (LocalSource, LocalSink) {
    (LocalSource::open(folder).unwrap(), LocalSink::open(folder).unwrap())
}

#[tokio::test]
async fn root_can_set_all_attributes() {
    if !is_root_or_skip("files of other users") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, sink) = open(folder.path());
    fs::write(folder.path().join("file"), "x").unwrap();
    // An ACL that lets user 1234 read: version 2, then owner, user, group, mask and others.
    let entries: [(u16, u16, u32); 5] =
        [(1, 6, u32::MAX), (2, 4, 1234), (4, 0, u32::MAX), (0x10, 4, u32::MAX), (0x20, 0, u32::MAX)];
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        acl.extend(tag.to_le_bytes().into_iter().chain(rights.to_le_bytes()).chain(id.to_le_bytes()));
    }
    let given = Attributes {
        permissions: Some(0o6640),
        permissions_of: None,
        owner: Some(Owner { user: 1234, group: 5678 }),
        xattrs: vec![
            xattr("user.empty", b""),
            xattr("user.large", &[7; 2000]),
            xattr("trusted.origin", b"here"),
            xattr("system.posix_acl_access", &acl),
        ],
        removes_others: false,
    };
    for _again in 0..2 {
        let errors = sink.set_attributes(&path("file"), &given).await.unwrap();
        assert!(errors.is_empty(), "{errors:?}");
        let shown = fs::metadata(folder.path().join("file")).unwrap();
        assert_eq!((shown.uid(), shown.gid(), shown.mode() & 0o7777), (1234, 5678, 0o6640));
        let mut found = source.xattrs(&path("file")).await.unwrap();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let mut expected = given.xattrs.clone();
        expected.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn any_number_of_attributes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (source, sink) = open(folder.path());
    fs::write(folder.path().join("file"), "x").unwrap();
    // A name has at most 255 bytes; some file systems hold 4 KiB in all.
    for count in [0, 1, 2, 3, 10] {
        let xattrs: Vec<_> = (0..count).map(|number| xattr(&format!("user.{number:0>240}"), b"value")).collect();
        let given = Attributes { xattrs: xattrs.clone(), removes_others: true, ..Attributes::default() };
        if !sink.set_attributes(&path("file"), &given).await.unwrap().is_empty() {
            return skip("needs a temporary folder with extended attributes: many of them");
        }
        let mut found = source.xattrs(&path("file")).await.unwrap();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(found, xattrs);
    }
}

#[tokio::test]
async fn a_link_gets_its_own_owner_and_no_permissions() {
    if !is_root_or_skip("files of other users") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, sink) = open(folder.path());
    let outside = tempfile::NamedTempFile::new().unwrap();
    let mode = fs::metadata(outside.path()).unwrap().mode();
    symlink(outside.path(), folder.path().join("link")).unwrap();
    let given = Attributes {
        permissions: Some(0o7777),
        owner: Some(Owner { user: 1234, group: u32::MAX }),
        xattrs: vec![xattr("trusted.of-the-link", b"x"), xattr("user.none", b"x")],
        ..Attributes::default()
    };
    let errors = sink.set_attributes(&path("link"), &given).await.unwrap();
    assert_eq!(errors.len(), 1, "links have no user attributes: {errors:?}");
    assert!(errors[0].to_string().starts_with("set attribute link: user.none: "), "{}", errors[0]);
    let link = fs::symlink_metadata(folder.path().join("link")).unwrap();
    assert_eq!((link.uid(), link.gid()), (1234, 0));
    assert_eq!(source.xattrs(&path("link")).await.unwrap(), [xattr("trusted.of-the-link", b"x")]);
    let target = fs::metadata(outside.path()).unwrap();
    assert_eq!((target.uid(), target.mode()), (0, mode));
}

#[tokio::test]
async fn attributes_not_accepted_are_reported_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let (_, sink) = open(folder.path());
    fs::write(folder.path().join("file"), "x").unwrap();
    let given = Attributes {
        permissions: Some(0o600),
        permissions_of: None,
        owner: None,
        xattrs: vec![xattr("nonsense", b"x"), xattr("user.kept", b"x"), xattr("user.too-large", &[0; 70_000])],
        removes_others: false,
    };
    let errors = sink.set_attributes(&path("file"), &given).await.unwrap();
    let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].starts_with("set attribute file: user.too-large: "), "{messages:?}");
    assert!(messages[1].starts_with("set attribute file: nonsense: "), "{messages:?}");
    assert_eq!(fs::metadata(folder.path().join("file")).unwrap().mode() & 0o7777, 0o600);
    let lost = sink.set_attributes(&path("missing"), &given).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn attributes_of_files_without_read_permission_are_read_and_set() {
    let folder = tempfile::tempdir().unwrap();
    let (source, sink) = open(folder.path());
    fs::write(folder.path().join("file"), "x").unwrap();
    fs::set_permissions(folder.path().join("file"), fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(source.xattrs(&path("file")).await.unwrap(), []);
    let given = Attributes { permissions: Some(0o400), ..Attributes::default() };
    assert!(sink.set_attributes(&path("file"), &given).await.unwrap().is_empty());
    assert_eq!(fs::metadata(folder.path().join("file")).unwrap().mode() & 0o7777, 0o400);
    // The root of a tree is treated like any other directory.
    let given = Attributes { permissions: Some(0o751), ..Attributes::default() };
    assert!(sink.set_attributes(&RelPath::root(), &given).await.unwrap().is_empty());
    assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o7777, 0o751);
}

/// An unprivileged owner can set the attributes of a read-only file. As root, the test runs itself again as such a
/// user.
#[tokio::test]
async fn an_unprivileged_owner_sets_attributes_without_a_wrong_setuid() {
    const ENV: &str = "TOWPATH_TEST_UNPRIVILEGED";
    let name = "attributes::an_unprivileged_owner_sets_attributes_without_a_wrong_setuid";
    if std::env::var_os(ENV).is_none() && rustix::process::geteuid().is_root() {
        let folder = tempfile::tempdir_in(std::env::temp_dir()).unwrap();
        let test = folder.path().join("test");
        fs::copy(std::env::current_exe().unwrap(), &test).unwrap();
        for at in [folder.path(), &test] {
            lchown(at, Some(65_534), Some(65_534)).unwrap();
        }
        let mut again = Command::new("setpriv");
        again.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&test);
        let Ok(output) = again.args(["--exact", name]).env(ENV, "1").current_dir(folder.path()).output() else {
            skip("needs setpriv: a test that runs as another user");
            return;
        };
        let messages = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && messages.contains("1 passed"), "{messages}");
        return;
    }
    if rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, sink) = open(folder.path());
    fs::write(folder.path().join("file"), "x").unwrap();
    let given = Attributes {
        permissions: Some(0o4444),
        owner: Some(Owner { user: 0, group: 0 }),
        xattrs: vec![xattr("user.kept", b"x"), xattr("trusted.not", b"x")],
        ..Attributes::default()
    };
    let errors = sink.set_attributes(&path("file"), &given).await.unwrap();
    let operations: Vec<_> = errors.iter().map(|error| (error.operation(), error.kind())).collect();
    let denied = ErrorKind::PermissionDenied;
    let expected = [("set owner", denied), ("set permissions", ErrorKind::Unsupported), ("set attribute", denied)];
    assert_eq!(operations, expected, "{errors:?}");
    assert_eq!(fs::metadata(folder.path().join("file")).unwrap().mode() & 0o7777, 0o444);
    assert_eq!(source.xattrs(&path("file")).await.unwrap(), [xattr("user.kept", b"x")]);
}
