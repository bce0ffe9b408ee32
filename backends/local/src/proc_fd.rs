//! Paths of open handles, for calls that take no handle.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::io::Errno;

/// A path that leads to exactly what the handle holds, a link itself included, and no further.
pub(crate) fn proc_path(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// What is missing is `/proc`: an open handle's file is there.
pub(crate) fn through_proc(error: Errno) -> io::Error {
    match error {
        Errno::NOENT | Errno::NOTDIR => io::Error::other("/proc is not mounted"),
        _ => error.into(),
    }
}
