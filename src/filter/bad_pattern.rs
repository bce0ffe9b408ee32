//! Why a pattern cannot be used.

use thiserror::Error as ThisError;

/// Why a pattern cannot be used, on one line.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{}pattern `{}` {problem}", .line.map(|line| format!("line {line}: ")).unwrap_or_default(), String::from_utf8_lossy(.pattern))]
#[non_exhaustive]
pub struct BadPattern {
    /// The line it stands in, counted from 1, if it comes from a list.
    pub line: Option<usize>,
    /// The pattern.
    pub pattern: Vec<u8>,
    /// What is wrong with it.
    pub problem: &'static str,
}
