//! Compares extended attributes by a digest.

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest as _};
use towpath_backend::{ErrorKind, RelPath, Result, Source, Xattr};

/// A digest of the extended attributes of a file, directory or link, whatever their order. Two lists have the same
/// digest only if they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct XattrDigest(Option<[u8; BYTES]>);

const BYTES: usize = 16;

impl XattrDigest {
    pub(crate) fn of(xattrs: &[Xattr]) -> Self {
        if xattrs.is_empty() {
            return Self(None);
        }
        let mut sorted: Vec<_> = xattrs.iter().map(|xattr| (&xattr.name, &xattr.value)).collect();
        sorted.sort();
        let mut hasher = Blake2b::<U16>::new();
        for part in sorted.into_iter().flat_map(|(name, value)| [name, value]) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(Some(hasher.finalize().into()))
    }

    /// Nothing if there are no attributes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |bytes| &bytes[..])
    }

    /// The inverse of [`Self::as_bytes`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() { Some(Self(None)) } else { bytes.try_into().ok().map(|bytes| Self(Some(bytes))) }
    }
}

/// The extended attributes of the source that are sent, and that scans compare.
pub(crate) async fn of_source(source: &dyn Source, path: &RelPath) -> Result<Vec<Xattr>> {
    match source.xattrs(path).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Vec::new()),
        xattrs => xattrs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn xattrs(of: &[(Vec<u8>, Vec<u8>)]) -> Vec<Xattr> {
        of.iter().map(|(name, value)| Xattr { name: name.clone(), value: value.clone() }).collect()
    }

    proptest! {
        #[test]
        fn digests_are_equal_if_and_only_if_the_attributes_are(
            // Few bytes, so that names and values run into each other.
            one in proptest::collection::btree_map(proptest::collection::vec(0..2_u8, 0..3), proptest::collection::vec(0..2_u8, 0..3), 0..3),
            other in proptest::collection::btree_map(proptest::collection::vec(0..2_u8, 0..3), proptest::collection::vec(0..2_u8, 0..3), 0..3),
        ) {
            let list = |map: &std::collections::BTreeMap<Vec<u8>, Vec<u8>>| map.clone().into_iter().collect::<Vec<_>>();
            let digest = XattrDigest::of(&xattrs(&list(&one)));
            let reversed: Vec<_> = list(&one).into_iter().rev().collect();
            prop_assert_eq!(digest, XattrDigest::of(&xattrs(&reversed)));
            prop_assert_eq!(XattrDigest::from_bytes(digest.as_bytes()), Some(digest));
            prop_assert_eq!(digest == XattrDigest::of(&xattrs(&list(&other))), one == other);
        }
    }
}
