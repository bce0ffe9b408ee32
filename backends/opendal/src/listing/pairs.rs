//! Names of an object store that are both an object and a prefix of others.
//!
//! `a` and `a/b` are a file and a directory of one name, which no tree has. Both are withheld, so that one error can be
//! reported for the name. Keys come sorted, but OpenDAL shows the prefixes of a page before its objects. So an
//! object waits until keys are past its name with a slash, and a prefix until its page must be over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// No server's page has more entries.
const PAGE_ENTRIES: usize = 5000;

/// What is known of a name once no other entry of the same name can follow.
#[derive(Debug)]
pub(super) enum Named<M> {
    File(String, M),
    Dir(String, M),
    /// An object, with its metadata, and objects below it.
    Both(String, M),
}

/// The entries that wait.
#[derive(Debug)]
pub(super) struct Pairs<M> {
    files: BTreeMap<String, M>,
    dirs: BTreeMap<String, M>,
    /// The names of `dirs` in the order in which they came, each with its number.
    order: VecDeque<(u64, String)>,
    /// Directories that were passed on, as long as keys begin with their names.
    passed_dirs: BTreeSet<String>,
    entries: u64,
    done: VecDeque<Named<M>>,
}

impl<M> Default for Pairs<M> {
    fn default() -> Self {
        Self {
            files: BTreeMap::new(),
            dirs: BTreeMap::new(),
            order: VecDeque::new(),
            passed_dirs: BTreeSet::new(),
            entries: 0,
            done: VecDeque::new(),
        }
    }
}

impl<M> Pairs<M> {
    /// Takes the next entry of a listing.
    pub(super) fn add(&mut self, name: String, is_dir: bool, metadata: M) {
        self.entries += 1;
        let key = if is_dir { format!("{name}/") } else { name.clone() };
        self.pass_files(|file| format!("{file}/") < key);
        self.passed_dirs.retain(|dir| key.starts_with(dir.as_str()));
        if is_dir {
            self.add_dir(name, metadata);
        } else if self.dirs.remove(&name).is_some() {
            self.done.push_back(Named::Both(name, metadata));
        } else {
            self.files.insert(name, metadata);
        }
        while self.order.front().is_some_and(|(number, _)| self.entries - number > PAGE_ENTRIES as u64) {
            self.pass_first_dir(&key);
        }
    }

    /// Takes the next entry of a storage whose names are unique, and whose listing need not be sorted.
    pub(super) fn add_unique(&mut self, name: String, is_dir: bool, metadata: M) {
        self.done.push_back(if is_dir { Named::Dir(name, metadata) } else { Named::File(name, metadata) });
    }

    /// Whether a directory of this name is known.
    fn has_dir(&self, name: &str) -> bool {
        self.dirs.contains_key(name) || self.passed_dirs.contains(name)
    }

    fn add_dir(&mut self, name: String, metadata: M) {
        if let Some(file) = self.files.remove(&name) {
            self.done.push_back(Named::Both(name, file));
        } else if !self.has_dir(&name) {
            self.order.push_back((self.entries, name.clone()));
            self.dirs.insert(name, metadata);
        }
    }

    /// Ends the listing: nothing more can follow.
    pub(super) fn end(&mut self) {
        self.pass_files(|_| true);
        while !self.order.is_empty() {
            self.pass_first_dir("");
        }
    }

    /// The next name that nothing can follow.
    pub(super) fn pop(&mut self) -> Option<Named<M>> {
        self.done.pop_front()
    }

    fn pass_files(&mut self, is_past: impl Fn(&str) -> bool) {
        let past: Vec<_> = self.files.keys().filter(|file| is_past(file)).cloned().collect();
        for name in past {
            if let Some(metadata) = self.files.remove(&name) {
                self.done.push_back(Named::File(name, metadata));
            }
        }
    }

    fn pass_first_dir(&mut self, key: &str) {
        let Some((_, name)) = self.order.pop_front() else { return };
        // Otherwise an object has the same name.
        if let Some(metadata) = self.dirs.remove(&name) {
            if key.starts_with(&name) {
                self.passed_dirs.insert(name.clone());
            }
            self.done.push_back(Named::Dir(name, metadata));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The names of keys in a root, as OpenDAL lists them from a server with this page size.
    fn listed(keys: &BTreeSet<String>, page: usize) -> Vec<(String, bool)> {
        let names: Vec<_> =
            keys.iter().map(|key| key.split_once('/').map_or((key.as_str(), false), |(dir, _)| (dir, true))).collect();
        let mut unique = names.clone();
        unique.dedup();
        let mut listed = Vec::new();
        for page in unique.chunks(page) {
            for dirs in [true, false] {
                listed.extend(
                    page.iter().filter(|(_, is_dir)| *is_dir == dirs).map(|(name, dir)| ((*name).to_owned(), *dir)),
                );
            }
        }
        listed
    }

    proptest! {
        #[test]
        fn every_name_comes_once_and_pairs_are_found(
            keys in prop::collection::btree_set("[a!./]{0,2}[ab0!]", 0..60),
            page in 1usize..20,
        ) {
            let keys: BTreeSet<_> = keys.into_iter().filter(|key| !key.starts_with('/')).collect();
            let mut pairs = Pairs::default();
            let mut found = Vec::new();
            for (name, is_dir) in listed(&keys, page) {
                pairs.add(name, is_dir, ());
                while let Some(named) = pairs.pop() { found.push(named) }
            }
            pairs.end();
            while let Some(named) = pairs.pop() { found.push(named) }
            let mut expected: BTreeMap<String, (bool, bool)> = BTreeMap::new();
            for key in &keys {
                match key.split_once('/') {
                    Some((dir, _)) => expected.entry(dir.to_owned()).or_default().1 = true,
                    None => expected.entry(key.clone()).or_default().0 = true,
                }
            }
            prop_assert_eq!(found.len(), expected.len());
            for named in found {
                let (name, is) = match named {
                    Named::File(name, _) => (name, (true, false)),
                    Named::Dir(name, _) => (name, (false, true)),
                    Named::Both(name, _) => (name, (true, true)),
                };
                prop_assert_eq!(expected[&name], is, "{}", name);
            }
        }
    }

    #[test]
    fn few_entries_wait() {
        let mut pairs = Pairs::default();
        for number in 0..20_000 {
            pairs.add(format!("d{number:06}"), true, ());
            pairs.add(format!("d{number:06}-file"), false, ());
            while pairs.pop().is_some() {}
        }
        assert!(
            pairs.dirs.len() <= PAGE_ENTRIES && pairs.files.len() <= 2 && pairs.passed_dirs.len() <= 1,
            "{pairs:?}"
        );
    }
}
