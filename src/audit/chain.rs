//! Links each line of the log to the one before, so that a line that is changed, removed or moved later is found.
//!
//! The last key of a line, `previous`, is the SHA-256 of the line before, without its newline; null in the first.

use serde_json::Value;
use thiserror::Error;

use crate::checksum::{Algorithm, Hasher};

/// The end of a chain: the hash of its last line, if it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    last: Option<String>,
}

impl Chain {
    /// Goes on after the line with this hash; with the first line, if there is none.
    pub(crate) fn after(last: Option<String>) -> Self {
        Self { last }
    }

    /// The hash of the last line.
    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// Links whole lines, each an object; returns them, and the chain after them.
    pub(crate) fn link(&self, lines: &[u8]) -> (Vec<u8>, Self) {
        let (mut linked, mut last) = (Vec::with_capacity(lines.len() * 2), self.last.clone());
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let start = linked.len();
            linked.extend_from_slice(line.strip_suffix(b"}\n").unwrap_or(line));
            linked.extend_from_slice(format!(",\"previous\":{}}}", Value::from(last)).as_bytes());
            last = Some(hash(&linked[start..]));
            linked.push(b'\n');
        }
        (linked, Self { last })
    }
}

fn hash(line: &[u8]) -> String {
    Hasher::hash(Algorithm::Sha256, line).to_string()
}

/// Checks the lines of a log in order; see `Options::audit_chain`.
///
/// ```
/// let mut chain = towpath::ChainCheck::new();
/// assert_eq!(chain.line(br#"{"status":"synced","previous":null}"#), None);
/// let broken = chain.line(br#"{"status":"synced","previous":"00"}"#);
/// assert_eq!(broken, Some(towpath::ChainBreak::Broken));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ChainCheck {
    /// The hash of the last line, once the chain has begun.
    last: Option<String>,
    unlinked_lines: u64,
    linked_lines: u64,
}

/// What is wrong with a line, or between it and the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChainBreak {
    /// It does not follow the line before.
    #[error("does not follow the line before: one of the two was changed or moved, or lines between them were removed")]
    Broken,
    /// It has a predecessor, and is the first.
    #[error("is not the first of its log: lines before it were removed, or are in an earlier log")]
    BeginningMissing,
    /// It begins another chain.
    #[error("begins another chain: lines before it were removed, or the migration got another database")]
    BeginsAnew,
    /// It has no link, though lines before it have.
    #[error("is not part of the chain: it was added or changed")]
    Unlinked,
}

impl ChainCheck {
    /// Begins at the first line of the first log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the next line, without its newline. After a break the check goes on from this line.
    pub fn line(&mut self, line: &[u8]) -> Option<ChainBreak> {
        let fields = serde_json::from_slice(line).ok();
        let previous = fields.as_ref().and_then(|fields: &Value| fields.as_object()?.get("previous"));
        let previous = match previous {
            Some(Value::Null) => None,
            Some(Value::String(previous)) => Some(previous),
            _ if self.last.is_some() => return Some(ChainBreak::Unlinked),
            _ => {
                self.unlinked_lines += 1;
                return None;
            }
        };
        let found = match (&self.last, previous) {
            (None, None) => None,
            (None, Some(_)) => Some(ChainBreak::BeginningMissing),
            (Some(_), None) => Some(ChainBreak::BeginsAnew),
            (Some(last), Some(previous)) => (last != previous).then_some(ChainBreak::Broken),
        };
        self.last = Some(hash(line));
        self.linked_lines += 1;
        found
    }

    /// Lines before the chain begins, which nothing protects.
    pub fn unlinked_lines(&self) -> u64 {
        self.unlinked_lines
    }

    /// Lines of the chain.
    pub fn linked_lines(&self) -> u64 {
        self.linked_lines
    }

    /// The hash of the last line of the chain: lines that were removed after it are found by comparing it with
    /// [`crate::Overview::audit_chain_end`].
    pub fn end(&self) -> Option<&str> {
        self.last.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A chain over objects with these numbers, linked in groups of two lines.
    fn log(numbers: &[u32]) -> Vec<Vec<u8>> {
        let (mut chain, mut log) = (Chain::default(), Vec::new());
        for group in numbers.chunks(2) {
            let lines: String = group.iter().map(|number| format!("{{\"n\":{number}}}\n")).collect();
            let (linked, next) = chain.link(lines.as_bytes());
            log.extend(linked.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec));
            chain = next;
        }
        log
    }

    fn breaks(log: &[Vec<u8>]) -> (Vec<ChainBreak>, ChainCheck) {
        let mut check = ChainCheck::new();
        let found = log.iter().filter_map(|line| check.line(line.trim_ascii_end())).collect();
        (found, check)
    }

    #[test]
    fn lines_stay_json_and_end_with_the_link() {
        let log = log(&[1, 2]);
        assert_eq!(log[0], b"{\"n\":1,\"previous\":null}\n");
        let second: Value = serde_json::from_slice(&log[1]).unwrap();
        assert_eq!(second["previous"], hash(b"{\"n\":1,\"previous\":null}"));
    }

    #[test]
    fn lines_before_the_chain_are_counted() {
        let log = [vec![b"{\"old\":1}\n".to_vec()], log(&[1, 2, 3])].concat();
        let (found, check) = breaks(&log);
        assert_eq!((found, check.unlinked_lines(), check.linked_lines()), (vec![], 1, 3));
    }

    proptest! {
        #[test]
        fn every_change_is_found(numbers in prop::collection::vec(0_u32..9, 3..20), at in any::<prop::sample::Index>()) {
            let whole = log(&numbers);
            let (found, check) = breaks(&whole);
            prop_assert_eq!(found, vec![]);
            let at = at.index(whole.len() - 1);
            let mut edited = whole.clone();
            edited[at][5] = b'x';
            let mut removed = whole.clone();
            removed.remove(at);
            let mut swapped = whole.clone();
            swapped.swap(at, at + 1);
            let mut added = whole.clone();
            added.insert(at + 1, b"{\"n\":1}\n".to_vec());
            for log in [edited, removed, swapped, added] {
                prop_assert!(!breaks(&log).0.is_empty());
            }
            // What is cut off at the end is found by the recorded hash alone.
            let (found, cut) = breaks(&whole[..whole.len() - 1]);
            prop_assert!(found.is_empty() && cut.end() != check.end());
        }
    }
}
