//! Probes of earlier checks that were killed.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tokio_stream::StreamExt as _;
use towpath_backend::probe::{Creator, creator};
use towpath_backend::{ErrorKind, Kind, ReadOptions, RelPath, Sink};

use super::answer::{Trouble, answer};

/// The ends of the names of probes: of the directory, of the file, and of the renamed file.
pub(super) const DIR: &str = "doctor";
pub(super) const FILE: &str = "doctor-file";
pub(super) const MOVED: &str = "doctor-moved";

/// Removes the probes that checks of dead processes left in the root; returns how many.
pub(super) async fn remove(sink: &dyn Sink, limit: Duration) -> Result<u64, Trouble> {
    let root = RelPath::root();
    let mut pages = answer(limit, sink.read_dir(&root, &ReadOptions::default())).await?;
    let mut left = Vec::new();
    while let Some(page) = answer(limit, async { pages.next().await.transpose() }).await? {
        left.extend(
            page.into_iter().filter(|entry| is_left(&entry.name)).map(|entry| (entry.name, entry.metadata.kind)),
        );
    }
    let mut removed = 0;
    for (name, kind) in left {
        let Ok(path) = root.join(&name) else { continue };
        match kind {
            Kind::Dir => remove_dir(sink, &path, limit).await?,
            _ => answer(limit, sink.remove_file(&path)).await?,
        }
        removed += 1;
    }
    Ok(removed)
}

/// Whether a name is that of a probe of this check whose process has ended.
fn is_left(name: &[u8]) -> bool {
    let is_of_check = [DIR, FILE, MOVED].iter().any(|end| name.ends_with(format!("-{end}").as_bytes()));
    let Some(Creator::Here(process)) = creator(name).filter(|_| is_of_check) else { return false };
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH))
}

/// Removes a directory of empty files: those of a probe. Anything else in it stays, and so does the directory.
pub(super) async fn remove_dir(sink: &dyn Sink, dir: &RelPath, limit: Duration) -> Result<(), Trouble> {
    let mut pages = answer(limit, sink.read_dir(dir, &ReadOptions::default())).await?;
    let mut names = Vec::new();
    while let Some(page) = answer(limit, async { pages.next().await.transpose() }).await? {
        let empty =
            page.into_iter().filter(|entry| entry.metadata.kind == Kind::File && entry.metadata.size_bytes == 0);
        names.extend(empty.map(|entry| entry.name));
    }
    for name in names {
        if let Ok(file) = dir.join(&name) {
            answer(limit, sink.remove_file(&file)).await?;
        }
    }
    match answer(limit, sink.remove_dir(dir)).await {
        // Directories that exist only as long as something is in them.
        Err(Trouble::Failed(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_probes_of_this_check_and_of_dead_processes_are_left() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let mine = format!("probe-{}-", std::process::id());
        let of = |end: &str, process: u32| {
            towpath_backend::probe::name(end).replace(&mine, &format!("probe-{process}-")).into_bytes()
        };
        for end in [DIR, FILE, MOVED] {
            assert!(is_left(&of(end, child.id())), "{end}");
            assert!(!is_left(&of(end, std::process::id())), "{end}");
        }
        assert!(!is_left(&of("names", child.id())) && !is_left(b"doctor") && !is_left(b".towpath-probe-1-doctor"));
    }
}
