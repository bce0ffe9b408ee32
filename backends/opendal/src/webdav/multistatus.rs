//! Reads a multistatus (RFC 4918, 13) by the namespaces of its elements, whatever their prefixes.

use std::collections::BTreeMap;

use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};

use crate::mark::Reason;

/// The namespace in which OpenDAL keeps user metadata.
pub(super) const OWN: &str = "https://opendal.apache.org/ns";

/// A resource, and what the server says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) href: String,
    /// The status of all of it.
    status: Option<u16>,
    /// Whether there are properties with a status of success.
    is_described: bool,
    /// The status of properties that were rejected.
    rejected: Option<u16>,
    /// Whether its type is among these.
    type_rejected: bool,
    is_collection: Option<bool>,
    properties: Properties,
}

/// Properties in the namespace `DAV:`, and those of user metadata, by their names.
type Properties = BTreeMap<(Space, String), String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Space {
    Dav,
    Own,
    Other,
}

impl Described {
    pub(super) fn is_collection(&self) -> bool {
        // References to collections end with a slash; those to files never do.
        self.is_collection.unwrap_or_else(|| self.href.ends_with('/'))
    }

    /// Whether the server says that it is no collection.
    pub(super) fn is_file(&self) -> bool {
        self.is_collection == Some(false)
    }

    /// A folder, whatever the server says of it.
    pub(super) fn into_folder(self) -> Self {
        Self { status: None, is_described: true, is_collection: Some(true), ..self }
    }

    /// A property in the namespace `DAV:`, if it says something.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        let found = self.properties.get(&(Space::Dav, name.to_owned()));
        found.map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// User metadata.
    pub(super) fn user_metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.properties.iter().filter(|((space, _), _)| *space == Space::Own);
        own.map(|((_, name), value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.property("getcontentlength")?.parse().ok()
    }

    pub(super) fn set_length(&mut self, length: u64) {
        self.properties.insert((Space::Dav, "getcontentlength".to_owned()), length.to_string());
    }

    /// What is missing of it.
    pub(super) fn missing(&self) -> Option<Reason> {
        let is_success = |status: &u16| (200..300).contains(status);
        match self.status.filter(|status| !is_success(status)).or(self.rejected.filter(|_| !self.is_described)) {
            Some(status) => return Some(Reason::Rejected(status)),
            None if !self.is_described => return Some(Reason::Undescribed),
            None => {}
        }
        match self.is_collection {
            None if self.type_rejected => Some(self.rejected.map_or(Reason::Undescribed, Reason::Rejected)),
            _ if self.is_collection() || self.length().is_some() => None,
            _ => Some(Reason::WithoutLength),
        }
    }

    /// Adds properties that have one status.
    fn add(&mut self, group: Group) {
        match group.status {
            None | Some(200..=299) => {
                self.is_described = true;
                self.is_collection = self.is_collection.or(group.is_collection);
                self.properties.extend(group.properties);
            }
            // The resource has no such property.
            Some(404) => {}
            Some(status) => {
                self.rejected = self.rejected.or(Some(status));
                self.type_rejected |= group.is_collection.is_some();
            }
        }
    }
}

/// Properties that have one status: a `propstat`.
#[derive(Debug, Default)]
struct Group {
    status: Option<u16>,
    is_collection: Option<bool>,
    properties: Properties,
}

/// The text of an answer. What is no UTF-8 is percent-encoded: in references it then is what was meant.
pub(super) fn text(answer: &[u8]) -> String {
    let mut text = String::with_capacity(answer.len());
    for chunk in answer.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
    }
    text
}

/// The responses of a multistatus.
///
/// # Errors
/// If it is none, or ends early.
pub(super) fn parse(text: &str) -> Result<Vec<Described>, String> {
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    let mut parser = Parser::default();
    loop {
        let event = reader.read_resolved_event();
        let (namespace, event) = event.map_err(|problem| format!("the server's answer is no valid XML: {problem}"))?;
        match event {
            Event::Start(start) => parser.start(space_of(&namespace), start.local_name().as_ref())?,
            Event::End(_) => parser.end(),
            Event::Text(piece) => parser.text.push_str(&piece),
            Event::CData(piece) => parser.text.push_str(&piece),
            Event::GeneralRef(reference) => {
                let plain = match &*reference {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => reference.resolve_char_ref().ok().flatten(),
                };
                let unknown = || format!("the server's answer has an unknown entity: &{};", &*reference);
                parser.text.push(plain.ok_or_else(unknown)?);
            }
            Event::Eof if parser.is_whole => return Ok(parser.done),
            Event::Eof => return Err("the server's answer is no multistatus, or ends early".to_owned()),
            _ => {}
        }
    }
}

/// Servers that declare no namespace mean that of WebDAV.
fn space_of(namespace: &ResolveResult<'_>) -> Space {
    match namespace {
        ResolveResult::Bound(Namespace(OWN)) => Space::Own,
        ResolveResult::Bound(Namespace(name)) if *name != "DAV:" => Space::Other,
        _ => Space::Dav,
    }
}

#[derive(Debug, Default)]
struct Parser {
    /// The elements that are open.
    open: Vec<(Space, String)>,
    text: String,
    hrefs: Vec<String>,
    current: Described,
    group: Group,
    done: Vec<Described>,
    /// Whether the multistatus was closed.
    is_whole: bool,
}

impl Parser {
    /// Where it is: the names of the elements that are open, without those of other namespaces.
    fn place(&self) -> Vec<&str> {
        self.open.iter().map(|(space, name)| if *space == Space::Dav { name.as_str() } else { "" }).collect()
    }

    fn start(&mut self, space: Space, name: &str) -> Result<(), String> {
        if self.open.is_empty() && (space != Space::Dav || name != "multistatus") {
            return Err(format!("the server's answer is no multistatus, but begins with <{name}>"));
        }
        self.text.clear();
        self.open.push((space, name.to_owned()));
        match self.place().as_slice() {
            ["multistatus", "response"] => {
                (self.current, self.hrefs) = Default::default();
            }
            ["multistatus", "response", "propstat"] => self.group = Group::default(),
            ["multistatus", "response", "propstat", "prop", "resourcetype"] => {
                self.group.is_collection = self.group.is_collection.or(Some(false));
            }
            ["multistatus", "response", "propstat", "prop", "resourcetype", "collection"] => {
                self.group.is_collection = Some(true);
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        match self.place().as_slice() {
            ["multistatus"] => self.is_whole = true,
            ["multistatus", "response"] => {
                let described = std::mem::take(&mut self.current);
                // A status may be that of several.
                self.done.extend(self.hrefs.drain(..).map(|href| Described { href, ..described.clone() }));
            }
            ["multistatus", "response", "href"] => self.hrefs.push(text.trim().to_owned()),
            ["multistatus", "response", "status"] => self.current.status = Some(status(&text)),
            ["multistatus", "response", "propstat"] => self.current.add(std::mem::take(&mut self.group)),
            ["multistatus", "response", "propstat", "status"] => self.group.status = Some(status(&text)),
            ["multistatus", "response", "propstat", "prop", _] => {
                if let Some(property) = self.open.last().cloned() {
                    self.group.properties.insert(property, text);
                }
            }
            _ => {}
        }
        self.open.pop();
    }
}

/// The code of `HTTP/1.1 403 Forbidden`; 500 if there is none, which is no success.
fn status(line: &str) -> u16 {
    line.split_whitespace().nth(1).and_then(|code| code.parse().ok()).unwrap_or(500)
}
