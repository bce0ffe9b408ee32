//! The token of `--listen-token-file`.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use towpath::private_file;

/// A shorter one can be guessed.
const MIN_BYTES: usize = 16;
const MAX_BYTES: u64 = 4096;

/// What a client must know. Only its digest is kept.
pub(super) struct Token([u8; 32]);

impl Token {
    /// Reads a file that belongs to this user or root, and that nobody else can read.
    ///
    /// # Errors
    /// One line, with what to do.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let unreadable = |error: std::io::Error| format!("cannot read the token file {shown}: {error}");
        let file = private_file::open_to_read(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode();
        if mode & 0o077 != 0 {
            return Err(format!("others may read the token file {shown}: chmod 600 {shown}"));
        }
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(unreadable)?;
        Self::parse(&text).ok_or_else(|| {
            format!(
                "the token file {shown} must hold one word of at least {MIN_BYTES} letters, digits or -._~+/=: `openssl \
                 rand -hex 32 > {shown}`"
            )
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let token = text.trim();
        // As RFC 6750 has it for `Authorization: Bearer`.
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        (token.len() >= MIN_BYTES && token.bytes().all(is_allowed)).then(|| Self(digest(token.as_bytes())))
    }

    /// Takes the same time for each wrong token.
    pub(super) fn is(&self, given: &[u8]) -> bool {
        let differing = self.0.iter().zip(digest(given)).fold(0, |bits, (ours, theirs)| bits | (ours ^ theirs));
        std::hint::black_box(differing) == 0
    }
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_long_and_one_word() {
        let token = Token::parse("0123456789abcdef\n").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for wrong in [&b""[..], b"0123456789abcdeF", b"0123456789abcdef\n", b"0123456789abcde"] {
            assert!(!token.is(wrong), "{wrong:?}");
        }
        for text in ["", "short", "0123456789 abcdef", "0123456789abcdef\n0123456789abcdef", "0123456789abcdéf"] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_private_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let problem = || Token::read(&path).err().unwrap_or_default();
        assert!(problem().contains("cannot read"));
        write(&path, "0123456789abcdef").unwrap();
        for (mode, expected) in [(0o644, "chmod 600"), (0o640, "chmod 600"), (0o600, ""), (0o400, "")] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(problem().contains(expected) && problem().is_empty() == expected.is_empty(), "{mode:o}");
        }
        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        write(&path, "short").unwrap();
        assert!(problem().contains("openssl rand -hex 32"));
    }
}
