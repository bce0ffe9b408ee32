//! A pattern with gitignore syntax, turned into a regular expression over bytes.

use std::fmt::Write as _;

use super::bad_pattern::PatternProblem;

/// What a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob {
    /// Matches a whole name, or a whole path relative to the root.
    pub(super) regex: String,
    /// It has no `/` except at the end: it matches names in every directory.
    pub(super) is_name: bool,
    /// It ends with `/`.
    pub(super) only_dirs: bool,
}

/// A set of bytes.
type Set = [bool; 256];

impl Glob {
    /// Parses a pattern, without the `!` that an ignore file may have before it.
    ///
    /// # Errors
    /// The problem, as text that follows the pattern. Git accepts such patterns, which match nothing; here that is a
    /// mistake.
    pub(super) fn parse(pattern: &[u8]) -> Result<Self, PatternProblem> {
        let (pattern, only_dirs) = match pattern.strip_suffix(b"/") {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        let is_name = !pattern.contains(&b'/');
        let pattern = pattern.strip_prefix(b"/").unwrap_or(pattern);
        if pattern.is_empty() {
            return Err(PatternProblem::Empty);
        }
        if pattern.contains(&0) {
            return Err(PatternProblem::NulByte);
        }
        if pattern.split(|&byte| byte == b'/').any(|part| matches!(part, b"" | b"." | b"..")) {
            return Err(PatternProblem::NoComponent);
        }
        // Bytes, not characters; a newline is a byte like any other.
        let mut reader = Reader { pattern, at: 0, regex: r"(?s-u)\A".to_owned() };
        reader.read()?;
        Ok(Self { regex: reader.regex + r"\z", is_name, only_dirs })
    }
}

struct Reader<'a> {
    pattern: &'a [u8],
    at: usize,
    regex: String,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.pattern.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn read(&mut self) -> Result<(), PatternProblem> {
        while let Some(byte) = self.next() {
            match byte {
                b'*' => self.stars(),
                b'?' => self.regex.push_str("[^/]"),
                b'[' => self.class()?,
                b'\\' => {
                    let escaped = self.next().ok_or(PatternProblem::TrailingBackslash)?;
                    self.byte(escaped);
                }
                byte => self.byte(byte),
            }
        }
        Ok(())
    }

    fn byte(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() || byte == b'/' {
            self.regex.push(char::from(byte));
        } else {
            // Writing into a text does not fail.
            let _written = write!(self.regex, "\\x{byte:02x}");
        }
    }

    /// `*` stays within a directory. A whole component `**` crosses any number of directories; elsewhere it is the same
    /// as `*`.
    fn stars(&mut self) {
        let first = self.at - 1;
        while self.peek() == Some(b'*') {
            self.at += 1;
        }
        let begins_part = first == 0 || self.pattern.get(first - 1) == Some(&b'/');
        let is_deep = self.at - first > 1 && begins_part;
        match self.peek() {
            None if is_deep => self.regex.push_str(".*"),
            Some(b'/') if is_deep => {
                self.at += 1;
                self.regex.push_str("(?:.*/)?");
            }
            _ => self.regex.push_str("[^/]*"),
        }
    }

    /// `[…]`: one byte of those named, never a `/`.
    fn class(&mut self) -> Result<(), PatternProblem> {
        let negated = matches!(self.peek(), Some(b'!' | b'^'));
        if negated {
            self.at += 1;
        }
        let mut set = self.class_members()?;
        for member in &mut set {
            *member ^= negated;
        }
        set[usize::from(b'/')] = false;
        if !set.contains(&true) {
            return Err(PatternProblem::EmptyClass);
        }
        self.regex.push('[');
        for byte in (0..=u8::MAX).filter(|&byte| set[usize::from(byte)]) {
            let _written = write!(self.regex, "\\x{byte:02x}");
        }
        self.regex.push(']');
        Ok(())
    }

    /// Parses the members between `[` or `[!` and the closing `]`, which is not the first member.
    fn class_members(&mut self) -> Result<Set, PatternProblem> {
        let mut set = [false; 256];
        let start = self.at;
        // Where a range can begin.
        let mut low = None;
        loop {
            let is_first = self.at == start;
            let byte = self.next().ok_or(PatternProblem::UnclosedClass)?;
            match (byte, low) {
                (b']', _) if !is_first => return Ok(set),
                (b'-', Some(from)) if self.peek().is_some_and(|next| next != b']') => {
                    let to = self.next_member()?;
                    if to < from {
                        return Err(PatternProblem::ReversedRange);
                    }
                    set[usize::from(from)..=usize::from(to)].fill(true);
                    low = None;
                }
                (b'[', _) if self.peek() == Some(b':') && self.named_class(&mut set)? => low = None,
                _ => {
                    let member = if byte == b'\\' { self.next().ok_or(PatternProblem::UnclosedClass)? } else { byte };
                    set[usize::from(member)] = true;
                    low = Some(member);
                }
            }
        }
    }

    /// The next byte of a class, or the byte that a `\` escapes.
    fn next_member(&mut self) -> Result<u8, PatternProblem> {
        match self.next().ok_or(PatternProblem::UnclosedClass)? {
            b'\\' => self.next().ok_or(PatternProblem::UnclosedClass),
            byte => Ok(byte),
        }
    }

    /// Parses `:name:]` and adds its members; `false` if it does not end with `:]`.
    fn named_class(&mut self, set: &mut Set) -> Result<bool, PatternProblem> {
        let rest = &self.pattern[self.at + 1..];
        let end = rest.iter().position(|&byte| byte == b']').ok_or(PatternProblem::UnclosedClass)?;
        let Some(name) = rest[..end].strip_suffix(b":") else { return Ok(false) };
        let is_member: fn(&u8) -> bool = match name {
            b"alnum" => u8::is_ascii_alphanumeric,
            b"alpha" => u8::is_ascii_alphabetic,
            b"blank" => |byte| matches!(byte, b' ' | b'\t'),
            b"cntrl" => u8::is_ascii_control,
            b"digit" => u8::is_ascii_digit,
            b"graph" => u8::is_ascii_graphic,
            b"lower" => u8::is_ascii_lowercase,
            b"print" => |byte| matches!(byte, b' '..=b'~'),
            b"punct" => u8::is_ascii_punctuation,
            b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
            b"upper" => u8::is_ascii_uppercase,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return Err(PatternProblem::UnknownClass),
        };
        for byte in (0..=u8::MAX).filter(is_member) {
            set[usize::from(byte)] = true;
        }
        self.at += end + 2;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &[u8], path: &[u8]) -> bool {
        let glob = Glob::parse(pattern).unwrap();
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap();
        regex::bytes::Regex::new(&glob.regex).unwrap().is_match(if glob.is_name { name } else { path })
    }

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        for path in matching {
            assert!(matches(pattern.as_bytes(), path.as_bytes()), "{pattern} matches {path}");
        }
        for path in others {
            assert!(!matches(pattern.as_bytes(), path.as_bytes()), "{pattern} does not match {path}");
        }
    }

    #[test]
    fn without_a_slash_a_pattern_matches_in_every_directory() {
        check("foo", &["foo", "a/foo", "a/b/foo"], &["foo2", "afoo", "foo/a"]);
        check("*.tmp", &["a.tmp", ".tmp", "a/b.tmp", "a\n.tmp"], &["a.tmp/b", "a.tmpx", "atmp"]);
        check("?", &["a", "b/\n"], &["ab", "a/bc"]);
        check("a**b", &["ab", "a-b"], &["a/b"]);
        check("**", &["a", "a/b"], &[]);
    }

    #[test]
    fn a_slash_anchors_to_the_root() {
        check("/foo", &["foo"], &["a/foo"]);
        check("a/foo", &["a/foo"], &["b/a/foo", "a/foo/b"]);
        check("a/*", &["a/b"], &["a", "a/b/c"]);
        check("foo/", &["foo", "a/foo"], &[]);
        check("/a?b", &["a-b"], &["a/b"]);
    }

    #[test]
    fn two_stars_cross_directories() {
        check("**/foo", &["foo", "a/foo", "a/b/foo"], &["afoo", "foo/a"]);
        check("a/**", &["a/b", "a/b/c"], &["a", "ab/c"]);
        check("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a/xb", "ab"]);
        check("a/x**/b", &["a/x/b", "a/xy/b"], &["a/x/y/b"]);
        check("a/***/b", &["a/b", "a/x/y/b"], &[]);
    }

    #[test]
    fn classes_are_bytes_ranges_and_names_and_never_a_slash() {
        check("[abc]", &["a", "x/c"], &["d", "ab"]);
        check("[!a-c]", &["d", "-"], &["b"]);
        check("[^a-c]x", &["dx"], &["bx"]);
        check("[]-]", &["]", "-"], &["a"]);
        check("[a-]", &["a", "-"], &["b"]);
        check("[!]]", &["a"], &["]"]);
        check(r"[\]\\]", &["]", r"\"], &["a"]);
        check("[[:digit:]_-]", &["7", "_", "-"], &["a", ":", "["]);
        check("[[:x]", &["[", ":", "x"], &["]"]);
        check("[a-c-e]", &["b", "-", "e"], &["d"]);
        check("/a[!x]b", &["a-b"], &["a/b"]);
        check("/a[.-0]b", &["a.b", "a0b"], &["a/b"]);
    }

    #[test]
    fn a_backslash_escapes_and_braces_are_literal() {
        check(r"\*", &["*"], &["a"]);
        check(r"\[a]", &["[a]"], &["a"]);
        check(r"\!a", &["!a"], &["a"]);
        check("{a,b}", &["{a,b}"], &["a", "b"]);
        check("a.b+(c)|$^ ", &["a.b+(c)|$^ "], &["a-b"]);
    }

    #[test]
    fn patterns_and_names_are_bytes() {
        assert!(matches(b"caf\xe9*", b"a/caf\xe9\xff"));
        assert!(!matches(b"caf\xe9", b"caf\xc3\xa9"));
        assert!(matches(b"[\x80-\xff]", b"\xe9"));
        assert!(matches(b"?", b"\xff"));
        check("straße", &["straße"], &["strasse"]);
    }

    #[test]
    fn patterns_that_can_never_match_are_rejected() {
        for (pattern, word) in [
            ("", "empty"),
            ("/", "empty"),
            ("//", "empty"),
            ("a//b", "component"),
            ("./a", "component"),
            ("a/../b", "component"),
            (".", "component"),
            ("[a", "without its"),
            ("[]", "without its"),
            (r"[\", "without its"),
            ("[a-", "without its"),
            ("[[:digit:", "without its"),
            ("[z-a]", "backwards"),
            ("[[:word:]]", "class"),
            ("[/]", "nothing"),
            (r"a\", "nothing follows"),
        ] {
            let problem = Glob::parse(pattern.as_bytes()).unwrap_err().to_string();
            assert!(problem.contains(word), "{pattern}: {problem}");
        }
    }
}
