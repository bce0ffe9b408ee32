//! Reports of tests that this machine cannot run, which are visible even though the tests pass.

use std::fmt::Display;
use std::io::Write as _;

/// Reports that the current test or a part of it does not run on this machine, what it needs, and what is not tested.
///
/// The line goes to standard error past the capture of the test harness, and to the file that `SKIPPED_TESTS`
/// names: `tests/run.sh` counts its lines.
pub fn skip(reason: impl Display) {
    let thread = std::thread::current();
    let line = format!("{}: {reason}\n", thread.name().unwrap_or("a test"));
    std::io::stderr().write_all(format!("SKIPPED: {line}").as_bytes()).unwrap();
    if let Some(file) = std::env::var_os("SKIPPED_TESTS") {
        std::fs::File::options().create(true).append(true).open(file).unwrap().write_all(line.as_bytes()).unwrap();
    }
}
