//! Tests of whole filters: order, limits, fingerprints, any names and patterns.

use super::*;
use proptest::prelude::*;

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

fn filter(list: &[u8]) -> Filter {
    Filter::default().rules(Rules::new(Rule::list(list).unwrap()).unwrap())
}

#[test]
fn the_last_rule_that_matches_decides() {
    let reversed = filter(b"!keep.tmp\n*.tmp");
    let filter = filter(b"*.tmp\n!keep.tmp\n/a/keep.tmp");
    let excludes = |name: &str| filter.excludes(&path(name), false);
    assert!(excludes("x.tmp") && excludes("b/x.tmp") && excludes("a/keep.tmp"));
    assert!(!excludes("keep.tmp") && !excludes("b/keep.tmp") && !excludes("other"));
    assert!(reversed.excludes(&path("keep.tmp"), false));
}

#[test]
fn a_slash_at_the_end_is_for_directories() {
    let filter = filter(b"*\n!*/\nkeep/");
    assert!(filter.excludes(&path("a"), false) && !filter.excludes(&path("a"), true));
    assert!(filter.excludes(&path("keep"), true) && filter.excludes(&path("keep"), false));
}

#[test]
fn entries_below_an_excluded_directory_are_excluded_with_their_parents() {
    let filter = filter(b"/a/b/\n!keep");
    assert!(!filter.excludes(&path("a/b/keep"), false));
    assert!(filter.excludes_with_parents(&path("a/b/keep"), false));
    assert!(filter.excludes_with_parents(&path("a/b/c/d"), false));
    assert!(!filter.excludes_with_parents(&path("a/keep"), false));
    assert!(!filter.excludes_with_parents(&path("a/b"), false), "not a directory");
}

#[test]
fn the_root_is_never_excluded() {
    let filter = filter(b"*\n**\n/**");
    assert!(!filter.excludes_with_parents(&RelPath::root(), true));
}

#[test]
fn rules_that_matched_nothing_are_listed() {
    let filter = filter(b"*.tmp\ncache/\n/a/b\n!keep.tmp\n*.bak\n");
    let unmatched = |filter: &Filter| filter.unmatched().map(|rule| rule.origin().to_owned()).collect::<Vec<_>>();
    assert_eq!(unmatched(&filter).len(), 5);
    let shared = filter.clone();
    shared.excludes(&path("dir/x.tmp"), false);
    shared.excludes(&path("cache"), false);
    shared.excludes(&path("a/b"), true);
    assert_eq!(unmatched(&filter), ["line 2", "line 4", "line 5"], "`cache/` is for directories");
    // An include that an exclude overrides later has matched all the same.
    shared.excludes(&path("keep.tmp"), false);
    shared.excludes(&path("cache"), true);
    assert_eq!(unmatched(&filter), ["line 5"]);
    assert_eq!(unmatched(&filter.clone().unmatched_again()).len(), 5);
    assert_eq!(unmatched(&filter), ["line 5"], "another walk counts separately");
}

#[test]
fn limits_apply_to_regular_files_and_include_their_bounds() {
    let filter =
        Filter::default().max_size_bytes(Some(10)).min_size_bytes(Some(5)).newer_than(Some(Timestamp::from_ns(100)));
    let file = |size, time| filter.leaves_out(&Metadata::new(Kind::File, size, Timestamp::from_ns(time)));
    assert_eq!((file(5, 101), file(10, 101)), (None, None));
    assert_eq!(file(4, 101), Some(LeftOut::TooSmall));
    assert_eq!(file(11, 101), Some(LeftOut::TooLarge));
    assert_eq!(file(7, 100), Some(LeftOut::TooOld));
    for kind in [Kind::Dir, Kind::Symlink, Kind::Other] {
        assert_eq!(filter.leaves_out(&Metadata::new(kind, 4096, Timestamp::from_ns(0))), None);
    }
}

#[test]
fn limits_that_exclude_every_file_are_an_error() {
    let check = |min, max| Filter::default().min_size_bytes(Some(min)).max_size_bytes(Some(max)).check();
    assert_eq!(check(5, 5), Ok(()));
    assert!(check(6, 5).unwrap_err().to_string().contains("min size 6"));
}

#[test]
fn different_filters_have_different_fingerprints() {
    let age = Some(Duration::from_secs(60));
    let differing = [
        Filter::default(),
        filter(b"a\nb"),
        filter(b"b\na"),
        filter(b"a\n!b"),
        filter(b"a\\nb"),
        Filter::default().max_size_bytes(Some(1)),
        Filter::default().min_size_bytes(Some(1)),
        Filter::default().newer_than(Some(Timestamp::from_ns(1))),
        Filter::default().newer_than(Some(Timestamp::from_ns(1))).newer_than_age(age),
        Filter::default().one_file_system(true),
    ];
    let texts: std::collections::BTreeSet<_> = differing.iter().map(Filter::fingerprint).collect();
    assert_eq!(texts.len(), differing.len(), "{texts:?}");
    assert!(differing[0].is_empty() && differing[1..].iter().all(|filter| !filter.is_empty()));
    let tomorrow = Filter::default().newer_than(Some(Timestamp::from_ns(2))).newer_than_age(age);
    assert_eq!(tomorrow.fingerprint(), differing[8].fingerprint());
}

/// Any bytes, with a preference for special characters.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => any::<u8>(), 5 => prop::sample::select(b"ab*?[]!^-\\/#. :\n\xff".to_vec())];
    prop::collection::vec(byte, 0..16)
}

fn paths() -> impl Strategy<Value = RelPath> {
    let names = prop::collection::vec("[ab.*\\[\\\\]{1,3}", 1..4);
    let likely = names.prop_filter_map("no path", |names| RelPath::new(names.join("/")).ok());
    let unlikely = bytes().prop_filter_map("no path", |bytes| RelPath::new(bytes).ok());
    prop_oneof![likely, unlikely].prop_filter("the root", |path| !path.is_root())
}

/// `name` as a pattern that matches this name alone.
fn escaped(name: &[u8]) -> Vec<u8> {
    name.iter().flat_map(|&byte| if byte == b'/' { vec![byte] } else { vec![b'\\', byte] }).collect()
}

proptest! {
    #[test]
    fn any_pattern_is_accepted_or_rejected_on_one_line(pattern in bytes(), path in paths(), is_dir: bool) {
        match Rule::exclude(&pattern) {
            Ok(rule) => {
                let _either = Filter::default().rules(Rules::new([rule]).unwrap()).excludes(&path, is_dir);
            }
            Err(bad) => prop_assert!(bad.to_string().starts_with("pattern `"), "{}", bad),
        }
    }

    #[test]
    fn any_list_is_accepted_or_rejected(list in bytes()) {
        if let Err(bad) = Rule::list(&list) {
            prop_assert!(bad.line.is_some());
        }
    }

    #[test]
    fn an_escaped_name_matches_only_itself(path in paths(), other in paths()) {
        let pattern = [b"/", &escaped(path.as_bytes())[..]].concat();
        let filter = Filter::default().rules(Rules::new([Rule::exclude(pattern).unwrap()]).unwrap());
        prop_assert!(filter.excludes(&path, false));
        prop_assert_eq!(filter.excludes(&other, false), path == other);
    }

    #[test]
    fn a_name_without_a_slash_matches_in_every_directory(name in paths(), above in paths()) {
        let pattern = escaped(name.name().unwrap());
        let filter = Filter::default().rules(Rules::new([Rule::exclude(pattern).unwrap()]).unwrap());
        prop_assert!(filter.excludes(&name, false));
        prop_assert!(filter.excludes(&above.join(name.name().unwrap()).unwrap(), false));
        prop_assert!(filter.excludes_with_parents(&name.join("x").unwrap(), false));
    }

    #[test]
    fn the_last_of_any_matching_rules_decides(includes in prop::collection::vec(any::<bool>(), 1..6), path in paths()) {
        let rules = includes.iter().map(|&includes| if includes { Rule::include("*") } else { Rule::exclude("*") });
        let rules = Rules::new(rules.map(Result::unwrap)).unwrap();
        let filter = Filter::default().rules(rules);
        prop_assert_eq!(filter.excludes(&path, false), includes.last() == Some(&false));
    }

    #[test]
    fn many_rules_decide_as_the_last_of_those_that_match_alone(
        patterns in prop::collection::vec((bytes(), any::<bool>()), 0..6),
        path in paths(),
        is_dir: bool,
    ) {
        let usable: Vec<_> = patterns.into_iter().filter(|(pattern, _)| Rule::exclude(pattern).is_ok()).collect();
        let rule = |(pattern, includes): &(Vec<u8>, bool)| {
            if *includes { Rule::include(pattern) } else { Rule::exclude(pattern) }.unwrap()
        };
        let alone = |pattern: &[u8]| Rules::new([Rule::exclude(pattern).unwrap()]).unwrap().exclude(&path, is_dir);
        let last = usable.iter().rfind(|(pattern, _)| alone(pattern));
        let all = Rules::new(usable.iter().map(rule)).unwrap();
        prop_assert_eq!(all.exclude(&path, is_dir), last.is_some_and(|(_, includes)| !includes));
    }
}
