//! Detects patterns that are probably mistakes: rsync's filter rules, the path of a tree, quotes, braces. A certain
//! mistake is an error; a pattern that may be a name gets a note. A `\` before the first character makes any pattern
//! literal.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use towpath_backend::registry::Location;

use crate::config::state_files::canonical_of;
use crate::format::escape;
use towpath::{Rule, Rules};

/// The problem with a pattern, and the correct pattern.
#[derive(Debug, PartialEq, Eq)]
enum Advice {
    /// It is an error: otherwise files that it should exclude would be sent.
    Reject(String),
    /// It is used as it stands.
    Note(String),
}

/// Checks the patterns of a migration between two trees; returns notes, each on one line.
///
/// # Errors
/// One line, for a pattern that is rejected.
pub(crate) fn check(rules: &Rules, trees: [&Location; 2]) -> Result<Vec<String>, String> {
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let roots = Roots::of(trees);
    let mut notes = Vec::new();
    for rule in rules.iter() {
        let pattern = rule.pattern();
        let advice = roots.advice(pattern).or_else(|| rsync_rule(pattern)).or_else(|| quoted(pattern));
        match advice.or_else(|| braces(pattern)) {
            Some(Advice::Reject(problem)) => return Err(named(rule, &problem)),
            Some(Advice::Note(problem)) => notes.push(named(rule, &problem)),
            None => {}
        }
    }
    Ok(notes)
}

fn named(rule: &Rule, problem: &str) -> String {
    format!("{}: pattern `{}` {problem}", rule.origin(), escape(rule.pattern()))
}

/// The paths of both trees, as given and with links resolved.
struct Roots(Vec<(&'static str, Vec<u8>)>);

impl Roots {
    fn of(trees: [&Location; 2]) -> Self {
        let mut roots = Vec::new();
        for (side, tree) in ["SOURCE", "DEST"].into_iter().zip(trees) {
            let Location::Path(given) = tree else { continue };
            for path in [given, &canonical_of(tree)] {
                let mut bytes = path.as_os_str().as_bytes();
                while let Some(rest) = bytes.strip_suffix(b"/") {
                    bytes = rest;
                }
                if !bytes.is_empty() && bytes != b"." && !roots.iter().any(|(_, root)| root == bytes) {
                    roots.push((side, bytes.to_vec()));
                }
            }
        }
        Self(roots)
    }

    /// Advice for a pattern that begins with the path of one of the trees.
    fn advice(&self, pattern: &[u8]) -> Option<Advice> {
        let (side, root, rest) = self.0.iter().find_map(|(side, root)| {
            let rest = pattern.strip_prefix(&root[..])?;
            (rest.is_empty() || rest.starts_with(b"/")).then_some((side, root, rest))
        })?;
        if self.hold(root) {
            return None;
        }
        let problem = match rest {
            b"" | b"/" => format!("is {side} itself: patterns are matched against what is in it"),
            rest => {
                format!("begins with the path of {side}, but patterns begin at its root: write `{}`", escape(rest))
            }
        };
        // With a relative path the mistake is less certain.
        Some(if root.starts_with(b"/") { Advice::Reject(problem) } else { Advice::Note(problem) })
    }

    /// Whether one of the trees contains such a path, so that the pattern may be correct.
    fn hold(&self, path: &[u8]) -> bool {
        let inner = Path::new(std::ffi::OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path)));
        let roots = self.0.iter().map(|(_, root)| Path::new(std::ffi::OsStr::from_bytes(root)));
        roots.into_iter().any(|root| fs::symlink_metadata(root.join(inner)).is_ok())
    }
}

/// A rule of rsync's filter files.
enum RsyncRule {
    Exclude,
    Include,
    List,
    ListInEach,
    Protect,
    Risk,
}

const RSYNC_RULES: [(&str, RsyncRule); 14] = [
    ("-", RsyncRule::Exclude),
    ("+", RsyncRule::Include),
    (".", RsyncRule::List),
    (":", RsyncRule::ListInEach),
    ("H", RsyncRule::Exclude),
    ("S", RsyncRule::Include),
    ("P", RsyncRule::Protect),
    ("R", RsyncRule::Risk),
    ("exclude", RsyncRule::Exclude),
    ("include", RsyncRule::Include),
    ("merge", RsyncRule::List),
    ("dir-merge", RsyncRule::ListInEach),
    ("protect", RsyncRule::Protect),
    ("risk", RsyncRule::Risk),
];

/// Advice for a pattern that is written as a filter rule of rsync.
fn rsync_rule(pattern: &[u8]) -> Option<Advice> {
    let text = std::str::from_utf8(pattern).ok()?;
    let (word, argument) = text.split_once(' ')?;
    let is_named = |name: &str| word.strip_prefix(name).is_some_and(|rest| are_modifiers(name, rest));
    let (name, rule) = RSYNC_RULES.iter().find(|(name, _)| is_named(name))?;
    let argument = argument.trim_start();
    let right = match rule {
        _ if argument.is_empty() => return None,
        RsyncRule::Exclude => format!("write `{argument}`"),
        RsyncRule::Include => format!("write `!{argument}` in a list, or --include '{argument}'"),
        RsyncRule::List => format!("use --exclude-from '{argument}'"),
        RsyncRule::ListInEach => {
            "lists in each directory are not read; name all patterns in one, with --exclude-from".to_owned()
        }
        RsyncRule::Protect => {
            format!("write `{argument}`: what is excluded is not deleted from DEST either")
        }
        RsyncRule::Risk => "leave it out; --delete-excluded deletes what the patterns exclude".to_owned(),
    };
    let problem = format!("is a filter rule of rsync, and here a name that begins with `{name}`: {right}");
    // Names that begin with a dash and a space are rare, and can be escaped.
    Some(match word {
        "-" | "+" => Advice::Reject(format!("{problem} (for such a name, `\\{text}`)")),
        _ => Advice::Note(problem),
    })
}

/// Whether rsync accepts `rest` between a rule's name and its pattern: `,` and letters, or a sign's one modifier.
fn are_modifiers(name: &str, rest: &str) -> bool {
    let is_modifier = |c: char| "/!Csrpxenw-+".contains(c);
    let is_sign = matches!(name, "-" | "+" | "." | ":");
    match rest.strip_prefix(',') {
        Some(letters) => letters.chars().all(is_modifier),
        None => rest.is_empty() || (is_sign && rest != name && rest.len() == 1 && rest.chars().all(is_modifier)),
    }
}

/// Advice for a pattern in quotes, which a shell would have removed.
fn quoted(pattern: &[u8]) -> Option<Advice> {
    let (Some(first @ (b'\'' | b'"')), Some(last)) = (pattern.first(), pattern.last()) else { return None };
    let inner = pattern.get(1..pattern.len() - 1).filter(|inner| first == last && !inner.is_empty())?;
    Some(Advice::Note(format!("is quoted, and matches only names with these quotes: write `{}`", escape(inner))))
}

/// Advice for a pattern with alternatives in braces.
fn braces(pattern: &[u8]) -> Option<Advice> {
    const MOST: usize = 3;
    let text = std::str::from_utf8(pattern).ok()?;
    let (before, rest) = text.split_once('{')?;
    let (inner, after) = rest.split_once('}')?;
    if before.ends_with(['\\', '[']) || !inner.contains(',') {
        return None;
    }
    let mut each: Vec<_> = inner.split(',').take(MOST).map(|one| format!("`{before}{one}{after}`")).collect();
    if inner.split(',').count() > MOST {
        each.push("…".to_owned());
    }
    Some(Advice::Note(format!(
        "has braces, which match only themselves: write a pattern for each, {}",
        each.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(advice: Option<Advice>) -> String {
        match advice {
            Some(Advice::Reject(problem)) => problem,
            other => panic!("{other:?}"),
        }
    }

    fn noted(advice: Option<Advice>) -> String {
        match advice {
            Some(Advice::Note(problem)) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn filter_rules_of_rsync_get_advice() {
        let exclude = rejected(rsync_rule(b"- *.tmp"));
        assert!(exclude.contains("write `*.tmp`") && exclude.contains(r"`\- *.tmp`"), "{exclude}");
        let include = rejected(rsync_rule(b"+ /keep"));
        assert!(include.contains("`!/keep`") && include.contains("--include '/keep'"), "{include}");
        for (pattern, right) in [
            ("exclude *.o", "write `*.o`"),
            ("-! *.o", "write `*.o`"),
            ("include,s x", "--include 'x'"),
            (". /etc/list", "--exclude-from '/etc/list'"),
            ("merge list", "--exclude-from 'list'"),
            (":- .gitignore", "in each directory"),
            ("H *.o", "write `*.o`"),
            ("P *.o", "not deleted"),
            ("risk *.o", "--delete-excluded"),
        ] {
            let note = noted(rsync_rule(pattern.as_bytes()));
            assert!(note.contains(right), "{pattern}: {note}");
        }
        for name in [
            r"\- x",
            "-x",
            "- ",
            "a - b",
            "excluded files",
            "Pictures old",
            ".cache",
            "--x y",
            "-- y",
            "-dash",
            "Press x",
            ".new x",
        ] {
            assert_eq!(rsync_rule(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn quotes_and_braces_get_a_note() {
        assert!(noted(quoted(b"'*.tmp'")).contains("write `*.tmp`"));
        assert!(noted(quoted(b"\"a b\"")).contains("write `a b`"));
        for name in [&b"'"[..], b"''", b"'a", b"a'", b"'a\"", b""] {
            assert_eq!(quoted(name), None);
        }
        assert!(noted(braces(b"*.{jpg,png}")).ends_with("write a pattern for each, `*.jpg`, `*.png`"));
        assert!(noted(braces(b"{a,b,c,d}/")).ends_with("`a/`, `b/`, `c/`, …"));
        for name in [&b"{a}"[..], b"\\{a,b}", b"[{]a,b}", b"a,b", b"}a,b{", b"{\xff,b}"] {
            assert_eq!(braces(name), None, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn the_path_of_a_tree_is_rejected_unless_the_tree_contains_such_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let (source, dest, link) = (folder.path().join("old"), folder.path().join("new"), folder.path().join("link"));
        fs::create_dir(&source).unwrap();
        std::os::unix::fs::symlink(&source, &link).unwrap();
        let locations = [Location::Path(link.clone()), Location::Path(dest.clone())];
        let roots = || Roots::of([&locations[0], &locations[1]]);
        let advice = |path: &Path| roots().advice(path.as_os_str().as_bytes());
        for path in [&source, &link] {
            let problem = rejected(advice(&path.join("cache")));
            assert!(problem.contains("path of SOURCE") && problem.ends_with("write `/cache`"), "{problem}");
            assert!(rejected(advice(path)).contains("SOURCE itself"));
        }
        assert!(rejected(advice(&dest.join("a/b"))).contains("path of DEST"));
        assert_eq!(advice(&folder.path().join("older")), None);
        assert_eq!(advice(Path::new("/cache")), None);
        fs::create_dir_all(source.join(source.strip_prefix("/").unwrap())).unwrap();
        assert_eq!(advice(&source.join("cache")), None, "it may be meant");
    }

    #[test]
    fn the_root_directory_and_urls_are_not_paths_of_a_tree() {
        let url = Location::parse("s3://bucket/x".as_ref()).unwrap();
        let roots = Roots::of([&Location::Path("/".into()), &url]);
        assert_eq!(roots.advice(b"/etc"), None);
        let roots = Roots(vec![("SOURCE", b"relative".to_vec())]);
        assert!(noted(roots.advice(b"relative/cache")).ends_with("write `/cache`"));
    }
}
