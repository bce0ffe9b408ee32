//! `towpath backends`: lists what this build can open.

use serde_json::json;
use towpath_backend::Capabilities;
use towpath_backend::registry::{Backend, OptionKind};

use super::trees::registry;
use crate::args::{BackendsArguments, Format};
use crate::console::output;
use crate::exit::COULD_NOT_RUN;

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &BackendsArguments) -> u8 {
    match registry() {
        Ok(registry) => {
            for backend in registry.backends() {
                match arguments.format {
                    Format::Text => text(backend),
                    Format::Json => output::line(&as_json(backend).to_string()),
                }
            }
            0
        }
        Err(error) => {
            output::error(&error.to_string());
            COULD_NOT_RUN
        }
    }
}

fn text(backend: &dyn Backend) {
    let urls = backend.schemes().iter().map(|scheme| format!("{scheme}://"));
    let paths = backend.opens_paths().then(|| "/path".to_owned());
    let locations: Vec<_> = paths.into_iter().chain(urls).collect();
    output::line(&format!("{:<8} {} ({})", backend.name(), backend.about(), locations.join(", ")));
    output::line(&format!("         keeps at best {}", kept(&backend.capabilities()).join(", ")));
    for option in backend.options() {
        let how = match (option.kind, option.environment.is_empty()) {
            (OptionKind::Secret, true) => " [never in a URL]".to_owned(),
            (OptionKind::Secret, false) => format!(" [never in a URL; {}]", option.environment.join(", ")),
            (_, true) => String::new(),
            (_, false) => format!(" [{}]", option.environment.join(", ")),
        };
        output::line(&format!("         {:<18} {}{how}", option.name, option.about));
    }
}

/// What its trees keep, in words.
fn kept(capabilities: &Capabilities) -> Vec<&'static str> {
    let flags = [
        (true, "content"),
        (capabilities.sets_mtime, "mtimes"),
        (!capabilities.virtual_directories, "directories"),
        (capabilities.symlinks, "links"),
        (capabilities.hard_links, "hard links"),
        (capabilities.renames, "renames"),
        (capabilities.holes, "holes"),
    ];
    flags.into_iter().filter_map(|(has, what)| has.then_some(what)).collect()
}

fn as_json(backend: &dyn Backend) -> serde_json::Value {
    let kind = |kind| match kind {
        OptionKind::Secret => "secret",
        OptionKind::Flag => "flag",
        OptionKind::Number => "number",
        _ => "text",
    };
    let options: Vec<_> = backend
        .options()
        .iter()
        .map(|option| {
            json!({
                "name": option.name, "kind": kind(option.kind), "about": option.about, "environment": option.environment
            })
        })
        .collect();
    json!({
        "name": backend.name(),
        "about": backend.about(),
        "paths": backend.opens_paths(),
        "schemes": backend.schemes(),
        "keeps": kept(&backend.capabilities()),
        "options": options,
    })
}
