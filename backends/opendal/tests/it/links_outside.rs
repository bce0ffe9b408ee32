//! Links of every kind in the destination on an SSH server: nothing outside of it ever changes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use towpath::{Bandwidth, MaxDelete, Migration, Mirror, Options, Report, WriteMode};
use towpath_local::LocalSource;

use crate::servers::{self, Server, or_skip};

/// What could be noticed of an entry that a run changed: its times, its mode, its owner, its content.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    inode: u64,
    mode: u32,
    owner: (u32, u32),
    modified: (i64, i64),
    changed: (i64, i64),
    names: u64,
    content: Vec<u8>,
}

/// Everything at and below `root`, apart from `except`.
fn seen(root: &Path, except: &Path) -> BTreeMap<PathBuf, Seen> {
    let (mut all, mut left) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(path) = left.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let mut content = Vec::new();
        if found.is_dir() {
            let below = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            left.splice(0..0, below.filter(|path| path != except));
        } else if found.is_file() {
            content = fs::read(&path).unwrap();
        } else if found.is_symlink() {
            content = fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes();
        }
        let seen = Seen {
            inode: found.ino(),
            mode: found.mode(),
            owner: (found.uid(), found.gid()),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            names: found.nlink(),
            content,
        };
        all.insert(path, seen);
    }
    all
}

/// A destination on a server, and everything outside of it.
struct Watch {
    server: Server,
    before: BTreeMap<PathBuf, Seen>,
}

impl Watch {
    /// Puts what must not change beside the destination, which `fill` fills.
    fn new(server: Server, fill: impl FnOnce(&Path)) -> Self {
        let victim = server.files().join("victim");
        fs::create_dir_all(victim.join("sub")).unwrap();
        fs::create_dir_all(victim.join("empty")).unwrap();
        for name in ["f1", "f2", "new", "sub/f3"] {
            fs::write(victim.join(name), "precious").unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            fs::File::options().append(true).open(victim.join(name)).unwrap().set_modified(time).unwrap();
        }
        symlink("f1", victim.join("link")).unwrap();
        assert!(Command::new("mkfifo").arg(victim.join("pipe")).status().unwrap().success());
        let tree = server.files().join("tree");
        fs::create_dir_all(&tree).unwrap();
        fill(&tree);
        let before = seen(&server.files(), &tree);
        assert_eq!(before.len(), 10);
        Self { server, before }
    }

    fn tree(&self) -> PathBuf {
        self.server.files().join("tree")
    }

    #[track_caller]
    fn assert_nothing_changed_outside(&self) {
        assert_eq!(seen(&self.server.files(), &self.tree()), self.before);
    }
}

/// Where links lead, from the destination's root.
fn targets(files: &Path) -> Vec<PathBuf> {
    let absolute =
        ["victim", "victim/f1", "victim/sub", "victim/empty", "victim/created", "victim/pipe", "victim/link"];
    let relative = ["../victim", "../victim/f1", "../victim/created", "../victim/created/below", "../victim/pipe"];
    let own = [".", "..", "../..", "/", "../tree", "loop-a", "loop-b", "nowhere", "../nowhere", "pipe", "kept"];
    absolute.iter().map(|target| files.join(target)).chain(relative.iter().chain(&own).map(PathBuf::from)).collect()
}

/// A destination in which a link of each kind has the name of a file, a directory and a link of the source, and of nothing
/// in it; the source is in `old`.
fn links_everywhere(tree: &Path, old: &Path) {
    symlink("loop-b", tree.join("loop-a")).unwrap();
    symlink("loop-a", tree.join("loop-b")).unwrap();
    assert!(Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap().success());
    fs::create_dir_all(old.join("dir")).unwrap();
    fs::create_dir_all(tree.join("dir")).unwrap();
    fs::create_dir_all(tree.join("extra-dir")).unwrap();
    for root in [tree, old] {
        fs::write(root.join("kept"), "kept").unwrap();
    }
    for (number, target) in targets(tree.parent().unwrap()).iter().enumerate() {
        // A directory deeper, relative targets lead elsewhere, but as far outside.
        let deeper = if target.is_absolute() { target.clone() } else { Path::new("..").join(target) };
        for (dir, target) in [("", target), ("dir/", &deeper)] {
            for role in ["file", "directory", "link", "extra"] {
                symlink(target, tree.join(format!("{dir}{role}-{number}"))).unwrap();
            }
            fs::write(old.join(format!("{dir}file-{number}")), "content").unwrap();
            // Of a length of its own, as sizes and seconds are compared.
            symlink("a/target/that/is/nowhere/".repeat(4), old.join(format!("{dir}link-{number}"))).unwrap();
            let sub = old.join(format!("{dir}directory-{number}"));
            fs::create_dir_all(sub.join("sub")).unwrap();
            for name in ["f1", "f2", "created", "sub/f3"] {
                fs::write(sub.join(name), "content").unwrap();
            }
        }
        symlink(&deeper, tree.join(format!("extra-dir/{number}"))).unwrap();
    }
}

async fn run(watch: &Watch, old: &Path, options: Options) -> (Report, String) {
    let state = tempfile::tempdir().unwrap();
    let (migration, _events) = Migration::builder()
        .source(LocalSource::open(old).unwrap())
        .sink(watch.server.sink("tree").await)
        .database(state.path().join("db"))
        .audit_log(state.path().join("log"))
        .options(options)
        .build()
        .unwrap();
    let report = migration.run().await.unwrap();
    (report, fs::read_to_string(state.path().join("log")).unwrap())
}

/// Kinds and contents below a root.
fn shape(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let all = seen(root, Path::new("/none")).into_iter();
    let kind = |seen: &Seen| seen.mode & 0o170_000;
    all.map(|(path, seen)| (path.strip_prefix(root).unwrap().to_owned(), (kind(&seen), seen.content))).collect()
}

async fn nothing_outside_changes(server: Option<Server>, keeps_links: bool, write_mode: WriteMode) {
    let Some(server) = server else { return };
    let old = tempfile::tempdir().unwrap();
    let watch = Watch::new(server, |tree| links_everywhere(tree, old.path()));
    let mirror = Mirror::default().max_delete(MaxDelete::Percent(100));
    let (report, log) = run(&watch, old.path(), Options::default().mirror(mirror).write_mode(write_mode)).await;
    watch.assert_nothing_changed_outside();
    assert_eq!(report.failed_files, 0, "{report:?}\n{log}");
    let (mut expected, mut arrived) = (shape(old.path()), shape(&watch.tree()));
    if !keeps_links {
        // They are skipped, and what has their names is not touched.
        expected.retain(|path, _| !path.to_str().unwrap().contains("link-"));
        arrived.retain(|path, _| !path.to_str().unwrap().contains("link-"));
    }
    // Special files are left.
    arrived.remove(Path::new("pipe"));
    let differing: Vec<_> =
        arrived.keys().chain(expected.keys()).filter(|path| arrived.get(*path) != expected.get(*path)).collect();
    assert!(differing.is_empty(), "{differing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_every_kind_lead_no_run_out_of_the_destination() {
    nothing_outside_changes(or_skip(servers::sftp()), false, WriteMode::InPlace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_if_files_are_renamed_into_place() {
    nothing_outside_changes(or_skip(servers::sftp()), false, WriteMode::Atomic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_if_links_are_kept() {
    nothing_outside_changes(or_skip(servers::sftp_with_links()), true, WriteMode::InPlace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_becomes_a_link_during_the_run_leads_nowhere() {
    for target in ["../victim", "/absolute", "..", "nowhere"] {
        let Some(server) = or_skip(servers::sftp()) else { return };
        let old = tempfile::tempdir().unwrap();
        let watch = Watch::new(server, |_| {});
        let absolute = watch.server.files().join("victim");
        let target = if target == "/absolute" { absolute.as_path() } else { Path::new(target) };
        // One lane: the small files come after the large one, which takes seconds.
        fs::write(old.path().join("large"), vec![7; 1 << 20]).unwrap();
        fs::create_dir_all(old.path().join("dir/sub")).unwrap();
        for name in ["dir/f1", "dir/created", "dir/sub/f3"] {
            fs::write(old.path().join(name), "content").unwrap();
        }
        let (tree, swapped) = (watch.tree(), watch.tree().join("moved"));
        let swapping = std::thread::spawn({
            let (tree, target) = (tree.clone(), target.to_owned());
            move || {
                // Until the large file grows, and its directory is there.
                while fs::metadata(tree.join("large")).map_or(0, |file| file.len()) == 0 {
                    std::thread::sleep(Duration::from_millis(5));
                }
                fs::create_dir_all(tree.join("dir")).unwrap();
                fs::rename(tree.join("dir"), swapped).unwrap();
                symlink(target, tree.join("dir")).unwrap();
            }
        });
        let options = Options::default().lanes(1).bandwidth(Bandwidth::Limit(512 << 10));
        let (report, log) = run(&watch, old.path(), options).await;
        swapping.join().unwrap();
        watch.assert_nothing_changed_outside();
        // Either the link was replaced, or the files failed, or they had arrived before their directory was moved.
        for name in ["f1", "created", "sub/f3"] {
            let is_there = fs::symlink_metadata(tree.join("dir")).unwrap().is_dir();
            let arrived = is_there && fs::read(tree.join("dir").join(name)).is_ok_and(|content| content == b"content");
            let was_moved = fs::read(tree.join("moved").join(name)).is_ok_and(|content| content == b"content");
            assert!(arrived || was_moved || !report.all_in_sync(), "{name}: {report:?}\n{log}");
        }
    }
}
