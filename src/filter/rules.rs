//! Rules in their order: patterns that exclude, and patterns that include again.

use regex::bytes::{RegexSet, RegexSetBuilder};
use towpath_backend::RelPath;

use super::bad_pattern::{BadPattern, PatternProblem};
use super::encoding;
use super::glob::Glob;
use super::hits::Hits;
use crate::error::UsageError;

/// Memory that the compiled rules may take: tens of thousands of patterns.
const MAX_COMPILED_BYTES: usize = 256 << 20;

/// A pattern, and whether the paths that it matches are excluded or included.
///
/// Patterns have the syntax of a `.gitignore` and are bytes, as names are: `*` and `?` stay within a directory, a
/// component `**` crosses directories, `[a-z]` matches one of these bytes. A pattern with a `/` at its start or in the
/// middle begins at the root of the tree; without one, it matches in every directory. A `/` at the end matches
/// directories only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pattern: Vec<u8>,
    includes: bool,
    glob: Glob,
    origin: String,
}

impl Rule {
    /// A rule that excludes what `pattern` matches.
    ///
    /// # Errors
    /// [`BadPattern`] for one that can match nothing, and for one that begins
    /// with `!`, which would mean the opposite in a `.gitignore`.
    pub fn exclude(pattern: impl AsRef<[u8]>) -> Result<Self, BadPattern> {
        Self::single(pattern.as_ref(), false)
    }

    /// A rule that includes what `pattern` matches, even if an earlier rule excludes it.
    ///
    /// # Errors
    /// As for [`Self::exclude`].
    pub fn include(pattern: impl AsRef<[u8]>) -> Result<Self, BadPattern> {
        Self::single(pattern.as_ref(), true)
    }

    /// The rules of a text like that of a `.gitignore`: a pattern in each line,
    /// to be excluded, or included after a `!`; `#` begins a comment.
    ///
    /// # Errors
    /// [`BadPattern`] with the number of the line; also for UTF-16, and for NUL bytes.
    pub fn list(text: &[u8]) -> Result<Vec<Self>, BadPattern> {
        encoding::check(text)?;
        // A byte-order mark, which some editors write.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let lines = text.split(|&byte| byte == b'\n').enumerate();
        let rules = lines.filter_map(|(before, line)| {
            let line = without_trailing_spaces(line.strip_suffix(b"\r").unwrap_or(line));
            if line.is_empty() || line.starts_with(b"#") {
                return None;
            }
            let rule = match line.strip_prefix(b"!") {
                Some(pattern) => Self::parse(pattern, true),
                None => Self::parse(line, false),
            };
            let number = before + 1;
            let rule = rule.map(|rule| rule.with_origin(format!("line {number}")));
            Some(rule.map_err(|bad| BadPattern { line: Some(number), pattern: line.to_vec(), ..bad }))
        });
        rules.collect()
    }

    /// The pattern, without the `!` of a list.
    pub fn pattern(&self) -> &[u8] {
        &self.pattern
    }

    /// Whether what matches is included rather than excluded.
    pub fn is_include(&self) -> bool {
        self.includes
    }

    /// Where the rule is from, for messages: `line 3` of a list, or the text given to [`Self::with_origin`].
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The same rule with another origin: an option, a line of a file.
    #[must_use]
    pub fn with_origin(self, origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), ..self }
    }

    fn single(pattern: &[u8], includes: bool) -> Result<Self, BadPattern> {
        if pattern.starts_with(b"!") {
            let problem = PatternProblem::LeadingBang;
            return Err(BadPattern { line: None, pattern: pattern.to_vec(), problem });
        }
        Self::parse(pattern, includes)
    }

    fn parse(pattern: &[u8], includes: bool) -> Result<Self, BadPattern> {
        let pattern = pattern.to_vec();
        match Glob::parse(&pattern) {
            Ok(glob) => Ok(Self { pattern, includes, glob, origin: String::new() }),
            Err(problem) => Err(BadPattern { line: None, pattern, problem }),
        }
    }

    /// The rule as a line of text: `- *.tmp`, `+ /keep`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", if self.includes { '+' } else { '-' }, self.pattern.escape_ascii())
    }
}

/// Removes spaces at the end of a line, except one after a `\`.
fn without_trailing_spaces(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    let backslashes = line[..end].iter().rev().take_while(|&&byte| byte == b'\\').count();
    let is_escaped = backslashes % 2 == 1 && end < line.len();
    &line[..end + usize::from(is_escaped)]
}

/// Rules in their order: the last one that matches a path decides. Without rules nothing is excluded.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Patterns that match names, and patterns that match paths. They are separate, because one set of both is slow
    /// with thousands of patterns.
    names: Patterns,
    paths: Patterns,
    hits: Hits,
}

impl Rules {
    /// Compiles the rules.
    ///
    /// # Errors
    /// [`UsageError::TooManyPatterns`] if they would take too much memory.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, UsageError> {
        let rules: Vec<_> = rules.into_iter().collect();
        let (names, paths) = (Patterns::of(&rules, true)?, Patterns::of(&rules, false)?);
        Ok(Self { names, paths, hits: Hits::none_of(rules.len()), rules })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The same rules, none of them marked as matched.
    pub(super) fn unmatched_again(self) -> Self {
        Self { hits: Hits::none_of(self.rules.len()), ..self }
    }

    /// The rules that have matched none of the checked paths.
    pub(super) fn unmatched(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().enumerate().filter(|(index, _)| !self.hits.has(*index)).map(|(_, rule)| rule)
    }

    /// Whether the last rule that matches `path` itself excludes it.
    pub(super) fn exclude(&self, path: &RelPath, is_dir: bool) -> bool {
        self.excluding(path, is_dir).is_some()
    }

    /// The index of the last rule that matches `path` itself, if it excludes.
    pub(super) fn excluding(&self, path: &RelPath, is_dir: bool) -> Option<usize> {
        self.last(path, is_dir).filter(|index| self.rules.get(*index).is_some_and(|rule| !rule.includes))
    }

    /// Whether the last rule that matches `path` itself includes it.
    pub(super) fn include(&self, path: &RelPath, is_dir: bool) -> bool {
        let last = self.last(path, is_dir).and_then(|index| self.rules.get(index));
        last.is_some_and(|rule| rule.includes)
    }

    /// The index of the last rule that matches `path` itself.
    fn last(&self, path: &RelPath, is_dir: bool) -> Option<usize> {
        // The root has no name, and is never excluded.
        let name = path.name().filter(|_| !self.is_empty())?;
        let mut last = None;
        let matching = self.names.matching(name).chain(self.paths.matching(path.as_bytes()));
        for index in matching {
            if self.rules.get(index).is_some_and(|rule| is_dir || !rule.glob.only_dirs) {
                self.hits.mark(index);
                last = last.max(Some(index));
            }
        }
        last
    }
}

/// Patterns that are matched at once.
#[derive(Clone, Debug, Default)]
struct Patterns {
    set: RegexSet,
    /// The index of each among the rules.
    indices: Vec<usize>,
}

impl Patterns {
    /// The patterns of `rules` that match names, or those that match paths.
    fn of(rules: &[Rule], names: bool) -> Result<Self, UsageError> {
        let (indices, regexes): (Vec<_>, Vec<_>) = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.glob.is_name == names)
            .map(|(index, rule)| (index, &rule.glob.regex))
            .unzip();
        let set = RegexSetBuilder::new(regexes)
            .size_limit(MAX_COMPILED_BYTES)
            .build()
            .map_err(|_| UsageError::TooManyPatterns(rules.len()))?;
        Ok(Self { set, indices })
    }

    /// Those of the rules that match `text`.
    fn matching(&self, text: &[u8]) -> impl Iterator<Item = usize> {
        let matching = self.set.matches(text);
        let any = matching.matched_any().then_some(matching);
        any.into_iter().flatten().filter_map(|nth| self.indices.get(nth).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_comments_blank_lines_and_includes() {
        let list = b"\xef\xbb\xbf# comment\n\n   \n*.tmp  \r\n!keep.tmp\n\\#a\n\\!b\nspace\\ \n- c\n -d\ne";
        let lines: String = Rule::list(list).unwrap().iter().map(|rule| rule.line() + "\n").collect();
        assert_eq!(lines, "- *.tmp\n+ keep.tmp\n- \\\\#a\n- \\\\!b\n- space\\\\ \n- - c\n-  -d\n- e\n");
    }

    #[test]
    fn a_bad_line_is_named() {
        let bad = Rule::list(b"a\n# b\n![c\n").unwrap_err();
        assert_eq!(bad.to_string(), "line 3: pattern `![c` has a `[` without its `]`");
        assert!(Rule::list(b"!\n").unwrap_err().to_string().contains("line 1: pattern `!` is empty"));
    }

    #[test]
    fn a_single_pattern_has_no_comments_or_leading_bang() {
        for rule in [Rule::exclude, Rule::include] {
            let bad = rule("!a").unwrap_err();
            assert!(bad.to_string().starts_with("pattern `!a` begins with `!`"), "{bad}");
            assert!(rule("").is_err());
        }
        let rules = Rules::new([Rule::exclude("#a").unwrap(), Rule::exclude("b ").unwrap()]).unwrap();
        let excludes = |name: &str| rules.exclude(&RelPath::new(name).unwrap(), false);
        assert!(excludes("#a") && excludes("b ") && !excludes("b"));
    }
}
