//! The accumulator against a naive computation over the whole list, in any order and in any pages.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use towpath::{NotCopied, SeenEntry, Timestamp};
use towpath_backend::{FileId, Kind, Metadata, Owner, RelPath};

use super::findings::Code;
use super::histogram::Amount;
use super::kept::{Examples, Ranking, hash_of};
use super::survey::{RECENT_S, Reader, Survey, Terms, path_of};

const NOW_S: i64 = 1_800_000_000;
const SAMPLES: usize = 7;
const ROOT_BYTES: usize = 20;

/// An entry of a tree.
#[derive(Clone, Debug)]
struct Listed {
    dir: String,
    name: Vec<u8>,
    metadata: Metadata,
    not_copied: Option<NotCopied>,
}

impl Listed {
    fn path(&self) -> Vec<u8> {
        path_of(self.dir.as_bytes(), &self.name)
    }

    fn hash(&self) -> u64 {
        hash_of(self.dir.as_bytes(), &self.name)
    }

    fn is_file(&self) -> bool {
        self.not_copied.is_none() && self.metadata.kind == Kind::File
    }
}

fn entry() -> impl Strategy<Value = Listed> {
    let dir = prop_oneof![Just(String::new()), "[ab]{1,2}(/[ab]{1,2}){0,3}", Just(["long"; 240].join("/"))];
    let name = prop_oneof![
        4 => "[a-z]{1,6}".prop_map(String::into_bytes),
        1 => prop::collection::vec(1_u8..=255, 1..5).prop_map(|name| name.into_iter().map(|b| if b == b'/' || b == b'.' { b'x' } else { b }).collect()),
        1 => Just(vec![b'n'; 255]),
        1 => Just("\u{e9}".repeat(125).into_bytes()),
    ];
    let kind = prop_oneof![6 => Just(Kind::File), 2 => Just(Kind::Dir), 1 => Just(Kind::Symlink)];
    let size = prop_oneof![Just(0), 1..2000_u64, any::<u64>().prop_map(|size| size >> 20), 0..1_u64 << 22];
    let age_s = prop_oneof![-100..400_i64, -1_000_000_000..2_000_000_000_i64];
    let reason =
        prop_oneof![6 => Just(None), 1 => Just(Some(NotCopied::Special)), 1 => Just(Some(NotCopied::TooLarge))];
    let ids = (0..6_u64, 0..3_u32, 0..3_u32, 0..0o10000_u32);
    let allocated = prop::option::of(prop_oneof![Just(0), 0..1_u64 << 22]);
    (dir, name, kind, size, (age_s.clone(), age_s), reason, ids, allocated).prop_map(
        |(dir, name, kind, size, (age_s, changed_s), not_copied, (inode, user, group, mode), allocated_bytes)| {
            let metadata = Metadata {
                changed: Some(Timestamp::from_parts(NOW_S - changed_s, 0)),
                permissions: Some(mode),
                owner: Some(Owner { user, group }),
                id: Some(FileId { device: 1, inode }),
                allocated_bytes,
                ..Metadata::new(kind, size, Timestamp::from_parts(NOW_S - age_s, 0))
            };
            Listed { dir, name, metadata, not_copied }
        },
    )
}

/// A tree has each path once, and the files with the same id are the same.
fn tree() -> impl Strategy<Value = Vec<Listed>> {
    prop::collection::vec(entry(), 0..60).prop_map(|entries| {
        let mut seen = BTreeSet::new();
        let mut sizes = BTreeMap::new();
        let mut entries: Vec<_> = entries.into_iter().filter(|entry| seen.insert(entry.path())).collect();
        for entry in &mut entries {
            let metadata = &mut entry.metadata;
            let inode = metadata.id.unwrap().inode;
            metadata.names = 1 + inode % 3;
            if metadata.names > 1 {
                metadata.size_bytes = *sizes.entry(inode).or_insert(metadata.size_bytes);
            }
        }
        entries
    })
}

fn terms() -> Terms {
    let reader = Reader { user: 1, groups: vec![1] };
    Terms { now: Timestamp::from_parts(NOW_S, 0), reader, root_bytes: ROOT_BYTES, samples: SAMPLES }
}

/// The survey of pages of up to `page` entries of each directory.
fn surveyed(entries: &[Listed], page: usize) -> Survey {
    let mut survey = Survey::new(terms());
    let mut dirs: BTreeMap<&str, Vec<&Listed>> = BTreeMap::new();
    let mut order = Vec::new();
    for entry in entries {
        let dir = dirs.entry(&entry.dir).or_default();
        if dir.is_empty() {
            order.push(entry.dir.as_str());
        }
        dir.push(entry);
    }
    // The pages of several directories alternate, as with several walkers.
    let longest = dirs.values().map(Vec::len).max().unwrap_or(0);
    for from in (0..longest).step_by(page) {
        for dir in &order {
            let listed = &dirs[dir];
            let some = listed.get(from..listed.len().min(from + page)).unwrap_or_default();
            let seen: Vec<_> = some.iter().map(|it| SeenEntry::new(&it.name, &it.metadata, it.not_copied)).collect();
            if !seen.is_empty() {
                survey.add_page(&RelPath::new(dir).unwrap(), &seen, Timestamp::from_parts(NOW_S, 0));
            }
        }
    }
    order.iter().for_each(|dir| survey.end_dir(&RelPath::new(dir).unwrap()));
    survey
}

fn amount<'a>(entries: impl IntoIterator<Item = &'a Listed>) -> Amount {
    let mut amount = Amount::default();
    entries.into_iter().for_each(|entry| amount.add(entry.metadata.size_bytes));
    amount
}

fn examples<'a>(entries: impl IntoIterator<Item = &'a Listed>) -> (u64, Vec<Vec<u8>>) {
    let mut paths: Vec<_> = entries.into_iter().map(Listed::path).collect();
    paths.sort();
    let count = paths.len() as u64;
    paths.truncate(Examples::MAX);
    (count, paths)
}

fn kept(examples: &Examples) -> (u64, Vec<Vec<u8>>) {
    (examples.count, examples.first.iter().cloned().collect())
}

fn ranked<T: Ord + Copy>(mut values: Vec<(T, Vec<u8>)>, max: usize) -> Vec<(T, Vec<u8>)> {
    values.sort_by_key(|(value, path)| (Reverse(*value), path.clone()));
    values.truncate(max);
    values
}

fn ranking<T: Ord + Copy>(ranking: &Ranking<T>) -> Vec<(T, Vec<u8>)> {
    ranking.iter().map(|(value, path)| (*value, path.to_vec())).collect()
}

/// What a sample of entries must be: those with the lowest hashes.
fn sampled<'a>(entries: impl IntoIterator<Item = &'a Listed>) -> BTreeSet<Vec<u8>> {
    let mut all: Vec<_> = entries.into_iter().map(|entry| (entry.hash(), entry.path())).collect();
    all.sort();
    all.into_iter().take(SAMPLES).map(|(_, path)| path).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_survey_is_what_a_naive_computation_finds(entries in tree(), page in 1..9_usize, order in any::<u64>()) {
        let mut shuffled = entries.clone();
        shuffled.sort_by_key(|entry| entry.hash() ^ order);
        let survey = surveyed(&shuffled, page);
        let files = || entries.iter().filter(|entry| entry.is_file());
        let copied = || entries.iter().filter(|entry| entry.not_copied.is_none());
        let of_kind = |kind| copied().filter(|entry| entry.metadata.kind == kind).count() as u64;

        prop_assert_eq!(survey.files, amount(files()));
        prop_assert_eq!((survey.dirs, survey.links), (of_kind(Kind::Dir), of_kind(Kind::Symlink)));
        for reason in [NotCopied::Special, NotCopied::TooLarge] {
            let expected = amount(entries.iter().filter(|entry| entry.not_copied == Some(reason)));
            prop_assert_eq!(survey.not_copied.get(&reason).copied().unwrap_or_default(), expected);
        }
        let all = |used: &[Amount]| (
            used.iter().map(|amount| amount.files).sum::<u64>(),
            used.iter().map(|amount| amount.bytes).sum::<u128>(),
        );
        let (count, bytes) = (survey.files.files, survey.files.bytes);
        prop_assert_eq!((all(survey.sizes.used()), all(survey.ages.used())), ((count, bytes), (count, bytes)));
        let small = files().filter(|entry| (1..1024).contains(&entry.metadata.size_bytes));
        prop_assert_eq!(survey.sizes.named("< 1 KiB"), amount(small));
        let age_s = |entry: &Listed| NOW_S - entry.metadata.modified.seconds();
        prop_assert_eq!(survey.ages.named("< 1 day"), amount(files().filter(|it| (-60..86_400).contains(&age_s(it)))));

        prop_assert_eq!(
            ranking(&survey.largest),
            ranked(files().map(|entry| (entry.metadata.size_bytes, entry.path())).collect(), 10)
        );
        let depth = |entry: &Listed| entry.path().split(|byte| *byte == b'/').count();
        let dirs = copied().filter(|entry| entry.metadata.kind == Kind::Dir);
        prop_assert_eq!(ranking(&survey.deepest), ranked(dirs.map(|dir| (depth(dir), dir.path())).collect(), 10));
        let mut widths: BTreeMap<_, u64> = BTreeMap::new();
        entries.iter().for_each(|entry| *widths.entry(entry.dir.clone().into_bytes()).or_default() += 1);
        prop_assert_eq!(
            ranking(&survey.widest),
            ranked(widths.into_iter().map(|(dir, count)| (count, dir)).collect(), 10)
        );
        prop_assert_eq!(
            ranking(&survey.longest),
            ranked(copied().map(|entry| (entry.path().len(), entry.path())).collect(), 1)
        );

        let not_utf8 = copied().filter(|entry| String::from_utf8(entry.name.clone()).is_err());
        prop_assert_eq!(kept(&survey.not_utf8), examples(not_utf8));
        let control = copied().filter(|entry| entry.name.iter().any(|byte| *byte < 32 || *byte == 127));
        prop_assert_eq!(kept(&survey.control), examples(control));
        let units = |entry: &Listed| String::from_utf8_lossy(&entry.path()).encode_utf16().count();
        prop_assert_eq!(kept(&survey.long_paths.windows), examples(copied().filter(|entry| units(entry) > 256)));
        prop_assert_eq!(kept(&survey.long_paths.object), examples(copied().filter(|it| it.path().len() > 1024)));
        let whole = |entry: &Listed| ROOT_BYTES + 1 + entry.path().len();
        prop_assert_eq!(kept(&survey.long_paths.posix), examples(copied().filter(|entry| whole(entry) > 4095)));

        let set_id = files().filter(|entry| entry.metadata.permissions.unwrap() & 0o6000 != 0);
        prop_assert_eq!(kept(&survey.set_id), examples(set_id));
        let changed_s = |entry: &Listed| NOW_S - entry.metadata.changed.unwrap().seconds();
        let recent = || files().filter(|entry| changed_s(entry) < RECENT_S);
        prop_assert_eq!(kept(&survey.recent), examples(recent()));
        prop_assert_eq!(kept(&survey.future), examples(files().filter(|entry| age_s(entry) < -60)));
        let sparse = files().filter(|it| it.metadata.allocated_bytes.is_some_and(|a| a + 4096 <= it.metadata.size_bytes));
        prop_assert_eq!(survey.sparse.files, sparse.count() as u64);

        let mut linked: BTreeMap<_, (u64, u64, u64)> = BTreeMap::new();
        for file in files().filter(|entry| entry.metadata.names > 1) {
            let metadata = &file.metadata;
            let names = linked.entry(metadata.id.unwrap().inode).or_insert((metadata.size_bytes, metadata.names, 0));
            names.2 += 1;
        }
        let several = || linked.values().filter(|(_, _, seen)| *seen > 1);
        let found = survey.hard_links.linked();
        prop_assert_eq!(found.files, several().count() as u64);
        prop_assert_eq!(found.names, several().map(|(_, _, seen)| seen).sum::<u64>());
        let saved: u128 = several().map(|(size, _, seen)| u128::from(*size) * u128::from(seen - 1)).sum();
        prop_assert_eq!(found.saved_bytes, saved);

        let of_sample = copied().filter(|entry| entry.metadata.kind != Kind::Symlink);
        let sample: BTreeSet<_> = survey.sample.iter().map(|(path, ())| path.to_vec()).collect();
        prop_assert_eq!(sample, sampled(of_sample));
        let sample: BTreeSet<_> = survey.recent_sample.iter().map(|(path, _)| path.to_vec()).collect();
        prop_assert_eq!(sample, sampled(recent()));
        // User 1 with group 1.
        let doubtful = |entry: &&Listed| {
            let (mode, owner) = (entry.metadata.permissions.unwrap(), entry.metadata.owner.unwrap());
            match (owner.user == 1, owner.group == 1) {
                (true, _) => mode & 0o400 == 0,
                (false, true) => mode & 0o040 == 0,
                (false, false) => mode & 0o004 == 0,
            }
        };
        let sample: BTreeSet<_> = survey.doubtful.iter().map(|(path, ())| path.to_vec()).collect();
        prop_assert_eq!(sample, sampled(files().filter(doubtful)));
        prop_assert_eq!(survey.doubtful.from, files().filter(doubtful).count() as u64);
    }
}

#[test]
fn the_page_lists_each_kind_of_finding() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/assess.md")).unwrap();
    let rows: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).collect();
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    let listed: Vec<_> = rows.iter().map(|(code, _)| *code).filter(|code| codes.contains(code)).collect();
    assert_eq!(listed, codes);
}
