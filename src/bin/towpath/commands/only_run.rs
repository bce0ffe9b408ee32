//! One run at a time for a pair of trees, with any database and any user.
//!
//! Root's cron job and a user have different default databases, so the lock of the database does not exclude them from
//! each other. A socket in Linux's abstract namespace is visible to all users of a machine, is in no file system, and
//! disappears with its process. Runs on other machines, and in containers with a network namespace of their own, are
//! not noticed.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use towpath_backend::registry::Location;

use crate::config::state_files::pair_of;

/// Held during the run.
pub(crate) struct OnlyRun(#[expect(dead_code, reason = "is closed when the run ends")] Option<UnixListener>);

impl OnlyRun {
    /// Claims a pair of trees.
    ///
    /// # Errors
    /// One line, if another run has it.
    pub(crate) fn of(source: &Location, dest: &Location) -> Result<Self, String> {
        Self::claim("towpath", source, dest, |name| {
            format!(
                "another run migrates {source} to {dest} with another database: wait until it ends, or stop it (`ss -xlp` \
                 lists its process beside the socket @{name})"
            )
        })
    }

    /// Claims the verification of a pair of trees, which may go on beside a run.
    ///
    /// # Errors
    /// One line, if another verification has it.
    pub(crate) fn of_verification(source: &Location, dest: &Location) -> Result<Self, String> {
        Self::claim("towpath-verify", source, dest, |name| {
            format!(
                "another `towpath verify` reads {dest}: wait until it ends, or stop it (`ss -xlp` lists its process beside \
                 the socket @{name})"
            )
        })
    }

    fn claim(kind: &str, source: &Location, dest: &Location, taken: impl Fn(&str) -> String) -> Result<Self, String> {
        let name = format!("{kind}-{}", pair_of(source, dest));
        match SocketAddr::from_abstract_name(&name).and_then(|address| UnixListener::bind_addr(&address)) {
            Ok(listener) => Ok(Self(Some(listener))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(taken(&name)),
            Err(error) => {
                // A sandbox without such sockets.
                tracing::debug!(%error, name, "cannot claim the pair of trees");
                Ok(Self(None))
            }
        }
    }
}
