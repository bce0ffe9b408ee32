//! Says that a run with a database is starting, so that clients wait for its socket.
//!
//! Before its socket listens, a run opens both trees, which may take seconds. Meanwhile it has a datagram socket in
//! Linux's abstract namespace that is named after its database: it is in no file system, and disappears with its process.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use towpath::canonical_path;

/// Held while a run starts.
#[derive(Debug)]
pub(crate) struct Starting(#[expect(dead_code, reason = "is closed when the run listens")] Option<UnixDatagram>);

impl Starting {
    /// Says that a run with this database is starting, until it is dropped. Blocks.
    pub(crate) fn announce(database: &Path) -> Self {
        let bound = address(database).and_then(|address| UnixDatagram::bind_addr(&address));
        // A sandbox without such sockets, or another run: the lock of the database decides between them.
        Self(bound.inspect_err(|error| tracing::debug!(%error, "cannot say that a run is starting")).ok())
    }

    /// Whether a run with this database is starting. Blocks.
    pub(crate) fn is_announced(database: &Path) -> bool {
        let connect = |address| UnixDatagram::unbound()?.connect_addr(&address);
        address(database).and_then(connect).is_ok()
    }
}

fn address(database: &Path) -> std::io::Result<SocketAddr> {
    let digest = Sha256::digest(canonical_path(database).as_os_str().as_bytes());
    SocketAddr::from_abstract_name(format!("towpath-starting-{}", hex::encode(&digest[..16])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_starting_until_it_listens() {
        let folder = tempfile::tempdir().unwrap();
        let (database, other) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let starting = Starting::announce(&database);
        let second = Starting::announce(&database);
        for _ in 0..1000 {
            assert!(Starting::is_announced(&database), "any number of clients may ask");
        }
        assert!(!Starting::is_announced(&other));
        drop((starting, second));
        assert!(!Starting::is_announced(&database));
    }
}
