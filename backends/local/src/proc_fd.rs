//! Paths of open handles, for system calls that take no handle.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::io::Errno;

/// A path to exactly the entry of the handle, including a link itself, and no further.
pub(crate) fn proc_path(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// If something is missing, it is `/proc`: the file of an open handle exists.
pub(crate) fn through_proc(error: Errno) -> io::Error {
    match error {
        Errno::NOENT | Errno::NOTDIR => io::Error::other("/proc is not mounted"),
        _ => error.into(),
    }
}
