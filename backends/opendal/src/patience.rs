//! How long requests are tried again: until a throttled service takes them, a server that is away is back, or expired
//! credentials are replaced.

mod attempts;
mod layer;
mod shared;
mod streams;
mod waits;
mod writer;

pub(crate) use layer::PatientLayer;
pub(crate) use shared::Patience;
#[cfg(feature = "s3")]
pub(crate) use shared::{Explaining, Renewal, Renewing};
