//! Every case of the conformance suite is in the list from which its tests are generated.

#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::Path;

macro_rules! names {
    ($($case:ident),* $(,)?) => { &[$(stringify!($case)),*] };
}

#[test]
fn every_case_is_listed_once() {
    let of_trees: &[&str] = towpath_backend::conformance_cases!(names);
    let of_sources: &[&str] = towpath_backend::source_conformance_cases!(names);
    let listed: Vec<_> = of_trees.iter().chain(of_sources).collect();
    let mut written = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
            // It runs the cases.
            if line.starts_with("check<") {
                continue;
            }
            written.insert(line.split('(').next().unwrap().to_owned());
        }
    }
    assert_eq!(listed.iter().map(|name| (**name).to_owned()).collect::<BTreeSet<_>>(), written);
    assert_eq!(listed.len(), written.len());
}
