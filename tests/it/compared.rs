//! Targets of links and extended attributes on real file systems: what is compared, and what is not even asked for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use filetime::FileTime;
use rustix::fs::{XattrFlags, getxattr, removexattr, setxattr};

use crate::common::*;
use crate::skip::skip;

/// A link with a fixed mtime, in the place of any other.
fn link(at: &Path, target: &str) {
    let _may_be_missing = fs::remove_file(at);
    symlink(target, at).unwrap();
    let time = FileTime::from_unix_time(1_700_000_000, 5);
    filetime::set_symlink_file_times(at, time, time).unwrap();
}

fn target(at: &Path) -> PathBuf {
    fs::read_link(at).unwrap()
}

#[test]
fn a_link_whose_target_alone_differs_is_sent_and_the_dry_run_says_why() {
    for mode in ["inplace", "atomic"] {
        let bench = Bench::new();
        for name in ["link", "kept"] {
            link(&bench.source().join(name), "one");
        }
        let run = |sent: usize| {
            let summary = bench.sync(&["--write-mode", mode]).with_status(0).stdout;
            assert!(summary.contains(&format!("sent {sent} file")), "{summary}");
            bench.assert_same_trees();
        };
        run(2);
        run(0);
        link(&bench.source().join("link"), "two");
        let planned = bench.sync(&["--dry-run"]).with_status(0).stdout;
        let steps: Vec<_> = planned.lines().filter(|line| line.contains("target differs")).collect();
        assert!(matches!(steps[..], [step] if step.contains("link")), "{planned}");
        run(1);
        // Somebody replaced it at the destination.
        link(&bench.dest().join("link"), "../elsewhere");
        run(1);
        assert_eq!(target(&bench.dest().join("link")), Path::new("two"));
        run(0);
    }
}

#[test]
fn a_manifest_has_the_targets_of_links() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let bench = Bench::new();
    link(&bench.source().join("link"), "some/where");
    symlink(OsStr::from_bytes(b"not \xff UTF-8"), bench.source().join("odd")).unwrap();
    bench.write("file", "data");
    bench.sync(&[]).with_status(0);
    let database = bench.database();
    let state = bench.path("state");
    let arguments = ["manifest", "--database", database.to_str().unwrap(), "--format", "json"];
    let text = bench.run_with_state(&arguments, &state).with_status(0).stdout;
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| lines.iter().find(|line| line["path"] == name).unwrap();
    assert_eq!((&of("link")["target"], &of("file")["target"]), (&"some/where".into(), &serde_json::Value::Null));
    assert_eq!(of("odd")["target_bytes"], "6e6f7420ff205554462d38");
}

fn set(at: &Path, name: &str, value: &str) -> bool {
    setxattr(at, name, value.as_bytes(), XattrFlags::empty()).is_ok()
}

fn value(at: &Path, name: &str) -> Option<String> {
    let mut buffer = [0; 100];
    let length = getxattr(at, name, &mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

#[test]
fn extended_attributes_that_differ_are_set_without_the_content() {
    let bench = Bench::new();
    let names = ["file", "dir", "dir/inner"];
    bench.write("file", noise(1, 300_000));
    bench.write("dir/inner", "data");
    for name in names {
        if !set(&bench.source().join(name), "user.a", "1") {
            return skip("needs a temporary folder with extended attributes: their comparison");
        }
    }
    // Filled without them.
    bench.sync(&[]).with_status(0);
    assert_eq!(value(&bench.dest().join("file"), "user.a"), None);
    let planned = bench.sync(&["--dry-run", "--xattrs"]).with_status(0).stdout;
    assert_eq!(planned.matches("extended attributes differ").count(), 2, "{planned}");
    let same = || {
        let summary = bench.sync(&["--xattrs"]).with_status(0).stdout;
        assert!(summary.contains("sent 0 files"), "{summary}");
        for name in names {
            for attribute in ["user.a", "user.b"] {
                let of = |root: PathBuf| value(&root.join(name), attribute);
                assert_eq!(of(bench.source()), of(bench.dest()), "{name} {attribute}");
            }
        }
        bench.logged("settled").values().sum::<usize>()
    };
    assert_eq!(same(), 2);
    for name in names {
        assert!(set(&bench.source().join(name), "user.a", "2"));
        assert!(set(&bench.dest().join(name), "user.b", "at the destination"));
    }
    assert_eq!(same(), 4);
    for name in names {
        removexattr(bench.source().join(name), "user.a").unwrap();
    }
    assert_eq!(same(), 6);
    assert_eq!(same(), 6, "nothing was set again");
    bench.assert_same_trees();
}

#[test]
fn a_rescan_reads_no_attributes_and_no_targets_of_files() {
    if Command::new("strace").arg("-V").output().is_err() {
        return skip("needs strace: the system calls of a scan");
    }
    let bench = Bench::new();
    for number in 0..50 {
        bench.write(format!("dir/file {number}"), "data");
    }
    link(&bench.source().join("link"), "target");
    bench.sync(&[]).with_status(0);
    let trace = bench.path("trace");
    let traced = |options: &[&str]| {
        let inner = bench.command(options);
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-qq",
            "-e",
            "trace=readlinkat,listxattr,llistxattr,flistxattr,getxattr,lgetxattr,fgetxattr",
        ]);
        command.arg("-o").arg(&trace).arg(inner.get_program()).args(inner.get_args());
        for (key, value) in inner.get_envs() {
            command.env(key, value.unwrap_or_default());
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let calls = fs::read_to_string(&trace).unwrap();
        let targets = calls.lines().filter(|line| line.contains("readlinkat(") && line.contains("\"link\"")).count();
        let xattrs = calls.lines().filter(|line| line.contains("xattr(")).count();
        (targets, xattrs, calls)
    };
    let (targets, xattrs, calls) = traced(&[]);
    assert_eq!((targets, xattrs), (2, 0), "the target of the link on both sides: {calls}");
    let (targets, xattrs, calls) = traced(&["--xattrs"]);
    // 50 files, a link, a directory and the root.
    assert!(targets == 2 && xattrs >= 2 * 53, "{targets} {xattrs} {calls}");
}
