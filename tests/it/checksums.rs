//! Checksums in the database and the log match those of independent tools.

use std::process::Command;

use crate::common::*;

#[test]
fn each_algorithm_agrees_with_its_tool() {
    for (algorithm, tool) in [("md5", "md5sum"), ("sha1", "sha1sum"), ("sha256", "sha256sum"), ("blake2b", "b2sum")] {
        let bench = Bench::new();
        for size in [0, 1, 1000, 65_536, 300_000, 1_500_001] {
            bench.write(format!("{size}"), noise(size as u64, size));
        }
        bench.sync(&["--checksum", algorithm, "--block-size", "128K"]).with_status(0);
        let rows = bench.rows();
        assert_eq!(rows.len(), 6);
        for (name, row) in rows {
            let name = String::from_utf8(name).unwrap();
            let output = Command::new(tool).arg(bench.dest().join(&name)).output().unwrap();
            let expected = String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned();
            assert_eq!(row.hash.as_ref(), Some(&expected), "{algorithm} of {name} in the database");
            let line = bench.log().into_iter().find(|line| line["size"] == row.size).unwrap();
            assert_eq!((&line["algorithm"], &line["checksum"]), (&algorithm.into(), &expected.into()));
        }
    }
}
