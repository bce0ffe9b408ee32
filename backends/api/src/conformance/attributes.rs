//! Cases about permissions, owners and extended attributes.

use super::fixture::{Fixture, list, path, read, write};
use crate::{Attributes, ErrorKind, Owner, RelPath, Tree, Xattr};

/// The extended attributes; none where the storage has none at all.
async fn xattrs(tree: &(impl Tree + ?Sized), at: &RelPath) -> Vec<Xattr> {
    match tree.xattrs(at).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Vec::new(),
        found => found.unwrap(),
    }
}

/// Attributes that are accepted are set, and content and times stay the same.
pub async fn attributes_are_applied_or_reported(fixture: &dyn Fixture) {
    let (sink, source) = (fixture.sink(), fixture.source());
    sink.create_dir(&path("dir"), None).await.unwrap();
    let kept = write(fixture, &path("file"), b"x").await;
    for (at, permissions) in [("file", 0o640), ("dir", 0o750)] {
        let at = path(at);
        let before = source.metadata(&at).await.unwrap();
        let xattr = Xattr { name: b"user.towpath".to_vec(), value: b"a\0value\xff".to_vec() };
        let given = Attributes {
            permissions: Some(permissions),
            owner: before.owner,
            xattrs: vec![xattr.clone()],
            ..Attributes::default()
        };
        let errors = sink.set_attributes(&at, &given).await.unwrap();
        if errors.is_empty() {
            let shown = source.metadata(&at).await.unwrap();
            assert_eq!((shown.permissions, shown.owner), (Some(permissions), before.owner));
            assert!(xattrs(source, &at).await.contains(&xattr), "read by the source");
            assert!(xattrs(sink, &at).await.contains(&xattr), "read by the sink");
        }
        assert!(errors.iter().all(|error| error.path() == &at), "{errors:?}");
        assert_eq!(sink.set_attributes(&at, &Attributes::default()).await.unwrap().len(), 0);
    }
    assert_eq!(read(fixture, &path("file")).await.unwrap(), b"x");
    if sink.capabilities().sets_mtime {
        assert_eq!(source.metadata(&path("file")).await.unwrap().modified, kept.modified);
    }
}

/// If the sink's file belongs to another user or group, a program would run as that one.
pub async fn setuid_and_setgid_are_set_only_for_the_sources_owner(fixture: &dyn Fixture) {
    let (sink, source, at) = (fixture.sink(), fixture.source(), path("file"));
    let owner = write(fixture, &at, b"x").await.owner.unwrap_or(Owner { user: 1, group: 1 });
    sink.set_attributes(&at, &Attributes { owner: Some(owner), ..Attributes::default() }).await.unwrap();
    if source.metadata(&at).await.unwrap().owner != Some(owner) {
        return;
    }
    let other = Owner { user: owner.user.wrapping_add(1), group: owner.group.wrapping_add(1) };
    for (of, permissions) in [(other, 0o755), (owner, 0o6755)] {
        let given = Attributes { permissions: Some(0o6755), permissions_of: Some(of), ..Attributes::default() };
        let errors = sink.set_attributes(&at, &given).await.unwrap();
        let shown = source.metadata(&at).await.unwrap().permissions;
        assert!(of == owner || (shown.is_none_or(|shown| shown & 0o6000 == 0) && !errors.is_empty()), "{shown:?}");
        assert!(!errors.is_empty() || shown == Some(permissions), "{shown:?}");
    }
}

/// Nor is anything created.
pub async fn setting_attributes_of_a_missing_entry_fails(fixture: &dyn Fixture) {
    let given = Attributes { permissions: Some(0o600), ..Attributes::default() };
    match fixture.sink().set_attributes(&path("missing"), &given).await {
        Ok(errors) => assert!(!errors.is_empty()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
    }
    assert_eq!(list(fixture, &RelPath::root()).await.unwrap(), []);
}

/// Attributes of a link are read and set without following it.
pub async fn attributes_of_a_symlink_are_not_those_of_its_target(fixture: &dyn Fixture) {
    let (sink, source) = (fixture.sink(), fixture.source());
    if !sink.capabilities().symlinks {
        return;
    }
    write(fixture, &path("file"), b"x").await;
    let xattr = |value: &[u8]| vec![Xattr { name: b"user.towpath".to_vec(), value: value.to_vec() }];
    let own = Attributes { permissions: Some(0o640), owner: None, xattrs: xattr(b"own"), ..Attributes::default() };
    let is_kept = sink.set_attributes(&path("file"), &own).await.unwrap().is_empty();
    sink.create_symlink(&path("link"), b"file").await.unwrap();
    let other =
        Attributes { permissions: Some(0o777), owner: None, xattrs: xattr(b"the link's"), ..Attributes::default() };
    let _a_link_may_have_none = sink.set_attributes(&path("link"), &other).await.unwrap();
    assert!(xattrs(source, &path("link")).await.iter().all(|xattr| xattr.value != b"own"));
    if is_kept {
        assert_eq!(source.metadata(&path("file")).await.unwrap().permissions, Some(0o640));
        assert!(xattrs(source, &path("file")).await.contains(&own.xattrs[0]));
    }
    assert!(source.xattrs(&path("missing")).await.is_err() || xattrs(source, &path("file")).await.is_empty());
}
