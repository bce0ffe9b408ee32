//! Opens the root of a sink or its trash, and creates it where it is missing, also where a client still shows the one
//! that was.

use std::cell::Cell;
use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::resolve::Resolver;
use crate::root::{OpenError, Root};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);
/// After three seconds a client has asked its server again: SMB's trusts what it knows of a name for one
/// (`actimeo` in mount.cifs(8)), and what NFS's knows is thrown away when opening fails.
const TRIES: u32 = 12;

/// The directory at `path`, and whether it was missing and made by `maker`: the one above it must exist.
pub(crate) fn open_or_create(
    path: &Path,
    maker: &DirBuilder,
    resolver: impl Fn(OwnedFd) -> Resolver,
) -> Result<(Root, bool), OpenError> {
    let is_new = Cell::new(false);
    let make = || match maker.create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(OpenError::io(path, "be created", &error)),
        result => {
            is_new.set(is_new.get() || result.is_ok());
            Ok(())
        }
    };
    let root = opened(PAUSE, make, || Root::with(path, &resolver))?;
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

/// Makes and opens until what was made, or seemed to be there, is there.
fn opened<T, E>(
    pause: Duration,
    make: impl Fn() -> Result<(), E>,
    open: impl Fn() -> io::Result<T>,
) -> Result<io::Result<T>, E> {
    for _ in 1..TRIES {
        make()?;
        match open() {
            Err(error) if is_gone(&error) => thread::sleep(pause),
            done => return Ok(done),
        }
    }
    make()?;
    Ok(open())
}

/// Whether it says that there is no such directory, or is no more.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    /// How often a directory was made before it could be opened, or the error that ended it.
    fn tried(answers: &[Errno]) -> (usize, io::Result<()>) {
        let (made, opened_times) = (Cell::new(0), Cell::new(0));
        let result = opened(
            Duration::ZERO,
            || {
                made.set(made.get() + 1);
                Ok::<_, ()>(())
            },
            || {
                opened_times.set(opened_times.get() + 1);
                answers.get(opened_times.get() - 1).map_or(Ok(()), |errno| Err((*errno).into()))
            },
        );
        (made.get(), result.unwrap())
    }

    #[test]
    fn what_a_client_still_tells_of_is_made_again() {
        assert!(matches!(tried(&[]), (1, Ok(()))));
        assert!(matches!(tried(&[Errno::NOENT, Errno::STALE, Errno::NOENT]), (4, Ok(()))));
    }

    #[test]
    fn another_error_ends_it_at_once() {
        let (made, result) = tried(&[Errno::NOENT, Errno::ACCESS]);
        assert_eq!((made, result.unwrap_err().kind()), (2, io::ErrorKind::PermissionDenied));
    }

    #[test]
    fn one_that_stays_away_is_told_of() {
        let (made, result) = tried(&[Errno::NOENT; 100]);
        assert_eq!((made, result.unwrap_err().kind()), (TRIES as usize, io::ErrorKind::NotFound));
    }

    #[test]
    fn one_that_cannot_be_made_is_not_opened() {
        let result = opened(Duration::ZERO, || Err("full"), || -> io::Result<()> { panic!("opened") });
        assert_eq!(result.unwrap_err(), "full");
    }
}
