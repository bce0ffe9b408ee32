//! The same command resumes a run that was killed while it wrote to a real server.

#[path = "../../backends/opendal/tests/servers/mod.rs"]
mod servers;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use servers::{Server, or_skip};

const SMALL_FILES: usize = 60;
/// Fewer than the files, so that some are sent before the kill and some are not.
const LANES: usize = 16;
/// Several parts of a multipart upload.
const LARGE_BYTES: usize = 20 << 20;

fn towpath(server: &Server, state: &Path, from: &str, to: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["sync", from, to, "--database"]).arg(state.join("db")).arg("--log-file").arg(state.join("log"));
    command.args(["--lanes", &LANES.to_string()]);
    command.envs(&server.environment).stdin(Stdio::null());
    command
}

fn succeeds(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// The number of files sent according to the log.
fn sent(state: &Path) -> usize {
    let log = fs::read_to_string(state.join("log")).unwrap_or_default();
    log.lines().filter(|line| line.contains(r#""status":"synced""#)).count()
}

fn killed(server: Option<Server>) {
    let Some(server) = server else { return };
    let folder = tempfile::tempdir().unwrap();
    let (old, back, state) = (folder.path().join("old"), folder.path().join("back"), folder.path().join("state"));
    fs::create_dir_all(old.join("dir")).unwrap();
    for n in 0..SMALL_FILES {
        fs::write(old.join("dir").join(format!("{n:02}")), vec![n as u8; 50_000 + n]).unwrap();
    }
    let large: Vec<u8> = (0..LARGE_BYTES).map(|i| (i % 253) as u8).collect();
    fs::write(old.join("large"), &large).unwrap();
    let (old, url) = (old.to_str().unwrap(), server.location("tree"));

    let mut slow = towpath(&server, &state, old, &url);
    let mut run = slow.args(["--bwlimit", "2M"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while sent(&state) < 3 && run.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(120), "nothing is sent");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().unwrap();
    assert!(!run.wait().unwrap().success(), "the run finished before it was killed");
    let before = sent(&state);
    assert!(before < SMALL_FILES, "{before} files were sent before it was killed");

    succeeds(towpath(&server, &state, old, &url));
    // Only files that were in flight are sent again.
    let again = sent(&state);
    assert!((SMALL_FILES + 1..SMALL_FILES + 1 + LANES).contains(&again), "{again} sent, {before} before");

    let output = succeeds(towpath(&server, &state, old, &url));
    assert!(output.contains("sent 0 files"), "{output}");
    assert_eq!(sent(&state), again);

    succeeds(towpath(&server, &folder.path().join("state-back"), &url, back.to_str().unwrap()));
    assert!(fs::read(back.join("large")).unwrap() == large);
    for n in 0..SMALL_FILES {
        assert_eq!(fs::read(back.join(format!("dir/{n:02}"))).unwrap(), vec![n as u8; 50_000 + n]);
    }
    assert_eq!(fs::read_dir(back.join("dir")).unwrap().count(), SMALL_FILES);
}

#[test]
fn a_killed_run_to_s3_is_resumed() {
    killed(or_skip(servers::s3()));
}

#[test]
fn a_killed_run_to_azure_blob_storage_is_resumed() {
    killed(or_skip(servers::azblob()));
}

#[test]
fn a_killed_run_to_google_cloud_storage_is_resumed() {
    killed(or_skip(servers::gcs()));
}

#[test]
fn a_killed_run_to_webdav_is_resumed() {
    killed(or_skip(servers::webdav()));
}

#[test]
fn a_killed_run_to_sftp_is_resumed() {
    killed(or_skip(servers::sftp()));
}

#[test]
fn a_killed_run_to_hdfs_is_resumed() {
    killed(or_skip(servers::hdfs()));
}
