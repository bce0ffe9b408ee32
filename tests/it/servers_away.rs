//! Servers that are away for a while, at the start and in the run, are waited for.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::*;
use crate::faulty::{Outcome, Server};
use crate::gateway::Gateway;

/// `towpath sync` with its state in the bench.
fn sync(bench: &Bench, from: &str, to: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["sync", from, to, "--database"]).arg(bench.database()).arg("--log-file").arg(bench.log_file());
    command.env("HOME", bench.path("home")).env("XDG_STATE_HOME", bench.path("state"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The same, where `s3://bucket` is behind this gateway.
fn sync_s3(bench: &Bench, from: &str, to: &str, gateway: &Gateway) -> Command {
    let mut command = sync(bench, from, to);
    command.env("AWS_ENDPOINT_URL", gateway.url()).env("NO_PROXY", "*");
    command.env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "key");
    command
}

/// A run whose errors are read line by line.
struct Watched {
    running: Running,
    lines: Receiver<String>,
    seen: String,
}

impl Watched {
    fn start(mut command: Command) -> Self {
        let mut running = Running::from(command.spawn().unwrap());
        let (sender, lines) = channel();
        let stderr: BufReader<ChildStderr> = BufReader::new(running.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _test_is_over = sender.send(line);
            }
        });
        Self { running, lines, seen: String::new() }
    }

    /// Waits for a line of standard error that contains `text`.
    #[track_caller]
    fn prints(&mut self, text: &str) {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => {
                    self.seen += &format!("{line}\n");
                    if line.contains(text) {
                        return;
                    }
                }
                Err(reason) => panic!("no {text:?} ({reason}):\n{}", self.seen),
            }
        }
    }

    /// Waits for the end; its output, with all of standard error.
    fn end(self) -> ProcessOutput {
        let output = end(self.running);
        let stderr = self.seen + &self.lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        ProcessOutput { stderr, ..output }
    }
}

fn three_objects() -> Server {
    Server::start(|_, _| Outcome::Serve).with(["a", "b", "dir/c"].map(|key| (key.to_owned(), "content")))
}

fn assert_three_files(folder: &Path) {
    for name in ["a", "b", "dir/c"] {
        assert_eq!(fs::read(folder.join(name)).unwrap(), b"content", "{name}");
    }
}

#[test]
fn a_source_that_is_away_at_the_start_is_waited_for() {
    let (bench, server) = (Bench::new(), three_objects());
    let gateway = Gateway::to(server.port);
    let mut run = Watched::start(sync_s3(&bench, "s3://bucket", bench.dest().to_str().unwrap(), &gateway));
    run.prints("source s3://bucket: open .: ");
    gateway.open();
    let ended = run.end().with_status(0);
    assert!(ended.stderr.contains("Connection refused") && ended.stderr.contains("trying again for 30 s"));
    assert_three_files(&bench.dest());
}

#[test]
fn a_destination_that_is_away_at_the_start_is_waited_for() {
    let (bench, server) = (Bench::new(), Server::start(|_, _| Outcome::Serve));
    bench.write("dir/file", "content");
    let gateway = Gateway::to(server.port);
    let mut run = Watched::start(sync_s3(&bench, bench.source().to_str().unwrap(), "s3://bucket", &gateway));
    run.prints("trying again for 30 s");
    gateway.open();
    let ended = run.end().with_status(0);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("destination s3://bucket: "), "{}", ended.stderr);
    assert_eq!(server.store().objects["dir/file"].0, b"content");
}

#[test]
fn a_storage_that_stays_away_ends_the_program_with_status_1() {
    let bench = Bench::new();
    let gateway = Gateway::to(1);
    let run = Watched::start(sync_s3(&bench, "s3://bucket", bench.dest().to_str().unwrap(), &gateway));
    let ended = run.end().with_status(1);
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.starts_with("towpath: source s3://bucket: open .: ") && last.contains("refused"), "{}", ended.stderr);
    assert!(!bench.dest().exists() && !bench.database().exists(), "nothing has begun");
}

#[test]
fn a_signal_ends_the_wait_at_the_start() {
    let bench = Bench::new();
    let gateway = Gateway::to(1);
    let mut run = Watched::start(sync_s3(&bench, "s3://bucket", bench.dest().to_str().unwrap(), &gateway));
    run.prints("trying again for 30 s");
    send_signal(&run.running, Signal::INT);
    run.end().with_status(130);
    assert!(!bench.dest().exists() && !bench.database().exists(), "nothing has begun");
}

/// A server that is away after its first file, and the run that waits for it.
fn away_in_the_run(bench: &Bench, server: &Server) -> (Gateway, Watched) {
    let gateway = Gateway::to(server.port).opened();
    let mut command = sync_s3(bench, "s3://bucket", bench.dest().to_str().unwrap(), &gateway);
    let run = Watched::start({
        command.args(["--bwlimit", "64K", "--lanes", "1"]);
        command
    });
    wait_until("a file arrives", || bench.has_arrivals());
    gateway.close();
    (gateway, run)
}

fn many_objects() -> Server {
    const CONTENT: &str = include_str!("servers_away.rs");
    Server::start(|_, _| Outcome::Serve).with((0..40).map(|n| (format!("{n:02}"), CONTENT)))
}

#[test]
fn a_server_that_is_away_in_the_run_is_waited_for() {
    let (bench, server) = (Bench::new(), many_objects());
    let (gateway, mut run) = away_in_the_run(&bench, &server);
    run.prints("the source s3://bucket does not answer; waiting for it: ");
    gateway.open();
    run.prints("the source s3://bucket answers again");
    run.end().with_status(0);
    assert_eq!(fs::read_dir(bench.dest()).unwrap().count(), 40);
}

#[test]
fn a_signal_ends_the_wait_in_the_run() {
    let (bench, server) = (Bench::new(), many_objects());
    let (gateway, mut run) = away_in_the_run(&bench, &server);
    run.prints("does not answer; waiting for it: ");
    send_signal(&run.running, Signal::INT);
    run.end().with_status(130);
    // And the next run completes it.
    gateway.open();
    let run = Watched::start(sync_s3(&bench, "s3://bucket", bench.dest().to_str().unwrap(), &gateway));
    run.end().with_status(0);
    assert_eq!(fs::read_dir(bench.dest()).unwrap().count(), 40);
}

/// A program `ssh` in front of OpenSSH's own server of files, whose connections a test can end and refuse.
struct Ssh {
    folder: PathBuf,
}

impl Ssh {
    const SERVER: &str = "/usr/lib/openssh/sftp-server";

    /// The first `refused` connections fail with this message.
    fn new(bench: &Bench, refused: usize, message: &str) -> Option<Self> {
        if !Path::new(Self::SERVER).exists() {
            skip(format_args!("needs {} (openssh-sftp-server)", Self::SERVER));
            return None;
        }
        let folder = bench.path("ssh");
        fs::create_dir_all(folder.join("processes")).unwrap();
        fs::create_dir_all(folder.join("refused")).unwrap();
        let script = format!(
            "#!/bin/sh\ncd {folder}\ncount=$(ls refused | wc -l)\n\
             if [ -e away ] || [ $count -lt {refused} ]; then\n: > refused/$$\necho '{message}' >&2\nexit 255\nfi\n\
             : > processes/$$\nexec {server}\n",
            folder = folder.display(),
            server = Self::SERVER
        );
        let ssh = Self { folder };
        fs::write(ssh.folder.join("ssh"), script).unwrap();
        fs::set_permissions(ssh.folder.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        Some(ssh)
    }

    fn command(&self, bench: &Bench, from: &str, to: &str) -> Command {
        let mut command = sync(bench, from, to);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.folder.display()));
        command
    }

    fn refused(&self) -> usize {
        fs::read_dir(self.folder.join("refused")).unwrap().count()
    }

    /// Ends all connections, and refuses others until it comes back.
    fn go_away(&self) {
        fs::write(self.folder.join("away"), "").unwrap();
        for process in fs::read_dir(self.folder.join("processes")).unwrap() {
            let number: i32 = process.unwrap().file_name().to_str().unwrap().parse().unwrap();
            // It may have ended by itself.
            let _gone = kill_process(Pid::from_raw(number).unwrap(), Signal::KILL);
        }
    }

    fn come_back(&self) {
        fs::remove_file(self.folder.join("away")).unwrap();
    }
}

/// SFTP keeps whole seconds.
#[track_caller]
fn assert_same_files(bench: &Bench) {
    let files = |root: &Path| {
        let files = tree(root).into_iter().filter_map(|(name, node)| match node {
            Node::File { data, .. } => Some((name, data)),
            _ => None,
        });
        files.collect::<Vec<_>>()
    };
    assert!(files(&bench.source()) == files(&bench.dest()));
}

const REFUSED: &str = "ssh: connect to host host port 22: Connection refused";

fn sftp_url(path: &Path) -> String {
    format!("sftp://host{}", path.display())
}

#[test]
fn ssh_servers_that_are_away_at_the_start_are_waited_for() {
    let bench = Bench::new();
    bench.write("dir/file", "content");
    // More often than one attempt to open a tree asks.
    let Some(ssh) = Ssh::new(&bench, 20, REFUSED) else { return };
    let ended = end(ssh.command(&bench, &sftp_url(&bench.source()), bench.dest().to_str().unwrap()).spawn().unwrap());
    let ended = ended.with_status(0);
    assert!(ended.stderr.contains("Connection refused; trying again for 30 s"), "{}", ended.stderr);
    assert_same_files(&bench);
    let there = Ssh::new(&bench, 40, REFUSED).unwrap();
    fs::remove_file(bench.database()).unwrap();
    let copy = bench.path("copy");
    let ended = end(there.command(&bench, bench.source().to_str().unwrap(), &sftp_url(&copy)).spawn().unwrap());
    assert!(ended.with_status(0).stderr.contains("destination sftp://host"));
    assert_eq!(fs::read(copy.join("dir/file")).unwrap(), b"content");
}

#[test]
fn an_ssh_server_that_rejects_the_keys_is_not_waited_for() {
    let bench = Bench::new();
    for message in [
        "me@host: Permission denied (publickey).",
        "Host key verification failed.",
        "ssh: Could not resolve hostname host: Name or service not known",
    ] {
        let Some(ssh) = Ssh::new(&bench, usize::MAX >> 1, message) else { return };
        let before = ssh.refused();
        let run = ssh.command(&bench, &sftp_url(&bench.source()), bench.dest().to_str().unwrap()).spawn().unwrap();
        let ended = end(run).with_status(1);
        assert!(ended.stderr.contains(message.trim_start_matches("ssh: ")), "{}", ended.stderr);
        assert!(!ended.stderr.contains("trying again"), "{}", ended.stderr);
        assert!(ssh.refused() - before <= 2, "{} attempts", ssh.refused() - before);
    }
}

/// A run from an SSH server that goes away after the first file.
fn away_from_ssh(bench: &Bench, ssh: &Ssh) -> Watched {
    for n in 0..40 {
        bench.write(format!("{n:02}"), noise(n, 10_000));
    }
    let mut command = ssh.command(bench, &sftp_url(&bench.source()), bench.dest().to_str().unwrap());
    command.args(["--bwlimit", "64K"]);
    let mut run = Watched::start(command);
    wait_until("a file arrives", || bench.has_arrivals());
    ssh.go_away();
    run.prints("does not answer; waiting for it: ");
    run
}

#[test]
fn an_ssh_server_that_is_away_in_the_run_is_waited_for() {
    let bench = Bench::new();
    let Some(ssh) = Ssh::new(&bench, 0, REFUSED) else { return };
    let mut run = away_from_ssh(&bench, &ssh);
    ssh.come_back();
    run.prints("answers again");
    run.end().with_status(0);
    assert_same_files(&bench);
}

#[test]
fn a_signal_ends_the_wait_for_an_ssh_server_in_the_run() {
    let bench = Bench::new();
    let Some(ssh) = Ssh::new(&bench, 0, REFUSED) else { return };
    let run = away_from_ssh(&bench, &ssh);
    send_signal(&run.running, Signal::INT);
    run.end().with_status(130);
    ssh.come_back();
    end(ssh.command(&bench, &sftp_url(&bench.source()), bench.dest().to_str().unwrap()).spawn().unwrap())
        .with_status(0);
    assert_same_files(&bench);
}
