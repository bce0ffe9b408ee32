//! The options of a backend, and where their values come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::location::Url;
use super::secret::Secret;
use crate::identity::Identity;
use crate::tree::Capabilities;

/// An option of a backend.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its name in a URL and in the configuration file, such as `endpoint`.
    pub name: &'static str,
    /// The type of its value.
    pub kind: OptionKind,
    /// A short description.
    pub about: &'static str,
    /// The environment variables that set it, as other tools of the service use them; the first one that is set counts.
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

/// The type of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionKind {
    /// Any text.
    Text,
    /// A secret text: never accepted in a URL.
    Secret,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A local path.
    Path,
}

impl OptionKind {
    /// What a value should be, if it is wrong.
    fn expected(self, value: &str) -> Option<&'static str> {
        match self {
            Self::Flag if !matches!(value, "true" | "false") => Some("`true` or `false`"),
            Self::Number if value.parse::<u64>().is_err() => Some("a whole number"),
            _ => None,
        }
    }
}

/// Reads the configuration file again.
pub(super) type Read = dyn Fn() -> Result<ConfigSources, String> + Send + Sync;

/// How the settings of a URL are found again.
#[derive(Clone)]
pub(super) struct Reread {
    pub(super) specs: &'static [OptionSpec],
    pub(super) url: Url,
    pub(super) read: Arc<Read>,
    /// The options whose values are from the configuration file.
    pub(super) of_file: BTreeSet<&'static str>,
}

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reread").field("url", &self.url).field("of_file", &self.of_file).finish_non_exhaustive()
    }
}

/// Looks up an environment variable.
type Variable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where the values of options come from besides the URL: a configuration file and the environment.
#[derive(Default)]
pub struct ConfigSources {
    /// Looks up an environment variable.
    environment: Option<Box<Variable>>,
    sections: BTreeMap<String, BTreeMap<String, Value>>,
    pub(super) reread: Option<Arc<Read>>,
}

impl fmt::Debug for ConfigSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSources").field("sections", &self.sections).finish_non_exhaustive()
    }
}

/// A value, and where it comes from.
#[derive(Clone, Debug)]
struct Value {
    value: Secret,
    origin: String,
}

impl ConfigSources {
    /// No sources besides the URL.
    pub fn none() -> Self {
        Self::default()
    }

    /// The environment of this process.
    pub fn environment() -> Self {
        Self::with_environment(|name| std::env::var(name).ok())
    }

    /// A custom environment.
    pub fn with_environment(variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { environment: Some(Box::new(variable)), ..Self::default() }
    }

    /// Adds an option of a configuration file. `section` is a scheme (`s3`), or a URL for the trees at and below it
    /// (`s3://archive`); `origin` says where it is defined, for errors.
    pub fn add(&mut self, section: &str, name: &str, value: impl Into<String>, origin: impl Into<String>) {
        let given = Value { value: Secret::new(value), origin: origin.into() };
        self.sections.entry(section.to_owned()).or_default().insert(name.to_owned(), given);
    }

    /// The sections that apply to `url`, the most specific one first.
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

/// The values of a backend's options. The URL takes precedence over the configuration file, and the file over the
/// environment.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, Secret>,
    /// Paths that the program set: they need not be UTF-8.
    paths: BTreeMap<&'static str, PathBuf>,
    root_permissions: Option<u32>,
    recorded: Option<(Identity, Capabilities)>,
    pub(super) reread: Option<Reread>,
}

impl Settings {
    /// Collects the values for `url`, for a backend with these options.
    ///
    /// # Errors
    /// One line: an unknown option, a secret in the URL, or an invalid value.
    pub(super) fn find(specs: &'static [OptionSpec], url: &Url, sources: &ConfigSources) -> Result<Self, String> {
        let mut given = BTreeMap::new();
        for (name, value) in url.options() {
            let spec = known(specs, name, "the URL")?;
            if spec.kind == OptionKind::Secret {
                let otherwise = match spec.environment.first() {
                    Some(variable) => format!("in the environment variable {variable} or in the configuration file"),
                    None => "in the configuration file".to_owned(),
                };
                return Err(format!("`{name}` is a secret, and everyone could see it in a URL: set it {otherwise}"));
            }
            given.insert(spec.name, Value { value: value.clone(), origin: "the URL".to_owned() });
        }
        let mut of_file = BTreeSet::new();
        for section in sources.sections_of(url) {
            for (name, value) in section {
                let spec = known(specs, name, &value.origin)?;
                given.entry(spec.name).or_insert_with(|| {
                    of_file.insert(spec.name);
                    value.clone()
                });
            }
        }
        for spec in specs {
            if !given.contains_key(spec.name)
                && let Some(value) = sources.variable(spec.environment)
            {
                given.insert(spec.name, value);
            }
        }
        for spec in specs {
            if let Some(Value { value, origin }) = given.get(spec.name)
                && let Some(expected) = spec.kind.expected(value.expose())
            {
                return Err(format!("`{}` from {origin} is not {expected}", spec.name));
            }
        }
        let values = given.into_iter().map(|(name, given)| (name, given.value)).collect();
        let reread = |read: &Arc<Read>| Reread { specs, url: url.clone(), read: Arc::clone(read), of_file };
        Ok(Self { values, reread: sources.reread.as_ref().map(reread), ..Self::default() })
    }

    /// From these values, for tests of a backend and for trees that are opened without the registry.
    pub fn of(values: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        Self { values, ..Self::default() }
    }

    /// The value of a text option.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(Secret::expose)
    }

    /// The value of a secret option.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.values.get(name)
    }

    /// The value of a flag; `default` if it is not set.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.text(name).map_or(default, |value| value == "true")
    }

    /// The value of a path option.
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.paths.get(name).map(PathBuf::as_path).or_else(|| self.text(name).map(Path::new))
    }

    /// The most that a newly created root may grant its group and others: the permissions of the source's root.
    pub fn root_permissions(&self) -> Option<u32> {
        self.root_permissions
    }

    pub(super) fn set_path(&mut self, name: &'static str, path: &Path) {
        self.paths.insert(name, path.to_owned());
    }

    /// The identity and capabilities of the sink that an earlier run with write access recorded. They apply only to a
    /// tree with this identity. A backend that tests capabilities by writing uses them when it inspects a sink.
    pub fn recorded(&self) -> Option<&(Identity, Capabilities)> {
        self.recorded.as_ref()
    }

    pub(super) fn set_recorded(&mut self, recorded: Option<(Identity, Capabilities)>) {
        self.recorded = recorded;
    }

    pub(super) fn set_root_permissions(&mut self, permissions: Option<u32>) {
        self.root_permissions = permissions;
    }

    /// The value of a number option.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

/// The option with this name.
fn known<'a>(specs: &'a [OptionSpec], name: &str, origin: &str) -> Result<&'a OptionSpec, String> {
    specs.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let names: Vec<_> = specs.iter().map(|spec| spec.name).collect();
        match names.as_slice() {
            [] => format!("`{name}` from {origin}: this storage has no options"),
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

    fn find(url: &str, sources: &ConfigSources) -> Result<Settings, String> {
        match Location::parse(OsStr::new(url)) {
            Ok(Location::Url(url)) => Settings::find(&SPECS, &url, sources),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_url_precedes_the_most_specific_section_and_the_environment_is_last() {
        let mut sources = ConfigSources::with_environment(|name| Some(format!("of {name}")));
        let endpoint =
            |url: &str, sources: &ConfigSources| find(url, sources).unwrap().text("endpoint").unwrap().to_owned();
        assert_eq!(endpoint("x://b/a", &sources), "of THE_ENDPOINT");
        sources.add("x", "endpoint", "of the scheme", "file, line 1");
        assert_eq!(endpoint("x://b/a", &sources), "of the scheme");
        sources.add("x://b", "endpoint", "of the bucket", "file, line 2");
        sources.add("x://b/a", "endpoint", "of the folder", "file, line 3");
        sources.add("x://b/ab", "endpoint", "of another", "file, line 4");
        assert_eq!(endpoint("x://b/a/c", &sources), "of the folder");
        assert_eq!(endpoint("x://b/z", &sources), "of the bucket");
        assert_eq!(endpoint("x://b/a?endpoint=mine", &sources), "mine");
        assert_eq!(find("x://b", &sources).unwrap().secret("key"), Some(&Secret::new("of THE_KEY")));
    }

    #[test]
    fn errors_name_the_origin_and_the_expected_value() {
        let mut sources = ConfigSources::none();
        assert_eq!(find("x://b?parts=many", &sources).unwrap_err(), "`parts` from the URL is not a whole number");
        assert!(find("x://b?fast=yes", &sources).unwrap_err().contains("`true` or `false`"));
        let unknown = find("x://b?endpiont=x", &sources).unwrap_err();
        assert!(unknown.contains("`endpiont`") && unknown.contains("endpoint, key, fast, parts"), "{unknown}");
        sources.add("x", "parts", "-1", "/etc/towpath.toml, line 7");
        assert!(find("x://b", &sources).unwrap_err().contains("/etc/towpath.toml, line 7"));
    }

    #[test]
    fn the_ways_to_set_an_option_are_listed_and_a_secret_has_none_in_a_url() {
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
    fn a_secret_in_a_url_is_rejected_and_not_repeated() {
        let problem = find("x://b?key=hunter2", &ConfigSources::none()).unwrap_err();
        assert!(problem.contains("THE_KEY") && !problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn settings_do_not_show_what_they_hold() {
        let mut sources = ConfigSources::none();
        sources.add("x", "key", "hunter2", "a file");
        let settings = find("x://b", &sources).unwrap();
        assert!(!format!("{settings:?} {sources:?}").contains("hunter2"));
        assert!(find("x://b?fast", &sources).unwrap().flag("fast", false));
        assert_eq!(find("x://b?parts=7", &sources).unwrap().number("parts"), Some(7));
    }
}
