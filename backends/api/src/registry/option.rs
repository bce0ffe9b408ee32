//! The options of a backend, and where their values come from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::location::Url;
use super::secret::Secret;
use crate::identity::Identity;
use crate::tree::Capabilities;

/// An option of a backend.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its name in a URL and in the configuration file, such as `endpoint`.
    pub name: &'static str,
    /// What it may be.
    pub kind: OptionKind,
    /// What it says, in a few words.
    pub about: &'static str,
    /// The environment variables that may give it, as other tools of the service take them;
    /// the first that is set counts.
    pub environment: &'static [&'static str],
}

impl OptionSpec {
    /// The ways to set it, in words: `?region=… in the URL, region in the configuration file, or AWS_REGION in the environment`.
    pub fn how_to_set(&self) -> String {
        let Self { name, environment, .. } = self;
        let url = match self.kind {
            OptionKind::Secret => String::new(),
            OptionKind::Flag => format!("?{name}=true in the URL, "),
            OptionKind::Text | OptionKind::Number | OptionKind::Path => format!("?{name}=… in the URL, "),
        };
        let file = format!("{name} in the configuration file");
        match (environment.first(), url.is_empty()) {
            (Some(variable), false) => format!("{url}{file}, or {variable} in the environment"),
            (Some(variable), true) => format!("{file}, or {variable} in the environment"),
            (None, false) => format!("{}, or {file}", url.trim_end_matches(", ")),
            (None, true) => file,
        }
    }
}

/// What an option may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionKind {
    /// Any text.
    Text,
    /// Any text, that nobody else may see: never taken from a URL.
    Secret,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A path of this machine.
    Path,
}

impl OptionKind {
    /// What is wrong with a value, if anything is.
    fn problem(self, value: &str) -> Option<&'static str> {
        match self {
            Self::Flag if !matches!(value, "true" | "false") => Some("`true` or `false`"),
            Self::Number if value.parse::<u64>().is_err() => Some("a whole number"),
            _ => None,
        }
    }
}

/// Looks up an environment variable.
type Variable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where the values of options come from besides the URL: a configuration file and the environment.
#[derive(Default)]
pub struct ConfigSources {
    /// The environment variable of a name.
    environment: Option<Box<Variable>>,
    sections: BTreeMap<String, BTreeMap<String, Value>>,
}

impl fmt::Debug for ConfigSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSources").field("sections", &self.sections).finish_non_exhaustive()
    }
}

/// A value, and where it is from.
#[derive(Clone, Debug)]
struct Value {
    value: Secret,
    origin: String,
}

impl ConfigSources {
    /// Nothing but what the URL says.
    pub fn none() -> Self {
        Self::default()
    }

    /// The environment of this process.
    pub fn environment() -> Self {
        Self::with_environment(|name| std::env::var(name).ok())
    }

    /// An environment of one's own.
    pub fn with_environment(variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { environment: Some(Box::new(variable)), sections: BTreeMap::new() }
    }

    /// Adds an option of a configuration file. `section` is a scheme (`s3`), or a URL for the
    /// trees at and below it (`s3://archive`); `origin` says where it stands, for errors.
    pub fn add(&mut self, section: &str, name: &str, value: impl Into<String>, origin: impl Into<String>) {
        let given = Value { value: Secret::new(value), origin: origin.into() };
        self.sections.entry(section.to_owned()).or_default().insert(name.to_owned(), given);
    }

    /// The sections that are about `url`, the nearest first.
    fn sections_of<'a>(&'a self, url: &'a Url) -> impl Iterator<Item = &'a BTreeMap<String, Value>> {
        let name = url.to_string();
        let is_above = move |section: &str| {
            let rest = name.strip_prefix(section.trim_end_matches('/'));
            section.contains("://") && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut above: Vec<_> = self.sections.iter().filter(|(section, _)| is_above(section)).collect();
        above.sort_by_key(|(section, _)| std::cmp::Reverse(section.len()));
        above.into_iter().map(|(_, values)| values).chain(self.sections.get(url.scheme()))
    }

    fn variable(&self, names: &[&str]) -> Option<Value> {
        let variable = self.environment.as_ref()?;
        names.iter().find_map(|name| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            Some(Value { value: Secret::new(value), origin: format!("the environment variable {name}") })
        })
    }
}

/// The values of a backend's options: the URL's before the configuration file's, before the environment's.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, Secret>,
    /// Paths that a program gave: they need not be UTF-8.
    paths: BTreeMap<&'static str, PathBuf>,
    root_permissions: Option<u32>,
    recorded: Option<(Identity, Capabilities)>,
}

impl Settings {
    /// Finds what is said of `url` for a backend that has these options.
    ///
    /// # Errors
    /// One line: an option that it does not have, a secret in the URL, a value that cannot be.
    pub(super) fn find(specs: &[OptionSpec], url: &Url, around: &ConfigSources) -> Result<Self, String> {
        let mut given = BTreeMap::new();
        for (name, value) in url.options() {
            let spec = known(specs, name, "the URL")?;
            if spec.kind == OptionKind::Secret {
                let otherwise = match spec.environment.first() {
                    Some(variable) => format!("by the environment variable {variable} or in the configuration file"),
                    None => "in the configuration file".to_owned(),
                };
                return Err(format!("`{name}` is a secret, and everyone could see it in a URL: give it {otherwise}"));
            }
            given.insert(spec.name, Value { value: value.clone(), origin: "the URL".to_owned() });
        }
        for section in around.sections_of(url) {
            for (name, value) in section {
                let spec = known(specs, name, &value.origin)?;
                given.entry(spec.name).or_insert_with(|| value.clone());
            }
        }
        for spec in specs {
            if !given.contains_key(spec.name)
                && let Some(value) = around.variable(spec.environment)
            {
                given.insert(spec.name, value);
            }
        }
        for spec in specs {
            if let Some(Value { value, origin }) = given.get(spec.name)
                && let Some(right) = spec.kind.problem(value.expose())
            {
                return Err(format!("`{}` from {origin} is not {right}", spec.name));
            }
        }
        let values = given.into_iter().map(|(name, given)| (name, given.value)).collect();
        Ok(Self { values, ..Self::default() })
    }

    /// What was said, for a test of a backend or for a tree that is opened by hand.
    pub fn of(values: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        Self { values, ..Self::default() }
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(Secret::expose)
    }

    /// A secret.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.values.get(name)
    }

    /// A flag; not set, it is `otherwise`.
    pub fn flag(&self, name: &str, otherwise: bool) -> bool {
        self.text(name).map_or(otherwise, |value| value == "true")
    }

    /// A path.
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.paths.get(name).map(PathBuf::as_path).or_else(|| self.text(name).map(Path::new))
    }

    /// The most that a root that is created may grant its group and others: the permissions of the source's root.
    pub fn root_permissions(&self) -> Option<u32> {
        self.root_permissions
    }

    pub(super) fn set_path(&mut self, name: &'static str, path: &Path) {
        self.paths.insert(name, path.to_owned());
    }

    /// What an earlier run with write access recorded of the sink: its identity, and its capabilities. They hold only
    /// for a tree with this identity. A backend whose capabilities are found out by writing uses them when it inspects a
    /// sink.
    pub fn recorded(&self) -> Option<&(Identity, Capabilities)> {
        self.recorded.as_ref()
    }

    pub(super) fn set_recorded(&mut self, recorded: Option<(Identity, Capabilities)>) {
        self.recorded = recorded;
    }

    pub(super) fn set_root_permissions(&mut self, permissions: Option<u32>) {
        self.root_permissions = permissions;
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

/// The option of this name.
fn known<'a>(specs: &'a [OptionSpec], name: &str, origin: &str) -> Result<&'a OptionSpec, String> {
    specs.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let names: Vec<_> = specs.iter().map(|spec| spec.name).collect();
        match names.as_slice() {
            [] => format!("`{name}` from {origin}: there are no options here"),
            names => {
                format!("`{name}` from {origin} is not an option of this storage; its options are {}", names.join(", "))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::Location;
    use super::*;
    use std::ffi::OsStr;

    const SPECS: [OptionSpec; 4] = [
        spec("endpoint", OptionKind::Text, &["THE_ENDPOINT", "ENDPOINT"]),
        spec("key", OptionKind::Secret, &["THE_KEY"]),
        spec("fast", OptionKind::Flag, &[]),
        spec("parts", OptionKind::Number, &[]),
    ];

    const fn spec(name: &'static str, kind: OptionKind, environment: &'static [&'static str]) -> OptionSpec {
        OptionSpec { name, kind, about: "", environment }
    }

    fn find(url: &str, around: &ConfigSources) -> Result<Settings, String> {
        match Location::parse(OsStr::new(url)) {
            Ok(Location::Url(url)) => Settings::find(&SPECS, &url, around),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_url_comes_before_the_file_and_the_nearer_section_before_the_wider_and_the_environment_last() {
        let mut around = ConfigSources::with_environment(|name| Some(format!("of {name}")));
        let endpoint =
            |url: &str, around: &ConfigSources| find(url, around).unwrap().text("endpoint").unwrap().to_owned();
        assert_eq!(endpoint("x://b/a", &around), "of THE_ENDPOINT");
        around.add("x", "endpoint", "of the scheme", "file, line 1");
        assert_eq!(endpoint("x://b/a", &around), "of the scheme");
        around.add("x://b", "endpoint", "of the bucket", "file, line 2");
        around.add("x://b/a", "endpoint", "of the folder", "file, line 3");
        around.add("x://b/ab", "endpoint", "of another", "file, line 4");
        assert_eq!(endpoint("x://b/a/c", &around), "of the folder");
        assert_eq!(endpoint("x://b/z", &around), "of the bucket");
        assert_eq!(endpoint("x://b/a?endpoint=mine", &around), "mine");
        assert_eq!(find("x://b", &around).unwrap().secret("key"), Some(&Secret::new("of THE_KEY")));
    }

    #[test]
    fn what_is_wrong_says_where_it_is_from_and_what_is_right() {
        let mut around = ConfigSources::none();
        assert_eq!(find("x://b?parts=many", &around).unwrap_err(), "`parts` from the URL is not a whole number");
        assert!(find("x://b?fast=yes", &around).unwrap_err().contains("`true` or `false`"));
        let unknown = find("x://b?endpiont=x", &around).unwrap_err();
        assert!(unknown.contains("`endpiont`") && unknown.contains("endpoint, key, fast, parts"), "{unknown}");
        around.add("x", "parts", "-1", "/etc/towpath.toml, line 7");
        assert!(find("x://b", &around).unwrap_err().contains("/etc/towpath.toml, line 7"));
    }

    #[test]
    fn the_ways_to_set_an_option_are_told_and_a_secret_has_none_in_a_url() {
        let ways = SPECS.map(|spec| spec.how_to_set());
        assert_eq!(
            ways,
            [
                "?endpoint=… in the URL, endpoint in the configuration file, or THE_ENDPOINT in the environment",
                "key in the configuration file, or THE_KEY in the environment",
                "?fast=true in the URL, or fast in the configuration file",
                "?parts=… in the URL, or parts in the configuration file",
            ]
        );
    }

    #[test]
    fn a_secret_in_a_url_is_refused_and_not_repeated() {
        let problem = find("x://b?key=hunter2", &ConfigSources::none()).unwrap_err();
        assert!(problem.contains("THE_KEY") && !problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn settings_do_not_show_what_they_hold() {
        let mut around = ConfigSources::none();
        around.add("x", "key", "hunter2", "a file");
        let settings = find("x://b", &around).unwrap();
        assert!(!format!("{settings:?} {around:?}").contains("hunter2"));
        assert!(find("x://b?fast", &around).unwrap().flag("fast", false));
        assert_eq!(find("x://b?parts=7", &around).unwrap().number("parts"), Some(7));
    }
}
