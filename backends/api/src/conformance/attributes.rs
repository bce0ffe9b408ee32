//! Cases about permissions, owners and extended attributes.

use super::{Fixture, list, path, read, write};
use crate::{Attributes, ErrorKind, RelPath, Xattr};

/// What was not refused is there, and reading, times and content are as before.
pub async fn attributes_are_applied_or_told(fixture: &dyn Fixture) {
    let (sink, source) = (fixture.sink(), fixture.source());
    sink.create_dir(&path("dir")).await.unwrap();
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
        let refused = sink.set_attributes(&at, &given).await.unwrap();
        if refused.is_empty() {
            let shown = source.metadata(&at).await.unwrap();
            assert_eq!((shown.permissions, shown.owner), (Some(permissions), before.owner));
            assert!(source.xattrs(&at).await.unwrap().contains(&xattr));
        }
        assert!(refused.iter().all(|error| error.path() == &at), "{refused:?}");
        assert_eq!(sink.set_attributes(&at, &Attributes::default()).await.unwrap().len(), 0);
    }
    assert_eq!(read(fixture, &path("file")).await.unwrap(), b"x");
    if sink.capabilities().sets_mtime {
        assert_eq!(source.metadata(&path("file")).await.unwrap().modified, kept.modified);
    }
}

/// Nor is anything made.
pub async fn attributes_of_what_is_not_there_are_not_set(fixture: &dyn Fixture) {
    let given = Attributes { permissions: Some(0o600), ..Attributes::default() };
    match fixture.sink().set_attributes(&path("missing"), &given).await {
        Ok(refused) => assert!(!refused.is_empty()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
    }
    assert_eq!(list(fixture, &RelPath::root()).await.unwrap(), []);
}

/// Neither way: a link's are read and set without following it.
pub async fn attributes_of_a_link_are_not_those_of_its_target(fixture: &dyn Fixture) {
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
    assert!(source.xattrs(&path("link")).await.unwrap().iter().all(|xattr| xattr.value != b"own"));
    if is_kept {
        assert_eq!(source.metadata(&path("file")).await.unwrap().permissions, Some(0o640));
        assert!(source.xattrs(&path("file")).await.unwrap().contains(&own.xattrs[0]));
    }
    assert!(source.xattrs(&path("missing")).await.is_err() || source.xattrs(&path("file")).await.unwrap().is_empty());
}
