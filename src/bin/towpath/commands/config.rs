//! `towpath config show`: each value that `towpath sync` takes from the configuration file, the environment and the
//! defaults, and where it is from.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use clap::{Arg, ArgAction};
use serde_json::{Value, json};
use towpath_backend::registry::{Location, OptionKind, Registry};

use super::trees::registry;
use crate::args::Format;
use crate::args::config::{ConfigAction, ConfigArguments, ShowArguments};
use crate::config::ConfigFile;
use crate::config::setting::{Origin, Setting};
use crate::console::output;
use crate::exit::USAGE_ERROR;
use crate::format;
use crate::layers::options::{name_of, sync_options, variable_of};
use crate::layers::{Failure, Layers};

/// A value, and where it is from.
struct Row {
    /// The section of a backend's option.
    section: Option<String>,
    name: String,
    value: String,
    /// `None`: it is the default.
    origin: Option<Origin>,
}

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &ConfigArguments) -> u8 {
    let ConfigAction::Show(arguments) = &arguments.action;
    match show(arguments) {
        Ok(()) => 0,
        Err(Failure::File(problem)) => {
            output::error(&problem);
            USAGE_ERROR
        }
        Err(Failure::Clap(error)) => {
            // Standard error may be closed.
            let _printed = error.print();
            USAGE_ERROR
        }
    }
}

fn show(arguments: &ShowArguments) -> Result<(), Failure> {
    let given = |option: &str, value: Option<&OsStr>| {
        value.map(|value| Setting { option: option.to_owned(), value: value.to_owned(), origin: Origin::CommandLine })
    };
    let job = given("job", arguments.job.as_deref().map(OsStr::new));
    let config = given("config", arguments.config.as_deref().map(Path::as_os_str));
    let mut layers = Layers::collect(job.into_iter().chain(config).collect(), &|name| std::env::var_os(name))?;
    let file = match &layers.file {
        Some(file) => file.clone(),
        None => ConfigFile::read(arguments.config.as_deref()).map_err(Failure::File)?,
    };
    let registry = registry().map_err(|error| Failure::File(error.to_string()))?;
    let mut rows: Vec<_> = sync_options().iter().flat_map(|arg| rows_of(arg, &layers)).collect();
    rows.extend(options_of_backends(&file, &registry));
    match arguments.format {
        Format::Json => rows.iter().for_each(|row| output::line(&as_json(row).to_string())),
        Format::Text => print(&rows, &file, arguments.job.is_some()),
    }
    // The trees may be those of the command line.
    for tree in ["source", "dest"].into_iter().filter(|tree| layers.settings.value(tree).is_none()).collect::<Vec<_>>()
    {
        layers.settings.0.extend(given(tree, Some(OsStr::new("."))));
    }
    layers.arguments().map(drop)
}

/// The values of an option, or its default.
fn rows_of(arg: &Arg, layers: &Layers) -> Vec<Row> {
    let name = name_of(arg);
    // What only the command line has, and the file itself.
    if name == "config" || (variable_of(arg).is_none() && !arg.is_positional()) {
        return Vec::new();
    }
    let row = |value, origin| Row { section: None, name: name.to_owned(), value, origin };
    let values = layers.settings.0.iter().filter(|setting| setting.option == name);
    let set: Vec<_> = values.map(|setting| row(shown(arg, &setting.value), Some(setting.origin.clone()))).collect();
    // SOURCE and DEST have no default.
    if !set.is_empty() || arg.is_positional() { set } else { vec![row(default_of(arg), None)] }
}

/// A value. A URL is shown without the values of its options, which may be secrets by mistake.
fn shown(arg: &Arg, value: &OsStr) -> String {
    if !arg.is_positional() {
        return format::escape(value.as_bytes());
    }
    match Location::parse(value) {
        Ok(Location::Path(path)) => format::escape(path.as_os_str().as_bytes()),
        Ok(url) if value.as_bytes().contains(&b'?') => format!("{url}?…"),
        Ok(url) => url.to_string(),
        Err(_) => "(invalid)".to_owned(),
    }
}

/// The default: clap's, or the one that the help names.
fn default_of(arg: &Arg) -> String {
    let values: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    match arg.get_action() {
        ArgAction::SetTrue => return "false".to_owned(),
        ArgAction::Count => return "0".to_owned(),
        _ if !values.is_empty() => return values.join(","),
        _ => {}
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let named = help.split_once("[default: ").and_then(|(_, rest)| rest.split_once(']'));
    named.map_or_else(|| "(not set)".to_owned(), |(default, _)| format!("({default})"))
}

/// The options of backends in the file and in the environment.
fn options_of_backends(file: &ConfigFile, registry: &Registry) -> Vec<Row> {
    let path = file.path.clone().unwrap_or_default();
    let mut rows = Vec::new();
    for option in &file.options {
        let scheme = option.section.split("://").next().unwrap_or_default();
        let backend = registry.backends().find(|backend| backend.schemes().contains(&scheme));
        let spec = backend.and_then(|backend| backend.options().iter().find(|spec| spec.name == option.name));
        // What is not known may be a secret, too.
        let is_secret = spec.is_none_or(|spec| spec.kind == OptionKind::Secret);
        rows.push(Row {
            section: Some(option.section.clone()),
            name: option.name.clone(),
            value: if is_secret { "(set)".to_owned() } else { format::escape(option.value.expose().as_bytes()) },
            origin: Some(Origin::File { path: path.clone(), line: option.line }),
        });
    }
    for backend in registry.backends() {
        let Some(scheme) = backend.schemes().first() else { continue };
        for spec in backend.options() {
            let value_of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let mut set = spec.environment.iter().filter_map(|name| Some((*name, value_of(name)?)));
            let Some((variable, value)) = set.next() else { continue };
            if file.options.iter().any(|option| option.section == *scheme && option.name == spec.name) {
                continue;
            }
            rows.push(Row {
                section: Some((*scheme).to_owned()),
                name: spec.name.to_owned(),
                value: if spec.kind == OptionKind::Secret {
                    "(set)".to_owned()
                } else {
                    format::escape(value.as_bytes())
                },
                origin: Some(Origin::Variable(variable.to_owned())),
            });
        }
    }
    rows
}

fn as_json(row: &Row) -> Value {
    let origin = match &row.origin {
        None => json!({ "kind": "default" }),
        Some(Origin::CommandLine) => json!({ "kind": "command-line" }),
        Some(Origin::Variable(name)) => json!({ "kind": "environment", "variable": name }),
        Some(Origin::File { path, line }) => json!({ "kind": "file", "path": path.to_string_lossy(), "line": line }),
    };
    json!({ "section": row.section, "name": row.name, "value": row.value, "origin": origin })
}

fn print(rows: &[Row], file: &ConfigFile, has_job: bool) {
    let name = |row: &Row| match &row.section {
        Some(section) => format!("[{section}] {}", row.name),
        None => row.name.clone(),
    };
    // Long values do not push the others aside.
    let width = |lengths: &mut dyn Iterator<Item = usize>| lengths.filter(|length| *length <= 40).max().unwrap_or(0);
    let names = width(&mut rows.iter().map(|row| name(row).chars().count()));
    let set = rows.iter().filter(|row| row.origin.is_some());
    let values = width(&mut set.map(|row| row.value.chars().count())).max(10);
    for row in rows {
        let origin = match &row.origin {
            None => "default".to_owned(),
            Some(Origin::Variable(variable)) => variable.clone(),
            Some(origin) => origin.to_string(),
        };
        output::line(&format!("{:names$}  {:values$}  {origin}", name(row), row.value));
    }
    let jobs: Vec<_> = file.job_names().collect();
    if !has_job && !jobs.is_empty() {
        output::line(&format!("jobs: {}", jobs.join(", ")));
    }
    if let Some(note) = file.note() {
        output::note(&format!("note: {note}"));
    }
    for variable in unknown_variables() {
        output::note(&format!("note: {} is set, but no option has this variable", variable.display()));
    }
}

/// Variables with the prefix of Towpath that it does not read: probably a name that is misspelled.
fn unknown_variables() -> Vec<OsString> {
    let known: Vec<_> = sync_options().iter().filter_map(variable_of).collect();
    let names = std::env::vars_os().map(|(name, _)| name);
    names
        .filter(|name| name.as_bytes().starts_with(b"TOWPATH_") && !known.iter().any(|known| name == known.as_str()))
        .collect()
}
