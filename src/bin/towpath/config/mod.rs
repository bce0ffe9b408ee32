//! The configuration file: options of backends, by scheme or by URL, and jobs.
//!
//! ```toml
//! [s3]
//! endpoint = "https://s3.example.org"
//!
//! ["s3://archive"]
//! region = "eu-central-1"
//!
//! [job.projects]
//! source = "/mnt/old"
//! dest = "s3://archive/projects"
//! ```

pub(crate) mod job;
pub(crate) mod setting;
pub(crate) mod state_files;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use towpath::private_file;
use towpath_backend::registry::{ConfigSources, Secret};

use job::Job;

/// The file for all users, which is read where a user has none.
const SYSTEM_FILE: &str = "/etc/towpath/config.toml";

/// What a configuration file says.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigFile {
    /// `None`: there is none.
    pub(crate) path: Option<PathBuf>,
    pub(crate) options: Vec<BackendOption>,
    jobs: BTreeMap<String, Job>,
    /// Why the default file is not used.
    pub(crate) problem: Option<String>,
}

/// An option of a backend.
#[derive(Clone, Debug)]
pub(crate) struct BackendOption {
    /// A scheme, or a URL.
    pub(crate) section: String,
    pub(crate) name: String,
    pub(crate) value: Secret,
    pub(crate) line: usize,
}

impl ConfigFile {
    /// Reads the file that is given, that of `TOWPATH_CONFIG`, or the default one.
    ///
    /// The user's default file may be missing or unreadable: `HOME` may be another user's (sudo, cron, su). A file that
    /// was given must be readable.
    ///
    /// # Errors
    /// One line with the problem, its place and what to do. It contains no value, which may be secret.
    pub(crate) fn read(given: Option<&Path>) -> Result<Self, String> {
        if let Some(path) = given.map(Path::to_owned).or_else(|| variable("TOWPATH_CONFIG")) {
            let file = open(&path).map_err(|error| unreadable(&path, &error))?;
            return Self::of(file, &path);
        }
        Self::read_default(default_path().as_deref(), Path::new(SYSTEM_FILE))
    }

    fn read_default(user: Option<&Path>, system: &Path) -> Result<Self, String> {
        let is_missing =
            |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        match user.map(|path| (path, open(path))) {
            Some((path, Ok(file))) => return Self::of(file, path),
            Some((path, Err(error))) if !is_missing(&error) => {
                return Ok(Self { problem: Some(unreadable(path, &error)), ..Self::default() });
            }
            _ => {}
        }
        match open(system) {
            Ok(file) => Self::of(file, system),
            // What is for other users of the machine is nothing to report.
            Err(_) => Ok(Self::default()),
        }
    }

    fn of(mut file: File, path: &Path) -> Result<Self, String> {
        check_private(&file, path)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => format!("the configuration file {} is not UTF-8 text", path.display()),
            _ => unreadable(path, &error),
        })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, String> {
        let line = |offset: usize| text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1;
        let place = |offset: usize| format!("{}, line {}", path.display(), line(offset));
        // The parser's full message shows the line, which may contain a secret.
        let sections = DeTable::parse(text)
            .map_err(|error| format!("{}: {}", place(error.span().map_or(0, |span| span.start)), error.message()))?;
        let mut read = Self { path: Some(path.to_owned()), ..Self::default() };
        for (section, values) in sections.get_ref() {
            let (name, start) = (section.get_ref(), section.span().start);
            if name == "job" {
                read.jobs = job::jobs(values.get_ref(), &line)
                    .map_err(|(span, problem)| format!("{}: {problem}", place(span.start.max(start))))?;
                continue;
            }
            let DeValue::Table(values) = values.get_ref() else {
                let sections = "such as [s3], [\"s3://bucket\"] or [job.NAME]";
                return Err(format!("{}: `{name}` is outside of any section, {sections}", place(start)));
            };
            for (key, value) in values {
                let (name, start) = (key.get_ref().to_string(), key.span().start);
                let value = job::text(value.get_ref())
                    .ok_or_else(|| format!("{}: `{name}` is not a string, a number or a boolean", place(start)))?;
                let (section, value) = (section.get_ref().to_string(), Secret::new(value));
                read.options.push(BackendOption { section, name, value, line: line(start) });
            }
        }
        Ok(read)
    }

    /// Adds the options of backends.
    pub(crate) fn add_to(&self, sources: &mut ConfigSources) {
        for option in &self.options {
            let path = self.path.as_deref().unwrap_or(Path::new("")).display();
            let origin = format!("{path}, line {}", option.line);
            sources.add(&option.section, &option.name, option.value.expose(), origin);
        }
    }

    /// A note about a run that goes on without the default file.
    pub(crate) fn note(&self) -> Option<String> {
        let problem = self.problem.as_ref()?;
        Some(format!("{problem}; continuing without it; use --config for another file"))
    }

    /// The names of the jobs.
    pub(crate) fn job_names(&self) -> impl Iterator<Item = &str> {
        self.jobs.keys().map(String::as_str)
    }

    /// A job, and the file's path.
    ///
    /// # Errors
    /// One line with the jobs that exist.
    pub(crate) fn job(&self, name: &str) -> Result<(&Job, &Path), String> {
        let Some(path) = &self.path else {
            let why = self.problem.clone().unwrap_or_else(|| match default_path() {
                Some(user) => format!("neither {} nor {SYSTEM_FILE} can be read", user.display()),
                None => format!("{SYSTEM_FILE} cannot be read"),
            });
            return Err(format!("no job `{name}`: {why}; use --config for another file"));
        };
        self.jobs.get(name).map(|job| (job, path.as_path())).ok_or_else(|| {
            let names: Vec<_> = self.job_names().collect();
            let names = if names.is_empty() { "no jobs".to_owned() } else { names.join(", ") };
            format!("no job `{name}` in {}; it has: {names}", path.display())
        })
    }
}

/// The path in an environment variable.
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read the configuration file {}: {error}", path.display())
}

/// Opens a file that belongs to this user or root: its content decides where data is sent and with which keys.
fn open(path: &Path) -> io::Result<File> {
    // Descriptors inherited from a shell, as with `--config <(…)`, cannot be resolved by path.
    if ["/dev/fd", "/proc/self/fd", "/dev/stdin"].iter().any(|opened| path.starts_with(opened)) {
        return File::open(path);
    }
    private_file::open_to_read(path)
}

/// The XDG base directory specification: relative paths are ignored.
fn default_path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(base.join("towpath/config.toml"))
}

/// Checks that only its owner can read a file that may hold secrets.
fn check_private(file: &File, path: &Path) -> Result<(), String> {
    let shown = path.display();
    let mode = file.metadata().map_err(|error| format!("cannot stat {shown}: {error}"))?.mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("others may read the configuration file {shown}, which may hold secrets: chmod 600 {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        ConfigFile::parse(text, Path::new("/etc/x.toml")).unwrap_err()
    }

    #[test]
    fn errors_have_the_line_and_no_value() {
        let broken = problem("[s3]\nsecret = \"hunter2\nregion = 7\n");
        assert!(broken.starts_with("/etc/x.toml, line 2: ") && !broken.contains("hunter2"), "{broken}");
        let outside = problem("\nendpoint = \"x\"\n");
        assert!(outside.starts_with("/etc/x.toml, line 2: `endpoint` is outside of any section"), "{outside}");
        let odd = problem("[s3]\n\nsecret = [\"hunter2\"]\n");
        assert!(odd.contains("line 3: `secret`") && !odd.contains("hunter2"), "{odd}");
        for (text, expected) in [
            ("\njob = 5\n", "line 2: `job` is not a section: write [job.NAME]"),
            ("[job]\nbwlimit = \"5M\"\n", "line 2: `bwlimit` is outside of any job: write [job.NAME] before it"),
            ("[job.a]\nexclude = [\n  \"a\",\n  {}\n]\n", "line 4: `exclude` is not a string, a number or a boolean"),
        ] {
            assert_eq!(problem(text), format!("/etc/x.toml, {expected}"));
        }
    }

    #[test]
    fn strings_numbers_and_booleans_are_accepted() {
        let text = "[s3]\na = \"x\"\nb = true\n[\"s3://b/c\"]\nd = 7\n";
        let mut sources = ConfigSources::none();
        let file = ConfigFile::parse(text, Path::new("x")).unwrap();
        file.add_to(&mut sources);
        let shown = format!("{sources:?}");
        assert!(shown.contains("\"s3://b/c\"") && shown.contains("x, line 5"), "{shown}");
        assert!(!format!("{file:?}").contains("\"x\", line: 2"), "values may be secret");
    }

    #[test]
    fn the_keys_of_a_job_have_the_order_and_lines_of_the_file() {
        let text = "[job.\"my job\"]\nlinks = \"skip\"\nexclude = [\n  \"b\",\n  \"a\"]\nbwlimit = 7\n";
        let file = ConfigFile::parse(text, Path::new("x")).unwrap();
        let (job, path) = file.job("my job").unwrap();
        let keys: Vec<_> = job.keys.iter().map(|key| (key.name.as_str(), key.line, key.values.clone())).collect();
        let value = |text: &str, line| (text.to_owned(), line);
        let patterns = vec![value("b", 4), value("a", 5)];
        let expected =
            [("links", 2, vec![value("skip", 2)]), ("exclude", 3, patterns), ("bwlimit", 6, vec![value("7", 6)])];
        assert_eq!((path, keys), (Path::new("x"), expected.to_vec()));
        assert_eq!(file.job("x").unwrap_err(), "no job `x` in x; it has: my job");
        let none = ConfigFile::parse("", Path::new("x")).unwrap();
        assert_eq!(none.job("x").unwrap_err(), "no job `x` in x; it has: no jobs");
    }

    #[test]
    fn a_given_file_that_is_missing_or_readable_by_others_is_an_error() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let read = || ConfigFile::read(Some(&path));
        assert!(read().unwrap_err().contains("cannot read"));
        std::fs::write(&path, "[s3]\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read().unwrap_err().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read().unwrap().note(), None);
    }

    #[test]
    fn a_default_file_that_cannot_be_opened_is_a_note_and_a_missing_one_is_that_of_the_system() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let [file, system] = ["file", "system.toml"].map(|name| folder.path().join(name));
        for path in [&file, &system] {
            std::fs::write(path, "[job.of-all]\n").unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let missing = folder.path().join("towpath/config.toml");
        let read = |path: Option<&Path>, system: &Path| ConfigFile::read_default(path, system).unwrap();
        for user in [None, Some(missing.as_path()), Some(&file.join("towpath/config.toml"))] {
            assert_eq!(read(user, &system).job("of-all").unwrap().1, system);
            let none = read(user, &missing);
            assert_eq!((none.path.clone(), none.note()), (None, None));
            assert!(none.job("x").unwrap_err().contains("--config"));
        }
        assert_eq!(read(Some(&file), &system).path, Some(file));
        let looped = folder.path().join("loop");
        std::os::unix::fs::symlink(&looped, &looped).unwrap();
        let unread = read(Some(&looped), &system);
        let note = unread.note().unwrap();
        assert!(note.contains("/loop: ") && note.contains("--config"), "{note}");
        let problem = unread.job("x").unwrap_err();
        assert!(problem.starts_with("no job `x`: cannot read") && !problem.contains("continuing"), "{problem}");
    }
}
