//! A selection of errors.

use super::code::FailureCode;

/// Which errors are meant.
///
/// ```
/// use towpath::{ErrorFilter, FailureCode};
///
/// // Denied files of one user.
/// let filter = ErrorFilter::new(vec![FailureCode::Eacces], vec![b"home/alice".to_vec()]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorFilter {
    /// Those with one of these codes; empty: any. A path that could not be read has two codes.
    pub codes: Vec<FailureCode>,
    /// Those at or below one of these paths, relative to the roots; empty: all.
    pub below: Vec<Vec<u8>>,
}

impl ErrorFilter {
    /// Those with one of these codes, at or below one of these paths.
    pub fn new(codes: Vec<FailureCode>, below: Vec<Vec<u8>>) -> Self {
        Self { codes, below }
    }

    pub(crate) fn has_code(&self, code: FailureCode) -> bool {
        self.codes.is_empty() || self.codes.contains(&code)
    }

    pub(crate) fn is_below(&self, path: &[u8]) -> bool {
        let is_below = |dir: &Vec<u8>| {
            dir.is_empty() || path.strip_prefix(&dir[..]).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        };
        self.below.is_empty() || self.below.iter().any(is_below)
    }
}
