//! Options that are read again during a run: somebody may have replaced credentials in the configuration file.

use std::sync::Arc;

use super::option::{ConfigSources, Settings};

impl ConfigSources {
    /// Sets how the configuration file is read again, for credentials that are replaced during a run.
    pub fn reread_by(&mut self, read: impl Fn() -> Result<Self, String> + Send + Sync + 'static) {
        self.reread = Some(Arc::new(read));
    }
}

impl Settings {
    /// Whether another value may be read for an option during a run: it is from the configuration file, which can be
    /// read again. The URL and the environment of a process never change.
    pub fn may_change(&self, name: &str) -> bool {
        self.reread.as_ref().is_some_and(|reread| reread.of_file.contains(name))
    }

    /// The settings as the configuration file has them now. Blocks.
    ///
    /// # Errors
    /// One line: the file cannot be read again, or what it has cannot be used.
    pub fn read_again(&self) -> Result<Self, String> {
        let reread = self.reread.as_ref().ok_or_else(|| "there is no configuration file".to_owned())?;
        Self::find(reread.specs, &reread.url, &(reread.read)()?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::{Location, OptionKind, OptionSpec};
    use super::*;

    const SPECS: [OptionSpec; 2] = [spec("key"), spec("token")];

    const fn spec(name: &'static str) -> OptionSpec {
        OptionSpec { name, kind: OptionKind::Text, about: "", environment: &[] }
    }

    #[test]
    fn only_what_is_from_the_file_may_change() {
        let value = Arc::new(Mutex::new(Ok("old".to_owned())));
        let shared = Arc::clone(&value);
        let read = move || {
            let mut sources = ConfigSources::none();
            sources.add("x", "key", shared.lock().unwrap().clone()?, "file");
            Ok(sources)
        };
        let mut sources = read().unwrap();
        sources.reread_by(read);
        let Ok(Location::Url(url)) = Location::parse("x://b?token=t".as_ref()) else { panic!("a URL") };
        let settings = Settings::find(&SPECS, &url, &sources).unwrap();
        assert!(settings.may_change("key") && !settings.may_change("token"));
        *value.lock().unwrap() = Ok("new".to_owned());
        let again = settings.read_again().unwrap();
        assert_eq!((again.text("key"), again.text("token")), (Some("new"), Some("t")));
        *value.lock().unwrap() = Err("no file".to_owned());
        assert_eq!(settings.read_again().unwrap_err(), "no file");
        let fixed = Settings::of([("key", "k".to_owned())]);
        assert!(!fixed.may_change("key") && fixed.read_again().is_err());
    }
}
