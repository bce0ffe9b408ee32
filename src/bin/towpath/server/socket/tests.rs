//! Tests: where sockets are, who may use them, and what is replaced.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use super::*;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The canonical path of a database.
    fn database(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn runtime(&self) -> [PathBuf; 1] {
        let runtime = self.folder.path().join("run");
        std::fs::create_dir_all(&runtime).unwrap();
        [runtime.join("towpath")]
    }

    fn create(&self, database: &Path) -> Result<BoundSocket, String> {
        BoundSocket::create_in(database, &self.runtime())
    }
}

/// A file as a killed run leaves it: nothing listens.
fn kill(socket: BoundSocket) -> PathBuf {
    let path = socket.path.clone();
    let moved = path.with_extension("moved");
    std::fs::rename(&path, &moved).unwrap();
    drop(socket);
    std::fs::rename(moved, &path).unwrap();
    path
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_socket_is_beside_the_database_for_its_user_alone() {
    let place = Place::new();
    let database = place.database("a.db");
    let socket = place.create(&database).unwrap();
    assert_eq!(socket.path, place.database("a.db.sock"));
    assert_eq!(std::fs::metadata(&socket.path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(paths(&database, &[])[0], socket.path);
    UnixStream::connect(&socket.path).unwrap();
    drop(socket);
    assert!(!place.database("a.db.sock").exists());
}

#[test]
fn the_mode_is_given_before_the_file_exists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let socket = new_socket().unwrap();
    fchmod(&socket, Mode::from_raw_mode(MODE)).unwrap();
    bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn the_socket_of_a_killed_run_is_replaced_and_that_of_a_living_one_is_not() {
    let place = Place::new();
    let database = place.database("a.db");
    let stale = kill(place.create(&database).unwrap());
    assert!(UnixStream::connect(&stale).is_err() && stale.exists());
    let living = place.create(&database).unwrap();
    let problem = place.create(&database).unwrap_err();
    assert!(problem.contains("another run answers") && problem.contains("a.db.sock"), "{problem}");
    UnixStream::connect(&living.path).unwrap();
}

#[test]
fn a_busy_run_is_a_living_one() {
    let place = Place::new();
    let database = place.database("a.db");
    let living = place.create(&database).unwrap();
    let mut waiting = Vec::new();
    while waiting.len() < 1000 {
        let socket = new_socket().unwrap();
        if connect(&socket, &SocketAddrUnix::new(&living.path).unwrap()).is_err() {
            break;
        }
        waiting.push(socket);
    }
    assert!(waiting.len() < 1000, "the queue has a bound");
    assert!(place.create(&database).unwrap_err().contains("another run answers"));
}

#[test]
fn what_is_no_socket_is_never_removed() {
    let place = Place::new();
    let database = place.database("a.db");
    let path = place.database("a.db.sock");
    std::fs::write(&path, "precious").unwrap();
    assert!(place.create(&database).unwrap_err().contains("is not one: move it away"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
    symlink("elsewhere", &path).unwrap();
    assert!(place.create(&database).is_err());
    assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("elsewhere"));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(place.create(&database).is_err() && path.is_dir());
}

#[test]
fn a_path_that_is_too_long_is_replaced_by_one_in_the_runtime_folder_and_a_link_says_where() {
    let place = Place::new();
    let long = place.database(&"x".repeat(120));
    std::fs::create_dir(&long).unwrap();
    let database = long.join("a.db");
    let runtime = place.runtime();
    let stale = kill(place.create(&database).unwrap());
    symlink(&stale, long.join("a.db.sock")).unwrap();
    let socket = place.create(&database).unwrap();
    assert_eq!(socket.path, stale);
    assert_eq!(socket.path.parent().unwrap(), runtime[0]);
    assert_eq!(std::fs::metadata(&runtime[0]).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::metadata(&socket.path).unwrap().permissions().mode() & 0o777, 0o600);
    // A caller with the same environment, and one with another.
    assert_eq!(paths(&database, &runtime), std::slice::from_ref(&socket.path));
    assert_eq!(paths(&database, &["/nowhere".into()])[0], socket.path);
    drop(socket);
    assert_eq!((names(&long), names(&runtime[0])), (vec![], vec![]));
}

#[test]
fn a_runtime_folder_that_others_can_write_to_is_not_used() {
    let place = Place::new();
    let long = place.database(&"x".repeat(120));
    std::fs::create_dir(&long).unwrap();
    let runtime = place.runtime();
    std::fs::create_dir(&runtime[0]).unwrap();
    std::fs::set_permissions(&runtime[0], std::fs::Permissions::from_mode(0o777)).unwrap();
    let problem = place.create(&long.join("a.db")).unwrap_err();
    assert!(problem.contains("XDG_RUNTIME_DIR") && problem.contains("longer than 107 bytes"), "{problem}");
}

#[test]
fn a_socket_that_another_run_replaced_stays() {
    let place = Place::new();
    let database = place.database("a.db");
    let first = place.create(&database).unwrap();
    std::fs::remove_file(&first.path).unwrap();
    let second = place.create(&database).unwrap();
    drop(first);
    assert!(second.path.exists());
}

#[test]
fn runtime_folders_follow_the_environment_and_the_user() {
    let folders = |xdg: Option<&str>, uid| runtime_folders(xdg.map(OsStr::new), uid);
    assert_eq!(folders(Some("/x"), 7), [Path::new("/x/towpath"), Path::new("/run/user/7/towpath")]);
    assert_eq!(folders(Some("relative"), 0), [Path::new("/run/user/0/towpath"), Path::new("/run/towpath")]);
}
