//! Files of any name, size and depth arrive.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use proptest::prelude::*;

use crate::common::*;

#[test]
fn files_of_sizes_around_the_block_size_arrive_completely() {
    const BLOCK: usize = 64 << 10;
    let bench = Bench::new();
    for size in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 10 * BLOCK, 40 * BLOCK + 17] {
        bench.write(format!("{size}"), noise(size as u64, size));
    }
    for (queue, lanes) in [("1", "1"), ("1", "4"), ("2", "1"), ("20", "8")] {
        let _fresh = fs::remove_dir_all(bench.dest());
        let _fresh = fs::remove_file(bench.database());
        bench.sync(&["--block-size", "64K", "--queue-capacity", queue, "--lanes", lanes]).with_status(0);
        bench.assert_same_trees();
    }
    for (name, row) in bench.rows() {
        let data = fs::read(bench.source().join(OsStr::from_bytes(&name))).unwrap();
        assert_eq!(row.hash, Some(sha256(&data)));
    }
}

#[test]
fn files_arrive_completely_with_any_block_size() {
    let bench = Bench::new();
    bench.write("file", noise(3, 1_000_003));
    for block in ["1", "4095", "300001", "2M"] {
        // One byte per block is slow, so use a smaller file.
        if block == "1" {
            bench.write("file", noise(3, 3001));
        }
        bench.sync(&["--block-size", block]).with_status(0);
        bench.assert_same_trees();
        bench.write("file", noise(block.len() as u64, 1_000_003));
    }
}

#[test]
fn names_are_bytes() {
    let bench = Bench::new();
    let long = "n".repeat(255);
    let names: [&[u8]; 12] = [
        b"with space",
        b"new\nline",
        b"-rf",
        b"--",
        b"tab\tand\x1b[31mescape",
        b"quote'\"`$(touch evil)",
        b"back\\slash",
        b"\xff\xfe not utf-8",
        "umlaut äöü, 漢字, \u{1f980}".as_bytes(),
        b"...",
        long.as_bytes(),
        b" dir \xff/inner\n/\xc3\x28",
    ];
    for (n, name) in names.iter().enumerate() {
        bench.write(name, noise(n as u64, 100 + n));
    }
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    let rows = bench.rows();
    assert_eq!(rows.len(), names.len());
    for name in names {
        let row = &rows[name];
        assert_eq!(row.is_text, std::str::from_utf8(name).is_ok());
        assert_eq!(row.dest, [bench.dest().as_os_str().as_bytes(), b"/", name].concat());
        assert_eq!(row.status, "synced");
    }
    let line = bench
        .log()
        .into_iter()
        .find(|line| line["source_bytes"].as_str().is_some_and(|hex| hex.ends_with("fffe206e6f74207574662d38")));
    assert!(line.is_some_and(|line| line["dest_bytes"].is_string()), "the log has names that are not UTF-8 completely");
    bench.sync(&[]).with_status(0);
    assert_eq!(bench.log().len(), names.len(), "they are recognized by the next run");
}

#[test]
fn deep_trees_and_paths_beyond_path_max_arrive() {
    let bench = Bench::new();
    let mut deep = String::new();
    for level in 0..100 {
        deep += &format!("level{level}/");
    }
    bench.write(format!("{deep}file"), "deep");

    // 30 × 200 bytes: longer than a system call accepts.
    let name = "p".repeat(200);
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::RDONLY;
    let mode = rustix::fs::Mode::from_raw_mode(0o755);
    let mut dir: OwnedFd = rustix::fs::open(bench.source(), flags, mode).unwrap();
    for _ in 0..30 {
        rustix::fs::mkdirat(&dir, &name, mode).unwrap();
        dir = rustix::fs::openat(&dir, &name, flags, mode).unwrap();
    }
    let create = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    let file = rustix::fs::openat(&dir, "bottom", create, mode).unwrap();
    rustix::io::write(&file, b"far down").unwrap();

    bench.sync(&[]).with_status(0);
    let mut dir: OwnedFd = rustix::fs::open(bench.dest(), flags, mode).unwrap();
    for _ in 0..30 {
        dir = rustix::fs::openat(&dir, &name, flags, mode).unwrap();
    }
    let file = rustix::fs::openat(&dir, "bottom", rustix::fs::OFlags::RDONLY, mode).unwrap();
    let mut data = [0; 20];
    let length = rustix::io::read(&file, &mut data).unwrap();
    assert_eq!(&data[..length], b"far down");
    assert_eq!(fs::read(bench.dest().join(format!("{deep}file"))).unwrap(), b"deep");
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("sent 0 files"), "{}", ended.stdout);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn any_tree_arrives(files in prop::collection::btree_map(
        prop::collection::vec(any::<u8>().prop_filter("a name", |b| !matches!(b, 0 | b'/')), 1..40),
        0usize..200_000,
        1..30,
    )) {
        let bench = Bench::new();
        for (n, (name, size)) in files.iter().enumerate() {
            // Every third file is in a directory of its name.
            let mut path = name.clone();
            if name == b"." || name == b".." {
                continue;
            }
            if n % 3 == 0 {
                path.extend_from_slice(b"/x");
            }
            bench.write(&path, noise(n as u64, *size));
        }
        bench.sync(&["--block-size", "50K", "--quiet"]).with_status(0);
        bench.assert_same_trees();
    }
}
