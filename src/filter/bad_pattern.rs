//! Why a pattern cannot be used.

use thiserror::Error as ThisError;

/// Why a pattern cannot be used, on one line.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{}pattern `{}` {problem}", .line.map(|line| format!("line {line}: ")).unwrap_or_default(), String::from_utf8_lossy(.pattern))]
#[non_exhaustive]
pub struct BadPattern {
    /// Its line, counted from 1, if it is from a list.
    pub line: Option<usize>,
    /// The pattern.
    pub pattern: Vec<u8>,
    /// What is wrong with it.
    pub problem: PatternProblem,
}

/// What is wrong with a pattern. The text follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum PatternProblem {
    /// It matches no name.
    #[error("is empty")]
    Empty,
    /// The pattern contains a NUL byte.
    #[error("contains a NUL byte, which no name has")]
    NulByte,
    /// The list contains NUL bytes.
    #[error("contains a NUL byte, which no name has: is the file a list of patterns?")]
    NotAList,
    /// The list is UTF-16.
    #[error(
        "is UTF-16 text, as PowerShell's `>` writes it; patterns are UTF-8 or plain bytes: convert the file with `iconv \
         -f UTF-16 -t UTF-8`"
    )]
    Utf16,
    /// A component of it is empty, `.` or `..`.
    #[error("has an empty, `.` or `..` component, which no path in a tree has")]
    NoComponent,
    /// It begins with `!` outside of a list.
    #[error(r"begins with `!`, which is valid only in a list of patterns; write `\!` for a name that begins with it")]
    LeadingBang,
    /// It ends with a `\`.
    #[error(r"ends with a `\` that nothing follows")]
    TrailingBackslash,
    /// A `[` has no `]`.
    #[error("has a `[` without its `]`")]
    UnclosedClass,
    /// A `[…]` matches no byte.
    #[error("has a `[…]` that nothing can match")]
    EmptyClass,
    /// A range ends before it begins.
    #[error("has a range that runs backwards")]
    ReversedRange,
    /// A `[:name:]` is unknown.
    #[error("names an unknown class of characters (`[:digit:]` is one)")]
    UnknownClass,
}
