//! Exit statuses, and the error that ends the program with one.

use towpath::Error;

pub(crate) const ALL_IN_SYNC: u8 = 0;
pub(crate) const COULD_NOT_RUN: u8 = 1;
pub(crate) const WRONG_USAGE: u8 = 2;
pub(crate) const NOT_ALL_IN_SYNC: u8 = 3;
pub(crate) const REFUSED: u8 = 4;

/// Why it cannot run: the exit status, and one line.
pub(crate) struct Refusal(pub(crate) u8, pub(crate) String);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Usage(_) => WRONG_USAGE,
            error if error.is_refusal() => REFUSED,
            _ => COULD_NOT_RUN,
        };
        Self(status, error.to_string())
    }
}
