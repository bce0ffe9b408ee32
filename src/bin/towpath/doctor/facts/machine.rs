//! The limits of this process, its memory, its session, and the kernel.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::doctor::model::ProcessFacts;

/// Reads what the kernel says of this process.
pub(crate) fn process() -> ProcessFacts {
    let limit = getrlimit(Resource::Nofile);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let opened = openat2(CWD, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::empty());
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    ProcessFacts {
        open_files: limit.current,
        open_files_at_most: limit.maximum,
        cgroup_bytes: memory_limit(&groups, Path::new("/sys/fs/cgroup")),
        available_bytes: fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text)),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        has_openat2: !matches!(opened, Err(Errno::NOSYS | Errno::PERM)),
        is_in_session: is_session(&groups),
        is_kept: is_set("TMUX") || is_set("STY"),
    }
}

/// Whether the control group is that of a login session.
fn is_session(groups: &str) -> bool {
    groups
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .any(|path| path.split('/').any(|part| part.starts_with("session-") && part.ends_with(".scope")))
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The lowest memory limit of the control groups of this process, in version 2 or 1.
fn memory_limit(groups: &str, mounted: &Path) -> Option<u64> {
    let mut lowest: Option<u64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (top, file) = match controllers {
            "" => (mounted.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (mounted.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let inside = PathBuf::from(path.trim_start_matches('/'));
        for group in inside.ancestors() {
            let text = fs::read_to_string(top.join(group).join(file)).unwrap_or_default();
            // `max`, or in version 1 a number near 2^63.
            let limit = text.trim().parse::<u64>().ok().filter(|limit| *limit < 1 << 62);
            lowest = [lowest, limit].into_iter().flatten().min();
        }
    }
    lowest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_limit_of_all_groups_counts() {
        let mounted = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = mounted.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/memory.max", "1000\n");
        write("a/b/memory.max", "max\n");
        write("memory/c/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(memory_limit("0::/a/b\n", mounted.path()), Some(1000));
        assert_eq!(memory_limit("0::/\n", mounted.path()), None);
        assert_eq!(memory_limit("5:cpu:/c\n4:memory,x:/c\n", mounted.path()), None);
        write("memory/c/memory.limit_in_bytes", "500\n");
        assert_eq!(memory_limit("4:memory:/c/d\n0::/a\n", mounted.path()), Some(500));
    }

    #[test]
    fn a_session_is_recognized() {
        assert!(is_session("0::/user.slice/user-1000.slice/session-3.scope\n"));
        assert!(!is_session("0::/system.slice/towpath@job.service\n"));
        assert!(!is_session("0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.service\n"));
    }

    #[test]
    fn this_process_has_facts() {
        let facts = process();
        assert!(facts.has_openat2 && !facts.kernel.is_empty() && facts.available_bytes > Some(0), "{facts:?}");
        assert_eq!(available("MemFree: 1 kB\nMemAvailable:     20 kB\n"), Some(20_480));
    }
}
