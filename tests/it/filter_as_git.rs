//! Patterns have the same meaning as in a `.gitignore`, according to git. Skipped
//! where git is missing.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use towpath::{Filter, Rule, Rules};
use towpath_backend::RelPath;

use crate::common::skip;

const NAMES: [&[u8]; 11] = [b"a", b"b", b"ab", b"a.b", b"*", b"[a]", b"{a,b}", b"\\a", b"!a", b"#a ", b"\xffb"];

/// Three levels of directories with all names, and files with all names in the last.
fn make_tree(root: &Path) -> Vec<(RelPath, bool)> {
    let mut paths = Vec::new();
    let mut dirs = vec![RelPath::root()];
    for level in 0..3 {
        for dir in std::mem::take(&mut dirs) {
            // All names at the top, some below.
            for (index, name) in NAMES.iter().enumerate().take(if level == 0 { NAMES.len() } else { 4 }) {
                let path = dir.join(name).unwrap();
                let is_dir = level < 2 && index % 4 < 2;
                let full = root.join(OsStr::from_bytes(path.as_bytes()));
                if is_dir {
                    fs::create_dir(full).unwrap();
                    dirs.push(path.clone());
                } else {
                    fs::write(full, "").unwrap();
                }
                paths.push((path, is_dir));
            }
        }
    }
    paths
}

/// The paths that git ignores with this list.
fn ignored_by_git(root: &Path, list: &[u8], paths: &[(RelPath, bool)]) -> BTreeSet<Vec<u8>> {
    fs::write(root.join(".git/info/exclude"), list).unwrap();
    let mut git = git(root, &["check-ignore", "--no-index", "-z", "--stdin"]);
    let mut git = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let asked: Vec<_> = paths.iter().flat_map(|(path, _)| [path.as_bytes(), b"\0"].concat()).collect();
    let mut input = git.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&asked).unwrap());
    let output = git.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout.split(|&byte| byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect()
}

fn git(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    // Only this list: no user configuration and no surrounding repository.
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command.env("GIT_DIR", root.join(".git")).env("GIT_WORK_TREE", root).current_dir(root);
    command.args(arguments);
    command
}

/// Lines of a list. Stars are single or a whole component: for `a**/b` git differs
/// from its manual, which defines it as `a*/b`.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"a"[..],
        b"b",
        b".",
        b"?",
        b"[ab]",
        b"[!a]",
        b"[^b-z]",
        b"[]a]",
        b"[[:alpha:]]",
        b"[[:punct:]b]",
        b"[a",
        b"[\xff]",
        b"\xff",
        b"\\*",
        b"\\a",
        b"\\\\",
        b"\\!",
        b"{",
        b",",
        b"}",
        b"#",
        b"!",
        b" ",
        b"\\ ",
        b"-",
    ]);
    let component = prop_oneof![
        4 => prop::collection::vec(piece.clone(), 1..4).prop_map(|pieces| pieces.concat()),
        1 => (prop::collection::vec(piece.clone(), 0..2), prop::collection::vec(piece, 0..2))
            .prop_map(|(before, after)| [&before.concat()[..], b"*", &after.concat()].concat()),
        1 => Just(b"**".to_vec()),
    ];
    let frame = (prop::sample::select(vec![&b""[..], b"!", b"/", b"!/"]), prop::sample::select(vec![&b""[..], b"/"]));
    (frame, prop::collection::vec(component, 1..4))
        .prop_map(|((start, end), components)| [start, &components.join(&b'/'), end].concat())
}

#[test]
fn lists_exclude_what_git_ignores() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    if !git(&root, &["init", "-q"]).output().is_ok_and(|output| output.status.success()) {
        skip("needs git: the comparison with its patterns");
        return;
    }
    let paths = make_tree(&root);
    let lists = prop::collection::vec(line(), 1..4);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    proptest!(ProptestConfig { failure_persistence: None, cases, ..ProptestConfig::default() }, |(lines in lists)| {
        // Patterns that cannot match are errors here and ignored by git.
        let usable: Vec<_> = lines.into_iter().filter(|line| Rule::list(line).is_ok()).collect();
        let list = usable.join(&b'\n');
        let filter = Filter::default().rules(Rules::new(Rule::list(&list).unwrap()).unwrap());
        let excluded = paths.iter().filter(|(path, is_dir)| filter.excludes_with_parents(path, *is_dir));
        let excluded: BTreeSet<_> = excluded.map(|(path, _)| path.as_bytes().to_vec()).collect();
        let shown = |paths: &BTreeSet<Vec<u8>>| paths.iter().map(|path| path.escape_ascii().to_string()).collect::<Vec<_>>();
        prop_assert_eq!(shown(&excluded), shown(&ignored_by_git(&root, &list, &paths)), "{}", list.escape_ascii());
    });
}
