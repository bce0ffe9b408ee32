//! The socket on which a service manager waits for messages (sd_notify(3)).
//!
//! The crate `sd-notify` takes no abstract address, as containers have it, and its `send` waits for a manager that does
//! not read.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// A connected socket that never waits.
#[derive(Debug)]
pub(super) struct NotifySocket(UnixDatagram);

impl NotifySocket {
    /// Connects to the value of `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    ///
    /// # Errors
    /// Nobody listens there, or the address is of another kind.
    pub(super) fn connect(address: &OsStr) -> io::Result<Self> {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract address")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address)?;
        Ok(Self(socket))
    }

    /// Sends a message: assignments, one on a line. False: the queue is full, or nobody listens any more.
    pub(super) fn send(&self, message: &str) -> bool {
        self.0.send(message.as_bytes()).is_ok()
    }
}
