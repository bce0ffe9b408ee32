//! A value of an option, and where it is from.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    CommandLine,
    /// An environment variable.
    Variable(String),
    /// A line of the configuration file.
    File {
        path: PathBuf,
        line: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("the command line"),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
        }
    }
}

/// A value of an option of `towpath sync`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The long name of the option, or `source` or `dest`.
    pub(crate) option: String,
    pub(crate) value: OsString,
    pub(crate) origin: Origin,
}

impl Setting {
    /// A value as if it were given on the command line.
    pub(crate) fn given(option: &str, value: &OsStr) -> Self {
        Self { option: option.to_owned(), value: value.to_owned(), origin: Origin::CommandLine }
    }

    /// How messages name it: `--bwlimit`, `SOURCE`.
    pub(crate) fn shown(&self) -> String {
        match self.option.as_str() {
            "source" | "dest" => self.option.to_uppercase(),
            option => format!("--{option}"),
        }
    }

    /// Where it is from, in words.
    pub(crate) fn whence(&self) -> String {
        format!("{} is from {}", self.shown(), self.origin)
    }

    /// Whether a message is about the option. The library names options in words: `block size`.
    fn is_named_in(&self, message: &str) -> bool {
        let name = self.shown();
        let name = if message.contains("--") { name } else { name.trim_start_matches('-').replace('-', " ") };
        let ends = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-');
        let begins = |before: &str| !before.ends_with(|last: char| last.is_alphanumeric() || last == '-');
        message.match_indices(&name).any(|(at, _)| begins(&message[..at]) && ends(&message[at + name.len()..]))
    }

    /// Whether a message quotes the value.
    fn is_quoted_in(&self, message: &str) -> bool {
        let value = self.value.to_string_lossy();
        [format!("`{value}`"), format!("'{value}'")].iter().any(|quoted| message.contains(quoted))
    }
}

/// The values that are in force, so that a message about one says where it is from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings(pub(crate) Vec<Setting>);

impl Settings {
    /// What a message is about, unless it is from the command line.
    pub(crate) fn presets_in(&self, message: &str) -> Vec<&Setting> {
        let named: Vec<_> = self.0.iter().filter(|setting| setting.is_named_in(message)).collect();
        // Of an option with many values, the quoted one is meant.
        let is_meant = |setting: &Setting| {
            let mut same = named.iter().filter(|other| other.option == setting.option);
            setting.is_quoted_in(message) || !same.any(|other| other.is_quoted_in(message))
        };
        named.iter().copied().filter(|setting| is_meant(setting) && setting.origin != Origin::CommandLine).collect()
    }

    /// A message of one line, with where the options that it names are from.
    pub(crate) fn explain(&self, message: String) -> String {
        let mut origins: Vec<_> = self.presets_in(&message).into_iter().map(Setting::whence).collect();
        origins.dedup();
        if origins.is_empty() { message } else { format!("{message} ({})", origins.join("; ")) }
    }

    /// A message of one line about an option that it does not name.
    pub(crate) fn explain_option(&self, option: &str, message: String) -> String {
        match self.0.iter().rfind(|setting| setting.option == option) {
            Some(Setting { origin, .. }) if *origin != Origin::CommandLine => {
                format!("{message} ({option} in {origin})")
            }
            _ => message,
        }
    }

    /// The last value of an option.
    pub(crate) fn value(&self, option: &str) -> Option<&OsStr> {
        self.0.iter().rfind(|setting| setting.option == option).map(|setting| setting.value.as_os_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(option: &str, value: &str, line: usize) -> Setting {
        let origin = if line == 0 { Origin::CommandLine } else { Origin::File { path: "/c".into(), line } };
        Setting { option: option.to_owned(), value: value.into(), origin }
    }

    #[test]
    fn a_message_names_the_origin_of_what_it_is_about() {
        let settings = Settings(vec![
            setting("bwlimit", "20Q", 1),
            setting("bwlimit-max", "5M", 2),
            setting("exclude", "[a", 3),
            setting("exclude", "b", 4),
            setting("exclude", "[c", 0),
            setting("lanes", "x", 0),
        ]);
        for (message, expected) in [
            ("invalid value '20Q' for '--bwlimit <LIMIT>'", "--bwlimit is from /c, line 1"),
            ("--bwlimit-max needs --bwlimit auto", "--bwlimit is from /c, line 1; --bwlimit-max is from /c, line 2"),
            ("bwlimit max must be from 1 to 5", "--bwlimit is from /c, line 1; --bwlimit-max is from /c, line 2"),
            ("--exclude: pattern `[a` has a `[`", "--exclude is from /c, line 3"),
            ("--exclude: pattern `[c` has a `[`", ""),
            ("invalid value 'x' for '--lanes <N>'", ""),
            ("not about --exclude-from or no--exclude", ""),
        ] {
            let expected = if expected.is_empty() { message.to_owned() } else { format!("{message} ({expected})") };
            assert_eq!(settings.explain(message.to_owned()), expected);
        }
    }
}
