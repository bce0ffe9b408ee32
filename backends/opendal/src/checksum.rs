//! The MD5 of contents, as servers report it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use opendal::{Buffer, Error, ErrorKind, Result};

/// Contents up to this size are hashed at once: that takes a tenth of a millisecond.
const SMALL_BYTES: usize = 64 << 10;

/// The MD5 of a content.
pub(crate) async fn md5_of(content: Buffer) -> Result<[u8; 16]> {
    let hash = |content: Buffer| {
        let mut md5 = Md5::new();
        content.for_each(|piece| md5.update(&piece));
        <[u8; 16]>::from(md5.finalize())
    };
    if content.len() <= SMALL_BYTES {
        return Ok(hash(content));
    }
    let hashed = tokio::task::spawn_blocking(move || hash(content)).await;
    hashed.map_err(|error| Error::new(ErrorKind::Unexpected, "the checksum was not computed").set_source(error))
}

/// Whether `base64` is the MD5 of a content.
pub(crate) async fn is_md5_of(base64: &str, content: Buffer) -> Result<bool> {
    Ok(STANDARD.encode(md5_of(content).await?) == base64.trim())
}

/// A server that stored something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch;

impl Mismatch {
    /// Whether it is the cause of an error.
    pub(crate) fn is_cause_of(error: &Error) -> bool {
        std::error::Error::source(error).is_some_and(|cause| cause.is::<Self>())
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server stored something else: its MD5 is not that of what was sent")
    }
}

impl std::error::Error for Mismatch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_content_in_pieces_has_one_md5() {
        let content = vec![7; 200_000];
        let pieces: Vec<_> = content.chunks(77_777).map(towpath_backend::Bytes::copy_from_slice).collect();
        assert_eq!(md5_of(Buffer::from(pieces)).await.unwrap(), <[u8; 16]>::from(Md5::digest(&content)));
        assert!(is_md5_of("XUFAKrxLKna5cZ2REBfFkg==", Buffer::from("hello")).await.unwrap());
        assert!(!is_md5_of("XUFAKrxLKna5cZ2REBfFkg==", Buffer::from("hallo")).await.unwrap());
    }
}
