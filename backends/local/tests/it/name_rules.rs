//! The rules of file systems for names, tested on images. Skipped where creating or mounting one is not possible.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use towpath_backend::{ByteSet, NameRules, Tree as _};
use towpath_local::LocalSink;

use crate::skip::skip;

/// A file system in an image, mounted until it is dropped.
struct Image {
    folder: tempfile::TempDir,
    device: Option<String>,
}

impl Image {
    /// `None` if a command fails, with a message; `{image}`, `{device}` and `{root}` are replaced in the commands.
    fn new(what: &str, commands: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::File::create(folder.path().join("image")).unwrap().set_len(48 << 20).unwrap();
        let mut image = Self { folder, device: None };
        for command in commands {
            if let Err(problem) = image.run(command) {
                skip(format_args!("needs root and the programs for {what}: {command}: {problem}"));
                return None;
            }
        }
        Some(image)
    }

    fn run(&mut self, command: &str) -> Result<(), String> {
        let image = self.folder.path().join("image").display().to_string();
        if command.contains("{device}") && self.device.is_none() {
            let output = Command::new("losetup").args(["--find", "--show", &image]).output();
            let output = output.map_err(|error| error.to_string())?;
            if !output.status.success() {
                return Err("no loop device".to_owned());
            }
            self.device = Some(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let command = command
            .replace("{image}", &image)
            .replace("{root}", &self.root().display().to_string())
            .replace("{device}", self.device.as_deref().unwrap_or_default());
        let mut words = command.split(' ');
        let output = Command::new(words.next().unwrap_or_default()).args(words).output();
        let output = output.map_err(|error| error.to_string())?;
        let reported = || String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        if output.status.success() { Ok(()) } else { Err(reported()) }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A folder that is still mounted cannot be removed with its parent.
        let _best_effort = Command::new("umount").arg("-l").arg(self.root()).output();
        if let Some(device) = &self.device {
            let _best_effort = Command::new("losetup").arg("--detach").arg(device).output();
        }
    }
}

/// The rules found at `root`; no probe files may remain.
fn rules(root: &Path) -> NameRules {
    let names = |root| fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    let before = names(root);
    let rules = LocalSink::open(root).unwrap().capabilities().names;
    assert_eq!(names(root), before);
    rules
}

const WINDOWS: ByteSet = {
    let mut bytes = [0; 38];
    let punctuation = b":*?\"<>|";
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = if at < 7 { punctuation[at] } else { at as u8 - 6 };
        at += 1;
    }
    ByteSet::of(&bytes)
};

#[test]
fn disks_and_tmpfs_accept_any_bytes() {
    for base in [std::env::temp_dir(), PathBuf::from("/dev/shm")] {
        let Ok(folder) = tempfile::tempdir_in(&base) else {
            skip(format_args!("needs to write in {}", base.display()));
            continue;
        };
        assert_eq!(rules(folder.path()), NameRules::BYTES, "{}", base.display());
    }
}

#[test]
fn fat_folds_case_and_rejects_the_same_bytes_as_windows() {
    for options in ["loop", "loop,utf8=1", "loop,iocharset=utf8", "loop,iocharset=iso8859-1"] {
        let mount = format!("mount -t vfat -o {options} {{image}} {{root}}");
        let Some(image) = Image::new("FAT", &["mkfs.vfat {image}", &mount]) else { continue };
        let found = rules(&image.root());
        assert!(found.folds_case && found.trims_end, "{options}: {found:?}");
        assert_eq!(found.rejected, WINDOWS.union(ByteSet::of(b"\\")), "{options}");
        let known = LocalSink::inspect(&image.root()).unwrap().unwrap().capabilities();
        assert!(known.names.folds_case && known.names.rejected == found.rejected, "{known:?}");
        assert!(!known.symlinks && !known.hard_links && !known.holes, "{known:?}");
    }
}

#[test]
fn exfat_folds_case_and_rejects_the_same_bytes_as_windows() {
    for mount in ["mount -t exfat {device} {root}", "mount.exfat-fuse {device} {root}"] {
        let Some(image) = Image::new("exFAT", &["mkfs.exfat {device}", mount]) else { continue };
        let found = rules(&image.root());
        assert!(found.folds_case, "{mount}: {found:?}");
        assert_eq!(found.rejected, WINDOWS.union(ByteSet::of(b"\\")), "{mount}");
    }
}

#[test]
fn ntfs_with_the_rules_of_windows() {
    let mount = "lowntfs-3g -o windows_names,ignore_case {device} {root}";
    let Some(image) = Image::new("NTFS", &["mkntfs -q -F {device}", mount]) else { return };
    let found = rules(&image.root());
    assert!(found.folds_case && found.trims_end && found.utf8_only, "{found:?}");
    assert_eq!(found.rejected, WINDOWS.union(ByteSet::of(b"\\")));
}

#[test]
fn a_directory_with_casefold_folds_names() {
    let commands = ["mkfs.ext4 -q -O casefold -E encoding=utf8 {image}", "mount -o loop {image} {root}"];
    let Some(image) = Image::new("a disk that folds case", &commands) else { return };
    assert_eq!(rules(&image.root()), NameRules::BYTES, "only directories that are marked fold names");
    let dir = image.root().join("dir");
    fs::create_dir(&dir).unwrap();
    let marked = Command::new("chattr").arg("+F").arg(&dir).output();
    if !marked.is_ok_and(|output| output.status.success()) {
        skip("needs chattr: a directory that folds case");
        return;
    }
    assert_eq!(rules(&dir), NameRules { folds_case: true, folds_unicode: true, ..NameRules::BYTES });
}

#[tokio::test]
async fn the_spelling_of_folded_names_can_be_changed_and_nothing_is_replaced() {
    use towpath_backend::{ErrorKind, RelPath, Sink as _};
    let path = |name: &str| RelPath::new(name).unwrap();
    let names = |root: &Path| {
        let mut names: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    // This NTFS driver shows lowercase names only, whatever its options.
    for (what, mkfs, mount, shows) in [
        ("exFAT", "mkfs.exfat {device}", "mount.exfat-fuse {device} {root}", ["Docs", "ReadMe"]),
        (
            "NTFS",
            "mkntfs -q -F {device}",
            "lowntfs-3g -o windows_names,ignore_case {device} {root}",
            ["docs", "readme"],
        ),
    ] {
        let Some(image) = Image::new(what, &[mkfs, mount]) else { continue };
        let root = image.root();
        fs::write(root.join("readme"), "1").unwrap();
        fs::create_dir_all(root.join("docs/inner")).unwrap();
        let sink = LocalSink::open(&root).unwrap();
        sink.respell(&path("readme"), &path("ReadMe")).await.unwrap();
        sink.respell(&path("docs"), &path("Docs")).await.unwrap();
        let found = names(&root);
        assert!(shows.iter().all(|name| found.contains(&(*name).into())), "{what}: {found:?}");
        assert_eq!(fs::read(root.join("ReadMe")).unwrap(), b"1", "{what}");
        assert!(root.join("Docs/inner").is_dir(), "{what}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "1").unwrap();
    fs::write(folder.path().join("A"), "2").unwrap();
    fs::hard_link(folder.path().join("a"), folder.path().join("b")).unwrap();
    let sink = LocalSink::open(folder.path()).unwrap();
    for (from, to) in [("a", "A"), ("a", "b")] {
        let error = sink.respell(&path(from), &path(to)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "two entries: {from}, {to}");
    }
    assert_eq!(names(folder.path()), ["A", "a", "b"]);
}
