//! A server that the tests play.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::super::connection::Connection;
use super::super::handle::{Keeps, SftpTree};
use super::super::lost::Lost;
use super::super::pool::Pool;
use super::super::wire::{FSYNC, LSETSTAT, POSIX_RENAME, answer};

pub(super) const FILE: u32 = 0o100_644;
pub(super) const DIR: u32 = 0o040_755;
pub(super) const LINK: u32 = 0o120_777;
pub(super) const FIFO: u32 = 0o010_644;

/// Something that a request is answered with: a type and what follows the number.
pub(super) type Answer = (u8, Vec<u8>);

pub(super) fn number(value: u32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

pub(super) fn string(bytes: &[u8]) -> Vec<u8> {
    [number(bytes.len() as u32), bytes.to_vec()].concat()
}

pub(super) fn status(code: u32) -> Answer {
    (answer::STATUS, [number(code), string(b""), string(b"")].concat())
}

/// Attributes with a size, a mode and times.
pub(super) fn attributes(mode: u32, size_bytes: u64) -> Answer {
    let size = size_bytes.to_be_bytes().to_vec();
    (answer::ATTRS, [number(0x1 | 0x4 | 0x8), size, number(mode), number(1), number(2)].concat())
}

/// What the server was asked: type of request, and what follows the number.
pub(super) type Asked = Arc<Mutex<Vec<Answer>>>;

/// Reads a packet; `None` at the end.
pub(super) async fn packet(pipe: &mut DuplexStream) -> Option<Vec<u8>> {
    let length = pipe.read_u32().await.ok()?;
    let mut packet = vec![0; length as usize];
    pipe.read_exact(&mut packet).await.ok()?;
    Some(packet)
}

pub(super) async fn answer_with(pipe: &mut DuplexStream, kind: u8, rest: &[u8]) {
    let _client_may_be_gone = pipe.write_u32(rest.len() as u32 + 1).await;
    let _client_may_be_gone = pipe.write_u8(kind).await;
    let _client_may_be_gone = pipe.write_all(rest).await;
}

/// The server's side of a greeting.
pub(super) async fn greet(pipe: &mut DuplexStream) {
    packet(pipe).await;
    let extensions = [LSETSTAT, POSIX_RENAME, FSYNC].map(|name| [string(name.as_bytes()), string(b"1")].concat());
    answer_with(pipe, answer::VERSION, &[number(3), extensions.concat()].concat()).await;
}

/// A server that answers each request by `answers`; `None` ends the connection.
pub(super) async fn serve(mut pipe: DuplexStream, asked: Asked, answers: impl Fn(u8, &[u8]) -> Option<Answer>) {
    greet(&mut pipe).await;
    while let Some(packet) = packet(&mut pipe).await {
        let (kind, id, rest) = (packet[0], &packet[1..5], &packet[5..]);
        asked.lock().unwrap().push((kind, rest.to_vec()));
        let Some((kind, body)) = answers(kind, rest) else { return };
        answer_with(&mut pipe, kind, &[id, &body].concat()).await;
    }
}

/// The client's side of a connection.
pub(super) async fn connect(pipe: DuplexStream) -> Result<Arc<Connection>, Lost> {
    let (output, input) = tokio::io::split(pipe);
    Connection::over(output, input, None).await
}

/// A tree on such a server, and what that is asked.
pub(super) fn tree(answers: impl Fn(u8, &[u8]) -> Option<Answer> + Clone + Send + Sync + 'static) -> (SftpTree, Asked) {
    tree_keeping(Keeps { mtimes: true, links: true, synced: true }, answers)
}

pub(super) fn tree_keeping(
    keeps: Keeps,
    answers: impl Fn(u8, &[u8]) -> Option<Answer> + Clone + Send + Sync + 'static,
) -> (SftpTree, Asked) {
    let asked = Asked::default();
    let requests = Arc::clone(&asked);
    let pool = Pool::new(move || {
        let (asked, answers) = (Arc::clone(&asked), answers.clone());
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            tokio::spawn(serve(theirs, asked, answers));
            connect(ours).await
        })
    });
    (SftpTree::over(pool, "sftp://host/root".to_owned(), "root", "fake".to_owned(), keeps), requests)
}
