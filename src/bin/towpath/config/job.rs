//! Jobs of the configuration file: options of `towpath sync` under a name.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A section `[job.NAME]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    /// In the order of the file, which counts for patterns.
    pub(crate) keys: Vec<Key>,
}

/// A key of a job, with its values as texts of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// Each with its line.
    pub(crate) values: Vec<(String, usize)>,
    pub(crate) is_list: bool,
    pub(crate) line: usize,
}

impl Job {
    /// The value of a key that has one.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let key = self.keys.iter().find(|key| key.name == name)?;
        key.values.first().map(|(value, _)| value.as_str())
    }
}

/// The jobs below `job`.
///
/// # Errors
/// The place of the problem in the file, and the problem.
pub(super) fn jobs(
    value: &DeValue<'_>,
    line: &dyn Fn(usize) -> usize,
) -> Result<BTreeMap<String, Job>, (Range<usize>, String)> {
    let DeValue::Table(tables) = value else {
        return Err((0..0, "`job` is not a section: write [job.NAME]".to_owned()));
    };
    let mut jobs = BTreeMap::new();
    for (name, table) in tables {
        let DeValue::Table(table) = table.get_ref() else {
            let problem = format!("`{name}` is outside of any job: write [job.NAME] before it", name = name.get_ref());
            return Err((name.span(), problem));
        };
        jobs.insert(name.get_ref().to_string(), Job { keys: keys(table, line)? });
    }
    Ok(jobs)
}

fn keys(table: &DeTable<'_>, line: &dyn Fn(usize) -> usize) -> Result<Vec<Key>, (Range<usize>, String)> {
    let mut keys = Vec::new();
    for (name, value) in table {
        let items = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut values = Vec::new();
        for item in items {
            let Some(text) = text(item.get_ref()) else {
                return Err((item.span(), format!("`{}` is not a string, a number or a boolean", name.get_ref())));
            };
            values.push((text, line(item.span().start)));
        }
        let is_list = matches!(value.get_ref(), DeValue::Array(_));
        let key = Key { name: name.get_ref().to_string(), values, is_list, line: line(name.span().start) };
        keys.push((name.span().start, key));
    }
    keys.sort_by_key(|(offset, _)| *offset);
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// A value as the text that an option has on the command line.
pub(super) fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        _ => None,
    }
}
