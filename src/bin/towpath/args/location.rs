//! SOURCE and DEST on the command line.

use clap::builder::{OsStringValueParser, TypedValueParser};
use towpath_backend::registry::{InvalidLocation, Location};

/// A location argument: SOURCE or DEST, or why it is invalid. An error of the command line's own parser
/// would repeat the argument, which may hold a password.
#[derive(Clone, Debug)]
pub(crate) struct LocationArgument(Result<Location, InvalidLocation>);

impl LocationArgument {
    pub(crate) fn location(&self) -> Result<&Location, String> {
        self.0.as_ref().map_err(InvalidLocation::to_string)
    }
}

pub(super) fn parse_location() -> impl TypedValueParser<Value = LocationArgument> {
    OsStringValueParser::new().map(|text| LocationArgument(Location::parse(&text)))
}
