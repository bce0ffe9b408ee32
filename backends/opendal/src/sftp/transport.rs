//! The two byte streams of a connection: the greeting, packets in and out, and the program `ssh` that carries them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter};
use tokio::process::{Child, ChildStderr};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use towpath_backend::Bytes;

use super::in_flight::InFlight;
use super::lost::{Lost, SshError};
use super::wire::{Fields, Request, answer};

/// The longest answer that is accepted: servers send no more than 256 KiB.
const MAX_PACKET_BYTES: u32 = 1 << 20;
/// How much of what `ssh` prints is kept, for the error.
const MAX_MESSAGE_BYTES: u64 = 4096;

/// The program `ssh` that carries a connection. It is killed when this is dropped.
pub(super) struct Ssh {
    child: Child,
    /// What it prints as errors.
    message: JoinHandle<String>,
}

impl Ssh {
    pub(super) fn new(mut child: Child) -> Self {
        let message = tokio::spawn(message(child.stderr.take()));
        Self { child, message }
    }

    /// Ends the program; what it printed, unless that is nothing.
    async fn end(mut self) -> Option<String> {
        let message = timeout(Duration::from_secs(2), self.message).await;
        let _ended = self.child.start_kill();
        message.ok()?.ok().filter(|message| !message.is_empty())
    }
}

/// Why there is no connection: what `ssh` reports, if it reports something.
pub(super) async fn why(reason: Lost, ssh: Option<Ssh>) -> Lost {
    let message = match ssh {
        Some(ssh) => ssh.end().await,
        None => None,
    };
    message.map_or(reason, |message| Lost::Ssh(SshError::new(message)))
}

/// Keeps what `ssh` prints, on one line.
async fn message(errors: Option<ChildStderr>) -> String {
    let Some(mut errors) = errors else { return String::new() };
    let mut printed = Vec::new();
    let _best_effort = (&mut errors).take(MAX_MESSAGE_BYTES).read_to_end(&mut printed).await;
    // Otherwise it would block once the pipe is full.
    let _discarded = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
    let printed = String::from_utf8_lossy(&printed);
    // `ssh: connect to host …`: the prefix is added by the reader of this text.
    let lines = printed.lines().map(|line| line.trim().trim_start_matches("ssh: ")).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}

/// Agrees on the version, and returns the names of the server's extensions.
pub(super) async fn greet(
    output: &mut (impl AsyncRead + Unpin),
    input: &mut (impl AsyncWrite + Unpin),
) -> Result<HashSet<String>, Lost> {
    input.write_all(&Request::hello()).await?;
    input.flush().await?;
    let mut fields = Fields::of(packet(output).await?);
    let (Ok(answer::VERSION), Ok(_version)) = (fields.u8(), fields.u32()) else {
        return Err(Lost::OtherVersion);
    };
    let mut extensions = HashSet::new();
    while !fields.is_empty() {
        let (Ok(name), Ok(_version)) = (fields.string(), fields.string()) else { break };
        extensions.insert(String::from_utf8_lossy(&name).into_owned());
    }
    Ok(extensions)
}

/// The next packet, without its length.
pub(super) async fn packet(output: &mut (impl AsyncRead + Unpin)) -> Result<Bytes, Lost> {
    let length = output.read_u32().await?;
    if length > MAX_PACKET_BYTES {
        return Err(Lost::NotSftp);
    }
    let mut packet = vec![0; length as usize];
    output.read_exact(&mut packet).await?;
    Ok(packet.into())
}

/// Writes queued requests until the connection is dropped.
pub(super) async fn write(
    input: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Vec<u8>>,
    in_flight: Arc<InFlight>,
) {
    let mut input = BufWriter::with_capacity(64 << 10, input);
    while let Some(request) = queue.recv().await {
        let mut written = input.write_all(&request).await;
        while let (Ok(()), Ok(request)) = (&written, queue.try_recv()) {
            written = input.write_all(&request).await;
            in_flight.progressed();
        }
        if written.is_ok() {
            written = input.flush().await;
        }
        match written {
            Ok(()) => in_flight.progressed(),
            // The reading side reports why.
            Err(_broken) => return,
        }
    }
}
