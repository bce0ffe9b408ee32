//! The backends of OpenDAL against its storage in memory, a server written for the tests, and real servers on loopback.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[cfg(feature = "all-backends")]
#[path = "../servers/mod.rs"]
mod servers;
#[cfg(feature = "all-backends")]
#[path = "../../../../tests/it/skip.rs"]
mod skip;

#[cfg(feature = "all-backends")]
mod conformance_on_servers;
#[cfg(feature = "all-backends")]
mod credential_sources;
#[cfg(feature = "all-backends")]
mod credentials;
#[cfg(feature = "all-backends")]
mod empty_directories;
#[cfg(feature = "all-backends")]
mod expired_credentials;
#[cfg(feature = "all-backends")]
mod fake;
#[cfg(feature = "all-backends")]
mod fake_dav;
#[cfg(feature = "all-backends")]
mod fake_gcs;
#[cfg(feature = "all-backends")]
mod fake_objects;
#[cfg(feature = "all-backends")]
mod faulty;
#[cfg(feature = "all-backends")]
mod http;
#[cfg(feature = "all-backends")]
mod links_on_servers;
#[cfg(feature = "all-backends")]
mod links_outside;
#[cfg(feature = "all-backends")]
mod lost_answers;
mod memory;
#[cfg(feature = "all-backends")]
mod migrations;
#[cfg(feature = "all-backends")]
mod object_metadata;
#[cfg(feature = "all-backends")]
mod odd_keys;
#[cfg(feature = "all-backends")]
mod poisoned;
#[cfg(feature = "all-backends")]
mod reading;
#[cfg(feature = "all-backends")]
mod replaced_options;
#[cfg(feature = "all-backends")]
mod run;
#[cfg(feature = "all-backends")]
mod stored;
#[cfg(feature = "all-backends")]
mod throttling;
#[cfg(feature = "all-backends")]
mod webdav;
