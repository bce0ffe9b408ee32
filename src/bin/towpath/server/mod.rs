//! The control server of a run: HTTP/1.1 with JSON on a Unix socket beside the database and, on request, on TCP. It
//! knows no migration.
#![allow(dead_code, reason = "is wired to the run step by step")]

pub(crate) mod client;
mod socket;

#[allow(unused_imports, reason = "is wired to the run step by step")]
pub(crate) use socket::socket_paths;
