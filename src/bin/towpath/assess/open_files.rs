//! Files of a local tree that processes of this machine have open for writing.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::kept::Examples;

/// What `/proc` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    /// Each example has the process.
    pub(crate) for_writing: Examples,
    /// Processes of other users, which this one may not inspect.
    pub(crate) hidden_processes: u64,
}

/// Searches all processes. Only names are read: no file of the tree is touched.
pub(crate) fn open_files(root: &Path) -> OpenFiles {
    let mut found = OpenFiles::default();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else { continue };
        match fs::read_dir(process.path().join("fd")) {
            Ok(files) => {
                files.flatten().for_each(|file| add(&mut found, root, &process.path(), pid, &file.path()));
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => found.hidden_processes += 1,
            // It has ended.
            Err(_) => {}
        }
    }
    found
}

fn add(found: &mut OpenFiles, root: &Path, process: &Path, pid: &str, file: &Path) {
    let Ok(path) = fs::read_link(file) else { return };
    if path == root || !path.starts_with(root) {
        return;
    }
    let info = file.file_name().map(|number| process.join("fdinfo").join(number));
    let info = info.and_then(|info| fs::read_to_string(info).ok()).unwrap_or_default();
    if is_for_writing(&info) {
        let program = fs::read_to_string(process.join("comm")).unwrap_or_default();
        let process = format!(" (process {pid}, {})", program.trim_end());
        found.for_writing.add([path.as_os_str().as_bytes(), process.as_bytes()].concat(), 0);
    }
}

/// Whether the flags of `/proc/PID/fdinfo/N`, which are octal, are those of a file that is written.
fn is_for_writing(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    // O_WRONLY is 1, and O_RDWR 2.
    flags.is_some_and(|flags| flags & 3 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_this_process_writes_is_found_and_one_that_it_reads_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::write(root.join("read"), "").unwrap();
        let _read = fs::File::open(root.join("read")).unwrap();
        let _written = fs::File::create(root.join("written")).unwrap();
        let found = open_files(&root).for_writing;
        let example = String::from_utf8(found.first.into_iter().next().unwrap()).unwrap();
        let process = std::process::id();
        assert_eq!(found.count, 1);
        assert!(example.starts_with(&format!("{}/written (process {process}, ", root.display())), "{example}");
    }

    #[test]
    fn flags_are_octal() {
        let info = |flags: &str| format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t9\n");
        assert!(is_for_writing(&info("0100001")) && is_for_writing(&info("02")));
        assert!(!is_for_writing(&info("0100000")) && !is_for_writing("") && !is_for_writing("flags:\tx"));
    }
}
