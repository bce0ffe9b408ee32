//! Exit statuses, and the error that ends the program with one.

use crate::console::output;
use towpath::Error;

pub(crate) const ALL_IN_SYNC: u8 = 0;
pub(crate) const COULD_NOT_RUN: u8 = 1;
pub(crate) const USAGE_ERROR: u8 = 2;
pub(crate) const NOT_ALL_IN_SYNC: u8 = 3;
pub(crate) const GUARD_REFUSAL: u8 = 4;

/// Why the program ends: the exit status, and an error of one line.
pub(crate) struct ExitError(pub(crate) u8, pub(crate) String);

impl ExitError {
    /// Prints the error; returns the exit status.
    pub(crate) fn report(self) -> u8 {
        let Self(status, problem) = self;
        output::error(&problem);
        status
    }
}

impl From<Error> for ExitError {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Usage(_) => USAGE_ERROR,
            error if error.is_refusal() => GUARD_REFUSAL,
            _ => COULD_NOT_RUN,
        };
        Self(status, error.to_string())
    }
}
