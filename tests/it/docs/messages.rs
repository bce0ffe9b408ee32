//! The documents quote the program's messages exactly.

use std::fs;
use std::path::Path;

use super::{page, repository};

/// All source text below a folder, with strings that continue on the next line joined.
pub(super) fn source_text(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_text(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut lines = fs::read_to_string(&path).unwrap();
            while let Some(at) = lines.find("\\\n") {
                let rest = lines.split_off(at);
                lines += rest[2..].trim_start();
            }
            let code = lines.lines().filter(|line| !line.trim_start().starts_with("//"));
            *text += &code.collect::<Vec<_>>().join("\n");
        }
    }
}

#[test]
fn each_symptom_is_a_message_of_the_program() {
    let mut text = String::new();
    for folder in ["src", "backends/api/src", "backends/local/src", "backends/opendal/src"] {
        source_text(&repository().join(folder), &mut text);
    }
    let page = page("docs/troubleshooting.md");
    let mut wrong = Vec::new();
    for (number, line) in page.prose().filter(|(_, line)| line.starts_with("| ")) {
        let symptom = line.split(" | ").next().unwrap_or_default();
        // Names are not messages.
        let messages = symptom.split('`').skip(1).step_by(2).filter(|span| span.contains(' '));
        for phrase in messages.flat_map(|message| message.split('…')).map(str::trim).filter(|phrase| !phrase.is_empty())
        {
            if !text.contains(phrase) {
                wrong.push(format!("{}:{number}: {phrase}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no message contains:\n{}", wrong.join("\n"));
}
