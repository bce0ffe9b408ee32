//! Why there is no connection to a server, or not any more.

use std::sync::Arc;
use std::time::Duration;
use std::{error, fmt, io};

/// How long a connection may be without progress while an answer is due.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Why there is no connection, or not any more.
#[derive(Clone, Debug)]
pub(super) enum Lost {
    /// The program `ssh` cannot be started.
    NotStarted(Arc<io::Error>),
    /// The program `ssh` was started without pipes.
    NoPipes,
    /// `ssh` reported an error.
    Ssh(SshError),
    /// The server sent no greeting in time.
    NoGreeting,
    /// The server speaks another version of the protocol.
    OtherVersion,
    /// What the server sent is no packet of SFTP.
    NotSftp,
    /// The server sent a packet that cannot be parsed.
    Malformed,
    /// The server answered requests that were not sent.
    UnsolicitedAnswers,
    /// An answer was due, and no bytes were sent or received.
    Stalled,
    /// The other side closed the connection.
    Closed,
    /// Reading or writing failed.
    Io(Arc<io::Error>),
}

impl Lost {
    /// Whether another attempt to connect fails in the same way.
    pub(super) fn is_permanent(&self) -> bool {
        match self {
            Self::NotStarted(_) | Self::OtherVersion | Self::NotSftp => true,
            Self::Ssh(error) => error.kind != SshErrorKind::Other,
            _ => false,
        }
    }
}

/// Whether there is no connection, and another attempt would not get one.
pub(crate) fn is_permanent(error: &towpath_backend::Error) -> bool {
    let cause = error::Error::source(error).and_then(|cause| cause.downcast_ref::<Lost>());
    cause.is_some_and(Lost::is_permanent)
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(Arc::new(error)),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(error) => write!(f, "the program `ssh` cannot be started: {error}"),
            Self::NoPipes => f.write_str("ssh has no standard input and output"),
            Self::Ssh(error) => write!(f, "ssh: {}", error.message),
            Self::NoGreeting => write!(f, "no greeting within {} s", STALL_TIMEOUT.as_secs()),
            Self::OtherVersion => f.write_str("the server does not speak SFTP version 3"),
            Self::NotSftp => f.write_str("the server does not speak SFTP (does its shell print something at login?)"),
            Self::Malformed => f.write_str("the server's answer is malformed"),
            Self::UnsolicitedAnswers => f.write_str("the server answered requests that it was not sent"),
            Self::Stalled => write!(f, "no bytes were sent or received for {} s", STALL_TIMEOUT.as_secs()),
            Self::Closed => f.write_str("the connection was closed"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl error::Error for Lost {}

/// What `ssh` printed when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SshError {
    kind: SshErrorKind,
    /// On one line.
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SshErrorKind {
    /// The server accepts none of the keys.
    PermissionDenied,
    /// The server's key is not the expected one.
    HostKey,
    /// The name of the server cannot be resolved.
    UnknownHost,
    Other,
}

impl SshError {
    /// `ssh` has one exit status for all errors, so that only its message tells them apart.
    pub(super) fn new(message: String) -> Self {
        const KINDS: [(&str, SshErrorKind); 3] = [
            ("Permission denied", SshErrorKind::PermissionDenied),
            ("verification failed", SshErrorKind::HostKey),
            ("resolve", SshErrorKind::UnknownHost),
        ];
        let kind = KINDS.iter().find(|(text, _)| message.contains(text)).map_or(SshErrorKind::Other, |(_, kind)| *kind);
        Self { kind, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_another_attempt_does_not_cure_are_permanent() {
        for (message, is_permanent) in [
            ("me@host: Permission denied (publickey).", true),
            ("Host key verification failed.", true),
            ("Could not resolve hostname host: Name or service not known", true),
            ("connect to host 127.0.0.1 port 22: Connection refused", false),
            ("kex_exchange_identification: Connection closed by remote host", false),
        ] {
            let lost = Lost::Ssh(SshError::new(message.to_owned()));
            assert_eq!((lost.is_permanent(), lost.to_string()), (is_permanent, format!("ssh: {message}")));
        }
        assert!(Lost::NotSftp.is_permanent() && Lost::OtherVersion.is_permanent() && !Lost::Closed.is_permanent());
    }
}
