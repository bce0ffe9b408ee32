//! Opens the root of a sink or its trash. Creates it if it is missing, even if a client still shows a removed one.

use std::cell::Cell;
use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::resolve::Resolver;
use crate::root::{OpenError, Root};

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(250);
/// After three seconds a client has asked its server again: an SMB client caches names for one second (`actimeo` in
/// mount.cifs(8)), and an NFS client drops a cached name when opening it fails.
const ATTEMPTS: u32 = 12;

/// Opens the directory at `path`; also returns whether it was missing and was created by `builder`. Its parent must
/// exist.
pub(crate) fn open_or_create(
    path: &Path,
    builder: &DirBuilder,
    resolver: impl Fn(OwnedFd) -> Resolver,
) -> Result<(Root, bool), OpenError> {
    let is_new = Cell::new(false);
    let create = || match builder.create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(OpenError::io(path, "be created", &error)),
        result => {
            is_new.set(is_new.get() || result.is_ok());
            Ok(())
        }
    };
    let root = opened(PAUSE, create, || Root::with(path, &resolver))?;
    Ok((root.map_err(|error| OpenError::io(path, "be read", &error))?, is_new.get()))
}

/// Checks that `path` is a directory, or that one could be created there, and changes nothing.
pub(crate) fn check(path: &Path) -> Result<(), OpenError> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(OpenError::new(path, "is not a directory")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
            if above.is_some_and(|above| above.is_dir()) && !path.is_symlink() {
                return Ok(());
            }
            Err(OpenError::new(path, "does not exist, nor does the directory above it"))
        }
        Err(error) => Err(OpenError::io(path, "be checked: stat", &error)),
    }
}

/// Creates and opens a directory, until a directory that was created or seemed to exist can be opened.
fn opened<T, E>(
    pause: Duration,
    create: impl Fn() -> Result<(), E>,
    open: impl Fn() -> io::Result<T>,
) -> Result<io::Result<T>, E> {
    for _ in 1..ATTEMPTS {
        create()?;
        match open() {
            Err(error) if is_gone(&error) => thread::sleep(pause),
            done => return Ok(done),
        }
    }
    create()?;
    Ok(open())
}

/// Whether the error means that the directory does not exist, or does not exist any more.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    /// How often a directory was created before it could be opened, and the result.
    fn attempts(answers: &[Errno]) -> (usize, io::Result<()>) {
        let (created, opened_times) = (Cell::new(0), Cell::new(0));
        let result = opened(
            Duration::ZERO,
            || {
                created.set(created.get() + 1);
                Ok::<_, ()>(())
            },
            || {
                opened_times.set(opened_times.get() + 1);
                answers.get(opened_times.get() - 1).map_or(Ok(()), |errno| Err((*errno).into()))
            },
        );
        (created.get(), result.unwrap())
    }

    #[test]
    fn a_removed_directory_that_a_client_still_shows_is_created_again() {
        assert!(matches!(attempts(&[]), (1, Ok(()))));
        assert!(matches!(attempts(&[Errno::NOENT, Errno::STALE, Errno::NOENT]), (4, Ok(()))));
    }

    #[test]
    fn another_error_ends_it_at_once() {
        let (created, result) = attempts(&[Errno::NOENT, Errno::ACCESS]);
        assert_eq!((created, result.unwrap_err().kind()), (2, io::ErrorKind::PermissionDenied));
    }

    #[test]
    fn a_directory_that_cannot_be_opened_is_an_error_in_the_end() {
        let (created, result) = attempts(&[Errno::NOENT; 100]);
        assert_eq!((created, result.unwrap_err().kind()), (ATTEMPTS as usize, io::ErrorKind::NotFound));
    }

    #[test]
    fn a_directory_that_cannot_be_created_is_not_opened() {
        let result = opened(Duration::ZERO, || Err("full"), || -> io::Result<()> { panic!("opened") });
        assert_eq!(result.unwrap_err(), "full");
    }
}
