//! Helpers for tests that need root, to run as another user or to mount.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skip::skip;

/// Whether the test runs as root; if not, it is skipped.
pub fn is_root_or_skip(what: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip(format_args!("needs root: {what}"));
    }
    is_root
}

/// A mount that is unmounted at the end of the test.
pub struct Mount(PathBuf);

impl Mount {
    /// Mounts at a directory, which is created if it is missing. `None`: the test may not mount and is skipped.
    pub fn new(at: &Path, arguments: &[&str]) -> Option<Self> {
        Self::by("mount", at, arguments)
    }

    /// Like [`Self::new`], with another program, which takes the directory as its last argument.
    pub fn by(program: &str, at: &Path, arguments: &[&str]) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let problem = match Command::new(program).args(arguments).arg(at).output() {
            Ok(output) if output.status.success() => return Some(Self(at.to_owned())),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "),
            Err(error) => error.to_string(),
        };
        skip(format_args!("needs root and {program}: a mount ({problem})"));
        None
    }

    /// An empty file system in memory.
    pub fn tmpfs(at: &Path) -> Option<Self> {
        Self::new(at, &["-t", "tmpfs", "none"])
    }

    /// An empty file system in memory of at most `size`, such as `64k`.
    pub fn small_tmpfs(at: &Path, size: &str) -> Option<Self> {
        Self::new(at, &["-t", "tmpfs", "-o", &format!("size={size}"), "none"])
    }

    /// A bind mount of a directory.
    pub fn bind(dir: &Path, at: &Path) -> Option<Self> {
        Self::new(at, &["--bind", dir.to_str().unwrap()])
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
