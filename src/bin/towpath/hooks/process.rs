//! Runs one command: fed, watched, and killed with all that it started if it does not end.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::format::{duration, escape};
use crate::systemd::VARIABLES;

/// What is kept of the end of its standard error.
const TAIL_BYTES: usize = 4096;
/// Characters of its last line that are shown.
const SHOWN: usize = 200;
/// How long a killed command may take to be gone.
const GONE: Duration = Duration::from_secs(1);

/// Runs a command line in a shell, with `input` on its standard input.
///
/// # Errors
/// One line: it could not be started, failed, or did not end in time and was killed.
pub(super) async fn run(line: &str, event: &str, input: &[u8], patience: Duration) -> Result<(), String> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).env("TOWPATH_EVENT", event);
    // What the service manager set is for this process alone.
    for name in VARIABLES {
        command.env_remove(name);
    }
    // A group of its own: Ctrl-C is not for it, and a kill takes what it started, too.
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| format!("cannot run /bin/sh: {error}"))?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)));
    let mut tail = Tail::default();
    let ended = timeout(patience, watch(&mut child, input, &mut tail)).await;
    let problem = match ended {
        Ok(Ok(status)) => {
            group.ended();
            if status.success() {
                return Ok(());
            }
            describe(status)
        }
        Ok(Err(error)) => format!("cannot watch it: {error}"),
        Err(_) => {
            drop(group);
            let _gone = timeout(GONE, child.wait()).await;
            format!("it did not end within {} and was killed", duration(patience))
        }
    };
    Err(tail.last_line().map_or_else(|| problem.clone(), |line| format!("{problem}: {line}")))
}

/// Feeds the command, and keeps the end of its standard error, until it ends. What it left running does not matter.
async fn watch(child: &mut Child, input: &[u8], tail: &mut Tail) -> io::Result<ExitStatus> {
    let no_pipe = || io::Error::other("it has no pipe");
    let mut stdin = child.stdin.take().ok_or_else(no_pipe)?;
    let errors = Receiver::from_owned_fd(child.stderr.take().ok_or_else(no_pipe)?.into_owned_fd()?)?;
    let feed = async move {
        // It need not read. The pipe is closed here: that is the end of its input.
        let _not_read = stdin.write_all(input).await;
    };
    tokio::pin!(feed);
    let (mut is_fed, mut is_open) = (false, true);
    loop {
        tokio::select! {
            () = &mut feed, if !is_fed => is_fed = true,
            ready = errors.readable(), if is_open => is_open = ready.is_ok() && tail.take(&errors),
            status = child.wait() => {
                tail.take(&errors);
                return status;
            }
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The process group of a command, which is killed when this is dropped before the command has ended.
struct Group(Option<Pid>);

impl Group {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its leader has not been waited for, so that the number is still its own.
        if let Some(pid) = self.0 {
            let _gone = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// The end of what was written to standard error.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    /// Takes what can be read now. False: there will be no more.
    fn take(&mut self, errors: &Receiver) -> bool {
        let mut buffer = [0; TAIL_BYTES];
        loop {
            match errors.try_read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => {
                    self.0.extend_from_slice(&buffer[..length]);
                    self.0.drain(..self.0.len().saturating_sub(TAIL_BYTES));
                }
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    fn last_line(&self) -> Option<String> {
        let lines = self.0.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let line = lines.rev().find(|line| !line.is_empty())?;
        Some(escape(line).chars().take(SHOWN).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_command_gets_the_object_and_the_name_of_the_event() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told");
        let line = format!("echo \"$TOWPATH_EVENT\" > '{0}' && cat >> '{0}'", file.display());
        // More than a pipe holds.
        let input = format!("{}\n", "x".repeat(300_000));
        assert_eq!(run(&line, "paused", input.as_bytes(), LONG).await, Ok(()));
        assert_eq!(std::fs::read_to_string(file).unwrap(), format!("paused\n{input}"));
        assert_eq!(run("true", "paused", input.as_bytes(), LONG).await, Ok(()), "it need not read");
    }

    #[tokio::test]
    async fn a_failure_has_the_last_line_of_standard_error() {
        let failed = async |line: &str| run(line, "paused", b"{}", LONG).await.unwrap_err();
        assert_eq!(failed("exit 3").await, "exit status 3");
        assert_eq!(
            failed("echo first >&2; printf 'last\\033[2J\\n \\n' >&2; exit 1").await,
            "exit status 1: last\\u{1b}[2J"
        );
        assert_eq!(failed("kill -TERM $$").await, "killed by signal 15");
        let long = failed("yes | head -c 1000000 >&2; echo end >&2; exit 1").await;
        assert_eq!(long, "exit status 1: end");
        assert!(failed("no-such-command-at-all").await.starts_with("exit status 127: "));
    }

    #[tokio::test]
    async fn what_a_command_leaves_running_is_not_waited_for() {
        // It holds the pipe of standard error.
        let Err(left) = run("sleep 1000 & echo $! >&2; exit 1", "paused", b"{}", LONG).await else { panic!() };
        let pid = left.rsplit(' ').next().unwrap();
        assert!(Path::new("/proc").join(pid).exists(), "{left}");
        std::process::Command::new("kill").arg(pid).status().unwrap();
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        let line = format!("trap '' TERM; sleep 1000 & echo $$ $! > '{}'; echo hangs >&2; wait", file.display());
        let killed =
            tokio::spawn(async move { run(&line, "paused", b"{}", Duration::from_secs(2)).await }).await.unwrap();
        assert_eq!(killed, Err("it did not end within 2.0 s and was killed: hangs".to_owned()));
        for pid in std::fs::read_to_string(file).unwrap().split_whitespace() {
            let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // Whoever inherits it may not have waited for it yet.
            while !state().is_empty() && !state().contains(") Z") {
                tokio::task::yield_now().await;
            }
        }
    }
}
