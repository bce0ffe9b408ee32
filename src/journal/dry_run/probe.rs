//! The text format of a sink's capabilities in the database.

use serde_json::{Map, Value, json};
use towpath_backend::{ByteSet, Capabilities, NameRules};

/// A JSON object with a field for each capability.
pub(in crate::journal) fn to_text(capabilities: &Capabilities) -> String {
    // Destructured, so that a new field cannot be forgotten.
    let Capabilities {
        mtime_precision_ns,
        sets_mtime,
        symlinks,
        hard_links,
        renames,
        holes,
        virtual_directories,
        empty_directories,
        names,
        probes,
        exact_sizes,
    } = *capabilities;
    let NameRules { folds_case, folds_unicode, trims_end, utf8_only, rejects_outer_space, rejected } = names;
    let rejected: Vec<u8> = (0..128).filter(|byte| rejected.contains(*byte)).collect();
    json!({
        "mtime_precision_ns": mtime_precision_ns, "sets_mtime": sets_mtime, "symlinks": symlinks,
        "hard_links": hard_links, "renames": renames, "holes": holes,
        "implied_directories": virtual_directories, "empty_directories": empty_directories, "probes": probes, "exact_sizes": exact_sizes,
        "folds_case": folds_case, "folds_unicode": folds_unicode, "trims_end": trims_end, "utf8_only": utf8_only,
        "refuses_outer_space": rejects_outer_space, "refused": rejected,
    })
    .to_string()
}

/// Parses the text of [`to_text`]; `None` if another version with other fields wrote it.
pub(in crate::journal) fn from_text(text: &str) -> Option<Capabilities> {
    let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    let flag = |key: &str| fields.get(key)?.as_bool();
    let number = |key: &str| fields.get(key)?.as_u64();
    let rejected: Option<Vec<u8>> =
        fields.get("refused")?.as_array()?.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
    Some(Capabilities {
        mtime_precision_ns: number("mtime_precision_ns")?,
        sets_mtime: flag("sets_mtime")?,
        symlinks: flag("symlinks")?,
        hard_links: flag("hard_links")?,
        renames: flag("renames")?,
        holes: flag("holes")?,
        virtual_directories: flag("implied_directories")?,
        empty_directories: flag("empty_directories")?,
        names: NameRules {
            folds_case: flag("folds_case")?,
            folds_unicode: flag("folds_unicode")?,
            trims_end: flag("trims_end")?,
            utf8_only: flag("utf8_only")?,
            rejects_outer_space: flag("refuses_outer_space")?,
            rejected: ByteSet::of(&rejected?),
        },
        probes: flag("probes")?,
        exact_sizes: flag("exact_sizes")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_survive_a_round_trip() {
        let names =
            NameRules { folds_case: true, trims_end: true, rejected: ByteSet::of(b":\x01"), ..NameRules::BYTES };
        let capabilities =
            Capabilities { mtime_precision_ns: 2_000_000_000, symlinks: true, names, ..Capabilities::PLAIN };
        assert_eq!(from_text(&to_text(&capabilities)), Some(capabilities));
        for text in ["", "{}", "[]", r#"{"sets_mtime":true}"#] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }
}
