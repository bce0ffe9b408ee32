//! SQL functions that apply the sink's rules for names.

use rusqlite::functions::FunctionFlags;
use towpath_backend::NameRules;
use unicode_normalization::UnicodeNormalization as _;

use crate::error::Result;
use crate::journal::store::db::Db;
use crate::journal::store::value::last_name;

impl Db {
    /// Creates `name_problem`, why the sink cannot hold the last name of a path, and `name_key`, a key that is
    /// equal for names that the sink does not distinguish.
    pub(in crate::journal) fn create_name_functions(&self, rules: NameRules) -> Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        let name = |context: &rusqlite::functions::Context<'_>| {
            use rusqlite::types::ValueRef;
            match context.get_raw(0) {
                ValueRef::Text(path) | ValueRef::Blob(path) => last_name(path).to_vec(),
                _ => Vec::new(),
            }
        };
        self.connection
            .create_scalar_function("name_problem", 1, flags, move |context| Ok(rules.problem(&name(context))))
            .and_then(|()| {
                self.connection
                    .create_scalar_function("name_key", 1, flags, move |context| Ok(key(rules, &name(context))))
            })
            .map_err(|error| self.error(error))
    }
}

/// A key that is equal for names that a sink with these rules does not distinguish.
fn key(rules: NameRules, name: &[u8]) -> Vec<u8> {
    let mut name = name;
    while rules.trims_end && matches!(name.last(), Some(b'.' | b' ')) {
        name = &name[..name.len() - 1];
    }
    let Ok(text) = std::str::from_utf8(name) else {
        return if rules.folds_case { name.to_ascii_lowercase() } else { name.to_vec() };
    };
    let composed = |text: &str| if rules.folds_unicode { text.nfc().collect() } else { text.to_owned() };
    let text = composed(text);
    if rules.folds_case {
        // Through upper case, so that letters with several lower-case forms get one key.
        composed(&text.to_uppercase().to_lowercase()).into_bytes()
    } else {
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_equal_keys_where_the_rules_do_not_distinguish_them() {
        let case = NameRules { folds_case: true, ..NameRules::BYTES };
        let unicode = NameRules { folds_unicode: true, ..NameRules::BYTES };
        let trims = NameRules { trims_end: true, ..NameRules::BYTES };
        let are_equal = |rules, a: &[u8], b: &[u8]| key(rules, a) == key(rules, b);
        let (composed, decomposed) = ("\u{e9}".as_bytes(), "e\u{301}".as_bytes());
        for (rules, a, b, expected) in [
            (case, &b"README"[..], &b"ReadMe"[..], true),
            (case, "Ärger".as_bytes(), "äRGER".as_bytes(), true),
            (case, "ΣΑΣ".as_bytes(), "σας".as_bytes(), true),
            (case, b"A\xff", b"a\xff", true),
            (case, composed, decomposed, false),
            (case, b"a", b"b", false),
            (unicode, composed, decomposed, true),
            (unicode, b"A", b"a", false),
            (trims, b"a. .", b"a", true),
            (trims, b".a", b"a", false),
            (NameRules::BYTES, b"A", b"a", false),
        ] {
            assert_eq!(are_equal(rules, a, b), expected, "{} and {}", a.escape_ascii(), b.escape_ascii());
        }
    }
}
