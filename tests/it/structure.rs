//! The files and folders of the sources have no import cycles.
//!
//! Imports are read from the text of the files, without comments and unit tests. A `mod` line is not an import; an
//! item that a module re-exports counts as its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The files that each file imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// The text of a crate's files, by path below `src`.
struct Sources(BTreeMap<String, String>);

impl Sources {
    fn read(src: &str, excluded_dir: &str) -> Self {
        let mut files = BTreeMap::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(src);
        let mut dirs = vec![root.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() && name != excluded_dir {
                    dirs.push(path);
                } else if name.ends_with(".rs") {
                    files.insert(name, without_tests_and_comments(&fs::read_to_string(&path).unwrap()));
                }
            }
        }
        assert!(files.len() > 1, "{src} has sources");
        Self(files)
    }

    fn imports(&self) -> Imports {
        let is_test = |file: &&String| self.is_declared_for_tests(file);
        let files = self.0.iter().filter(|(file, _)| !is_test(file));
        files.map(|(file, text)| (file.clone(), self.imports_of(file, text))).collect()
    }

    fn imports_of(&self, file: &str, text: &str) -> BTreeSet<String> {
        let here = module_of(file);
        let paths = paths(text).into_iter().filter_map(|path| {
            let first = path.first().map(String::as_str);
            let (mut module, rest) = match first? {
                "crate" => (Vec::new(), &path[1..]),
                "self" => (here.clone(), &path[1..]),
                "super" => (here.clone(), &path[..]),
                child if self.file_of(&[&here[..], &[child.to_owned()]].concat()).is_some() => {
                    (here.clone(), &path[..])
                }
                _ => return None,
            };
            for name in rest {
                let mut next = module.clone();
                if name == "super" {
                    drop(next.pop());
                } else {
                    next.push(name.clone());
                }
                if self.file_of(&next).is_none() {
                    break;
                }
                module = next;
            }
            self.file_of(&module)
        });
        paths.filter(|imported| imported != file).collect()
    }

    fn file_of(&self, module: &[String]) -> Option<String> {
        let path = module.join("/");
        let names = match module {
            [] => ["lib.rs".to_owned(), "main.rs".to_owned()],
            _ => [format!("{path}.rs"), format!("{path}/mod.rs")],
        };
        names.into_iter().find(|name| self.0.contains_key(name))
    }

    fn is_declared_for_tests(&self, file: &str) -> bool {
        let mut module = module_of(file);
        let Some(name) = module.pop() else { return false };
        let parent = self.file_of(&module).map(|parent| &self.0[&parent]);
        parent.is_some_and(|text| text.contains(&format!("#[cfg(test)]\nmod {name};")))
    }
}

fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("mod").map_or(path, |folder| folder.trim_end_matches('/'));
    path.split('/').filter(|name| !matches!(*name, "lib" | "main" | "")).map(str::to_owned).collect()
}

/// Unit tests must be the last module of a file.
fn without_tests_and_comments(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
    let is_tests = |at: &usize| {
        let module = lines[at + 1..].iter().find(|line| !line.starts_with("#["));
        lines[*at] == "#[cfg(test)]" && module.is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    let end = (0..lines.len()).find(is_tests).unwrap_or(lines.len());
    lines[..end].join("\n")
}

/// The names and punctuation of a text, without visibilities: `pub(in crate::a)` is not an import.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let name_end = rest.find(|char: char| !(char.is_alphanumeric() || char == '_'));
        let length = match name_end {
            Some(0) if rest.starts_with("::") => 2,
            Some(0) => first.len_utf8(),
            end => end.unwrap_or(rest.len()),
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
        if tokens.last() == Some(&"pub") && rest.starts_with('(') {
            rest = rest.split_once(')').map_or("", |(_, after)| after.trim_start());
        }
    }
    tokens
}

/// The paths in a text; each path of nested braces is separate.
fn paths(text: &str) -> Vec<Vec<String>> {
    let (tokens, mut paths, mut at) = (tokens(text), Vec::new(), 0);
    while at < tokens.len() {
        if tokens[at] == "use" {
            at = use_tree(&tokens, at + 1, &[], &mut paths);
        } else if is_name(tokens[at]) && tokens.get(at + 1) == Some(&"::") {
            let mut path = vec![tokens[at].to_owned()];
            while tokens.get(at + 1) == Some(&"::") && tokens.get(at + 2).is_some_and(|name| is_name(name)) {
                at += 2;
                path.push(tokens[at].to_owned());
            }
            paths.push(path);
        }
        at += 1;
    }
    paths
}

/// Reads one tree of a `use` below `prefix`; returns the position of the token after it.
fn use_tree(tokens: &[&str], mut at: usize, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let (mut path, mut is_glob) = (prefix.to_vec(), false);
    while let Some(token) = tokens.get(at) {
        match *token {
            "::" => {}
            "*" => is_glob = true,
            "{" => {
                while !matches!(tokens.get(at), None | Some(&"}")) {
                    at = use_tree(tokens, at + 1, &path, paths);
                }
                return at + 1;
            }
            "," | "}" | ";" => break,
            "as" => at += 1,
            name => path.push(name.to_owned()),
        }
        at += 1;
    }
    // Behind the last comma of a list is nothing.
    if is_glob || path.len() > prefix.len() {
        paths.push(path);
    }
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

/// A cycle, if any: each name imports the next, and the last imports the first.
fn cycle(imports: &Imports) -> Option<Vec<String>> {
    let mut left = imports.clone();
    // A name that imports none of the others is in no cycle.
    loop {
        let names: BTreeSet<_> = left.keys().cloned().collect();
        left.values_mut().for_each(|imported| imported.retain(|name| names.contains(name)));
        let before = left.len();
        left.retain(|_, imported| !imported.is_empty());
        if left.len() == before {
            break;
        }
    }
    let mut path = vec![left.keys().next()?.clone()];
    loop {
        let next = left[path.last()?].first()?.clone();
        if let Some(from) = path.iter().position(|name| *name == next) {
            return Some(path.split_off(from));
        }
        path.push(next);
    }
}

/// The imports between the entries of a folder (`""`: the top), where each subfolder counts as one file.
fn folders(imports: &Imports, below: &str) -> Imports {
    let folder = |file: &str| {
        let name = file.strip_prefix(below)?.split('/').next()?.trim_end_matches(".rs");
        (!matches!(name, "lib" | "main" | "mod")).then(|| name.to_owned())
    };
    let mut folders = Imports::new();
    for (file, imported) in imports {
        let Some(from) = folder(file) else { continue };
        let others = imported.iter().filter_map(|file| folder(file)).filter(|to| *to != from);
        let others: Vec<_> = others.collect();
        folders.entry(from).or_default().extend(others);
    }
    folders
}

fn check(src: &str, excluded_dir: &str, parents: &[&str]) {
    let imports = Sources::read(src, excluded_dir).imports();
    assert_eq!(cycle(&imports), None, "files of {src} import each other");
    for below in parents {
        assert_eq!(cycle(&folders(&imports, below)), None, "folders of {src}/{below} import each other");
    }
}

#[test]
fn the_library_has_no_import_cycles() {
    check("src", "bin", &["", "phase/"]);
}

#[test]
fn the_program_has_no_import_cycles() {
    check("src/bin/towpath", "", &[""]);
}

#[test]
fn the_backends_have_no_import_cycles() {
    for backend in ["api", "local", "memory", "opendal"] {
        check(&format!("backends/{backend}/src"), "", &[""]);
    }
}

#[test]
fn no_phase_imports_another() {
    let phases = folders(&Sources::read("src", "bin").imports(), "phase/");
    assert!(phases.len() > 3, "{phases:?}");
    assert!(phases.values().all(BTreeSet::is_empty), "{phases:?}");
}

#[test]
fn cycles_are_found_in_every_form_of_import() {
    let cycle_of = |files: &[(&str, &str)]| {
        let text = |(name, text): &(&str, &str)| ((*name).to_owned(), without_tests_and_comments(text));
        cycle(&Sources(files.iter().map(text).collect()).imports())
    };
    let lib = ("lib.rs", "mod a;\nmod b;\npub use b::X;");
    let both = Some(vec!["a/mod.rs".to_owned(), "b.rs".to_owned()]);
    for (a, b) in [
        ("use crate::b;", "use super::a;"),
        ("use super::{c::{D, E}, b::F as G};", "fn f() { crate::a::g() }"),
        ("pub(crate) use crate::{b::*};", "type T = super::a::T;"),
        ("use crate::b::{c, *};", "use super::a;"),
    ] {
        assert_eq!(cycle_of(&[lib, ("a/mod.rs", a), ("b.rs", b)]), both, "{a} {b}");
    }
    for (a, b) in [
        ("mod child;\nuse crate::b::X;", "// use crate::a;\n/// [`crate::a`]\npub(in crate::a) fn f() {}"),
        ("use crate::b;", "#[cfg(test)]\nmod tests {\n    use crate::a;\n}"),
        ("use std::b;", "use crate::a;"),
        ("", "use super::{\n    a::X,\n};"),
    ] {
        assert_eq!(cycle_of(&[lib, ("a/mod.rs", a), ("b.rs", b), ("a/child.rs", "use super::X;")]), None, "{a} {b}");
    }
    let parent = ("a/mod.rs", "mod child;\npub use child::X;");
    let found = cycle_of(&[lib, parent, ("b.rs", ""), ("a/child.rs", "use super::Y;")]);
    assert_eq!(found, Some(vec!["a/child.rs".to_owned(), "a/mod.rs".to_owned()]), "through a re-export");
    let through_root = cycle_of(&[lib, ("a/mod.rs", ""), ("b.rs", "use crate::X;")]);
    assert_eq!(through_root, Some(vec!["b.rs".to_owned(), "lib.rs".to_owned()]), "through the crate root");
}
