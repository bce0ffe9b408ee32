//! Where the options of `towpath sync` come from: the command line, the environment, a job, defaults, in this order.
//!
//! The values of all layers become one command line, which clap parses. So each value is parsed by its option, and
//! conflicts are found, wherever they are from.

mod assess;
mod flags;
pub(crate) mod options;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _, Parser as _};

use crate::args::{self, Arguments, SyncArguments};
use crate::config::ConfigFile;
use crate::config::setting::{Origin, Setting, Settings};
use options::{is_repeatable, name_of, option_of, sync_command, sync_options, variable_of};

/// Looks up an environment variable.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Why there are no arguments.
#[derive(Debug)]
pub(crate) enum Failure {
    Clap(Box<clap::Error>),
    /// One line about the configuration file.
    File(String),
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Clap(Box::new(error))
    }
}

/// The values of all layers.
pub(crate) struct Layers {
    pub(crate) settings: Settings,
    /// If a job was read from it.
    pub(crate) file: Option<ConfigFile>,
}

/// Parses the command line, with the other layers for `towpath sync`.
pub(crate) fn parse(words: &[OsString], variables: Variables<'_>) -> Result<Arguments, Failure> {
    let given = match flags::with_values(Arguments::command()).try_get_matches_from(words) {
        Ok(matches) => match matches.subcommand() {
            Some(("sync", matches)) => given(matches),
            Some(("assess", matches)) => return parse_assess(matches, variables),
            _ => return Ok(Arguments::try_parse_from(words)?),
        },
        // The help of the flags as they are declared.
        Err(error) if error.kind() == ErrorKind::DisplayHelp => return Ok(Arguments::try_parse_from(words)?),
        Err(error) => return Err(error.into()),
    };
    let layers = Layers::collect(given, variables)?;
    let mut arguments = layers.arguments()?;
    if let args::Command::Sync(sync) = &mut arguments.command {
        sync.settings = layers.settings;
        sync.config_file = layers.file;
    }
    Ok(arguments)
}

/// Parses settings that an earlier run recorded.
pub(crate) fn recorded(settings: Vec<Setting>) -> Result<Arguments, Failure> {
    let layers = Layers { settings: Settings(settings), file: None };
    let mut arguments = layers.arguments()?;
    if let args::Command::Sync(sync) = &mut arguments.command {
        sync.settings = layers.settings;
    }
    Ok(arguments)
}

/// The arguments of `towpath assess`, with those of the migration.
fn parse_assess(matches: &ArgMatches, variables: Variables<'_>) -> Result<Arguments, Failure> {
    let mut arguments = Arguments::try_parse_from(assess::own_words(matches))?;
    let mut given = given(matches);
    assess::complete(&mut given);
    let layers = Layers::collect(given, variables)?;
    if let (args::Command::Assess(own), args::Command::Sync(sync)) =
        (&mut arguments.command, layers.arguments()?.command)
    {
        let sync = SyncArguments { settings: layers.settings, config_file: layers.file, ..*sync };
        own.sync = Some(Box::new(assess::adapt(sync, own.json)));
    }
    Ok(arguments)
}

impl Layers {
    /// Adds the environment and the job to what was given.
    pub(crate) fn collect(given: Vec<Setting>, variables: Variables<'_>) -> Result<Self, Failure> {
        let mut settings = Settings(environment(variables));
        settings.0.extend(given);
        let Some(name) = settings.value("job").map(|name| name.to_string_lossy().into_owned()) else {
            return Self::merge(settings, None);
        };
        let file = ConfigFile::read(settings.value("config").map(Path::new)).map_err(Failure::File)?;
        let trees = settings.0.iter().filter(|setting| is_tree(setting)).count();
        if trees == 1 {
            let problem = "with --job give both SOURCE and DEST, or neither";
            return Err(sync_command().error(ErrorKind::MissingRequiredArgument, problem).into());
        }
        settings.0.splice(..0, job(&file, &name).map_err(Failure::File)?);
        Self::merge(settings, Some(file))
    }

    /// Keeps what is in force. `settings` begin with the lowest layer.
    fn merge(settings: Settings, file: Option<ConfigFile>) -> Result<Self, Failure> {
        // Each preset is a valid value, even if it is not in force.
        let presets = command_line(settings.0.iter().filter(|setting| is_preset(setting)), word);
        if let Err(error) = flags::with_values(Arguments::command()).try_get_matches_from(presets) {
            return Err(explained(error, &settings));
        }
        let mut kept = settings.0;
        for arg in sync_options().iter().filter(|arg| !is_repeatable(arg)) {
            let is_it = |setting: &&Setting| setting.option == name_of(arg);
            let highest = kept.iter().filter(is_it).map(|setting| layer(&setting.origin)).max();
            kept.retain(|setting| !is_it(&setting) || Some(layer(&setting.origin)) == highest);
        }
        // With a flag that is switched off, the presets that need it go.
        let off: Vec<_> = kept.iter().filter(|setting| flags::is_off(setting)).map(Setting::shown).collect();
        kept.retain(|setting| !is_preset(setting) || !needs_any(setting, &off));
        Ok(Self { settings: Settings(kept), file })
    }

    /// Parses what is in force.
    pub(crate) fn arguments(&self) -> Result<Arguments, Failure> {
        parse_strictly(self.settings.0.iter()).map_err(|error| explained(error, &self.settings))
    }
}

fn is_preset(setting: &Setting) -> bool {
    setting.origin != Origin::CommandLine
}

fn layer(origin: &Origin) -> u8 {
    match origin {
        Origin::File { .. } => 0,
        Origin::Variable(_) => 1,
        Origin::CommandLine => 2,
    }
}

/// What the command line gives, in its order.
fn given(matches: &ArgMatches) -> Vec<Setting> {
    let mut found = Vec::new();
    for arg in sync_options() {
        let id = arg.get_id().as_str();
        let has_it = matches.try_contains_id(id).is_ok();
        if has_it && matches.value_source(id) == Some(ValueSource::CommandLine) {
            let values = matches.indices_of(id).into_iter().flatten().zip(matches.get_raw(id).into_iter().flatten());
            found.extend(values.map(|(index, value)| (index, setting(arg, value, Origin::CommandLine))));
        }
    }
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, setting)| setting).collect()
}

fn setting(arg: &Arg, value: &OsStr, origin: Origin) -> Setting {
    Setting { option: name_of(arg).to_owned(), value: value.to_owned(), origin }
}

/// What the environment gives. An empty variable is as good as none; one of a repeatable option has a value a line.
fn environment(variables: Variables<'_>) -> Vec<Setting> {
    let mut found = Vec::new();
    for arg in sync_options() {
        let Some(name) = variable_of(arg) else { continue };
        let Some(value) = variables(&name).filter(|value| !value.is_empty()) else { continue };
        let is_list = is_repeatable(arg);
        for value in value.as_bytes().split(|&byte| is_list && byte == b'\n').filter(|value| !value.is_empty()) {
            found.push(setting(arg, OsStr::from_bytes(value), Origin::Variable(name.clone())));
        }
    }
    found
}

/// What a job gives.
///
/// # Errors
/// One line: there is no such job, or one of its keys is no option.
fn job(file: &ConfigFile, name: &str) -> Result<Vec<Setting>, String> {
    let (job, path) = file.job(name)?;
    let options = sync_options();
    let mut found = Vec::new();
    for key in &job.keys {
        let wrong = |problem: &str, advice: &str| {
            format!("{}, line {}: {problem} in [job.{name}]{advice}", path.display(), key.line)
        };
        let arg = option_of(options, &key.name).map_err(|(problem, advice)| wrong(&problem, &advice))?;
        if key.is_list && !is_repeatable(arg) {
            return Err(wrong(&format!("`{}`", key.name), ": it takes one value, not a list"));
        }
        let origin = |line| Origin::File { path: path.to_owned(), line };
        found.extend(key.values.iter().map(|(value, line)| setting(arg, OsStr::new(value), origin(*line))));
    }
    Ok(found)
}

/// `--name=value`, or the value of SOURCE or DEST.
fn word(setting: &Setting) -> Vec<OsString> {
    if is_tree(setting) {
        return vec![setting.value.clone()];
    }
    let mut word = format!("--{}=", setting.option).into_bytes();
    word.extend_from_slice(setting.value.as_bytes());
    vec![OsString::from_vec(word)]
}

fn is_tree(setting: &Setting) -> bool {
    matches!(setting.option.as_str(), "source" | "dest")
}

/// The command line of these settings.
fn command_line<'a>(
    settings: impl Iterator<Item = &'a Setting>,
    words_of: impl Fn(&Setting) -> Vec<OsString>,
) -> Vec<OsString> {
    let (mut trees, options): (Vec<_>, Vec<_>) = settings.partition(|setting| is_tree(setting));
    trees.sort_by_key(|tree| tree.option == "dest");
    let words = ["towpath", "sync"].map(OsString::from).into_iter();
    let options = options.into_iter().flat_map(&words_of);
    words.chain(options).chain([OsString::from("--")]).chain(trees.into_iter().flat_map(&words_of)).collect()
}

/// Parses settings as if all were given on the command line.
fn parse_strictly<'a>(settings: impl Iterator<Item = &'a Setting>) -> Result<Arguments, clap::Error> {
    // The usage of an error is that of the options in question.
    let command = Arguments::command().mut_subcommand("sync", |sync| sync.override_usage(Resettable::Reset));
    let words = command_line(settings, |setting| flags::words(setting).unwrap_or_else(|| word(setting)));
    Arguments::from_arg_matches(&command.try_get_matches_from(words)?)
}

/// Whether an option cannot be given without one of these.
fn needs_any(setting: &Setting, options: &[String]) -> bool {
    if options.is_empty() || is_tree(setting) {
        return false;
    }
    let error = parse_strictly([setting].into_iter()).err();
    error.is_some_and(|error| missing(&error).iter().any(|missing| options.contains(missing)))
}

/// The options that are required and missing, without the names of their values.
fn missing(error: &clap::Error) -> Vec<String> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(names)) if error.kind() == ErrorKind::MissingRequiredArgument => {
            names.iter().map(|name| name.split(' ').next().unwrap_or(name).to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

/// An error that says where the options that it is about are from.
fn explained(mut error: clap::Error, settings: &Settings) -> Failure {
    let text = error.to_string();
    let mut about = text.split("\n\nUsage:").next().unwrap_or_default().to_owned();
    let missing = missing(&error);
    for needy in settings.0.iter().filter(|setting| is_preset(setting) && needs_any(setting, &missing)) {
        about = format!("{about} {}", needy.shown());
    }
    let tip = |setting: &Setting| {
        let can_go = error.kind() == ErrorKind::ArgumentConflict && flags::is_flag(setting);
        let off = if can_go { format!("; {}=false switches it off", setting.shown()) } else { String::new() };
        setting.whence() + &off
    };
    let mut tips: Vec<_> = settings.presets_in(&about).into_iter().map(tip).collect();
    tips.dedup();
    if !tips.is_empty() {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips.into_iter().map(Into::into).collect()));
    }
    error.into()
}
