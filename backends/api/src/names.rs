//! Which names a storage can hold, and which of them it treats as the same.

/// The rules of a storage for names.
///
/// Most storages accept any bytes. The rules of the others must be known before anything is written: if two names are
/// the same to a storage, the second would overwrite the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameRules {
    /// Names that differ only in upper and lower case are the same.
    pub folds_case: bool,
    /// Names that differ only in how accents are composed (Unicode normalisation) are the same.
    pub folds_unicode: bool,
    /// Dots and spaces at the end of a name are lost.
    pub trims_end: bool,
    /// Names must be valid UTF-8.
    pub utf8_only: bool,
    /// Names with white space at their beginning or end are rejected.
    pub rejects_outer_space: bool,
    /// Bytes that no name may contain.
    pub rejected: ByteSet,
}

impl NameRules {
    /// Names are bytes, and every byte counts.
    pub const BYTES: Self = Self {
        folds_case: false,
        folds_unicode: false,
        trims_end: false,
        utf8_only: false,
        rejects_outer_space: false,
        rejected: ByteSet::EMPTY,
    };

    /// Whether two different names can be the same to the storage.
    pub fn folds(&self) -> bool {
        self.folds_case || self.folds_unicode || self.trims_end
    }

    /// Why the storage cannot hold this name, if it cannot.
    pub fn problem(&self, name: &[u8]) -> Option<String> {
        if let Some(byte) = name.iter().find(|byte| self.rejected.contains(**byte)) {
            return Some(format!("the destination accepts no names with {:?}", char::from(*byte)));
        }
        if self.utf8_only && std::str::from_utf8(name).is_err() {
            return Some("the destination accepts only names in UTF-8".to_owned());
        }
        if self.rejects_outer_space
            && let Ok(name) = std::str::from_utf8(name)
            && name.trim() != name
        {
            return Some("the destination accepts no names with white space at the beginning or end".to_owned());
        }
        if self.trims_end && matches!(name.last(), Some(b'.' | b' ')) {
            return Some("the destination accepts no names with a dot or a space at the end".to_owned());
        }
        None
    }
}

/// A set of ASCII bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSet(u128);

impl ByteSet {
    /// No byte.
    pub const EMPTY: Self = Self(0);

    /// These bytes; those above 127 are ignored.
    pub const fn of(bytes: &[u8]) -> Self {
        let (mut set, mut at) = (0, 0);
        while at < bytes.len() {
            if bytes[at] < 128 {
                set |= 1 << bytes[at];
            }
            at += 1;
        }
        Self(set)
    }

    /// Whether `byte` is in it.
    pub const fn contains(self, byte: u8) -> bool {
        byte < 128 && self.0 & (1 << byte) != 0
    }

    /// The bytes of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bytes_unless_the_storage_says_otherwise() {
        for name in [&b"a:b"[..], b"\xff", b"dot.", b"CASE"] {
            assert_eq!(NameRules::BYTES.problem(name), None);
        }
        assert!(!NameRules::BYTES.folds());
    }

    #[test]
    fn a_name_that_cannot_be_held_has_a_reason() {
        let rules = NameRules { trims_end: true, utf8_only: true, rejected: ByteSet::of(b":*"), ..NameRules::BYTES };
        for (name, word) in [(&b"a:b"[..], "':'"), (b"\xff", "UTF-8"), (b"dot.", "dot"), (b"space ", "space")] {
            assert!(rules.problem(name).is_some_and(|problem| problem.contains(word)), "{name:?}");
        }
        assert_eq!(rules.problem("a.b c".as_bytes()), None);
        let outer = NameRules { rejects_outer_space: true, ..NameRules::BYTES };
        for name in ["space ", " space", "\u{3000}", "line\n"] {
            assert!(outer.problem(name.as_bytes()).is_some_and(|problem| problem.contains("white space")), "{name:?}");
        }
        assert_eq!(outer.problem(b"a b"), None);
        assert!(rules.folds());
    }

    #[test]
    fn sets_contain_the_bytes_they_are_built_from() {
        let set = ByteSet::of(b":\xff\x7f").union(ByteSet::of(b"*"));
        let held: Vec<u8> = (0..=255).filter(|byte| set.contains(*byte)).collect();
        assert_eq!(held, b"*:\x7f");
    }
}
