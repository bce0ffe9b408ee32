//! The client against a server that the tests play.

mod bounds;
mod server;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use towpath_backend::{
    Bytes, ErrorKind, Kind, Metadata, ReadOptions, RelPath, Sink as _, Source as _, Times, Timestamp, Tree as _,
    WriteOptions,
};

use self::server::{Asked, DIR, FIFO, FILE, LINK, attributes, connect, serve, status, string, tree, tree_keeping};
use super::handle::Keeps;
use super::lost::Lost;
use super::pool::Pool;
use super::wire::{FSYNC, answer, request, status};

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

/// Whether a request is `lstat` of this path.
fn is_lstat_of(kind: u8, rest: &[u8], at: &str) -> bool {
    kind == request::LSTAT && rest == string(at.as_bytes())
}

#[tokio::test]
async fn with_a_link_in_the_path_only_lstat_is_sent() {
    let (tree, asked) = tree(|kind, rest| {
        Some(match kind {
            // Everything behind it looks valid.
            request::LSTAT if is_lstat_of(kind, rest, "/root/a/link") => attributes(LINK, 0),
            request::LSTAT if rest.ends_with(b"file") => attributes(FILE, 1),
            request::LSTAT => attributes(DIR, 0),
            _ => status(status::OK),
        })
    });
    let at = path("a/link/b/file");
    let given = Metadata::new(Kind::File, 1, Timestamp::from_ns(0));
    let errors = [
        tree.write_whole(&at, Bytes::from_static(b"x"), &given, &WriteOptions::default()).await.map(drop),
        tree.create(&at, &given, &WriteOptions::default()).await.map(drop),
        tree.remove_file(&at).await,
        tree.remove_dir(&path("a/link/b")).await,
        tree.create_dir(&at, None).await,
        tree.create_symlink(&at, b"x").await,
        tree.rename(&at, &path("a/x")).await,
        tree.rename(&path("file"), &at).await,
        tree.set_times(&at, &given.times()).await,
        tree.read_dir(&path("a/link/b"), &ReadOptions::default()).await.map(drop),
        tree.read_dir(&path("a/link"), &ReadOptions::default()).await.map(drop),
        tree.open(&at, &ReadOptions::default()).await.map(drop),
        tree.read_whole(&at, 10, Vec::new(), &ReadOptions::default()).await.map(drop),
        tree.metadata(&at).await.map(drop),
    ];
    for (number, result) in errors.into_iter().enumerate() {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Escapes, "operation {number}");
    }
    assert!(asked.lock().unwrap().iter().all(|(kind, _)| *kind == request::LSTAT));
}

#[tokio::test]
async fn only_regular_files_are_opened_and_written() {
    for (mode, kind) in [(LINK, ErrorKind::Escapes), (DIR, ErrorKind::IsADirectory), (FIFO, ErrorKind::Unsupported)] {
        let (tree, asked) = tree(move |_, _| Some(attributes(mode, 0)));
        assert_eq!(tree.open(&path("x"), &ReadOptions::default()).await.map(drop).unwrap_err().kind(), kind);
        assert!(
            tree.create(&path("x"), &Metadata::new(Kind::File, 0, Timestamp::from_ns(0)), &WriteOptions::default())
                .await
                .is_err()
        );
        assert!(asked.lock().unwrap().iter().all(|(kind, _)| *kind == request::LSTAT));
    }
}

#[tokio::test]
async fn a_new_file_is_opened_so_that_a_link_put_there_meanwhile_is_not_followed() {
    let (tree, asked) = tree(|kind, _| {
        Some(match kind {
            request::LSTAT => status(status::NO_SUCH_FILE),
            request::OPEN => status(status::FAILURE),
            _ => status(status::OK),
        })
    });
    let error = tree
        .create(&path("new"), &Metadata::new(Kind::File, 0, Timestamp::from_ns(0)), &WriteOptions::default())
        .await
        .map(drop)
        .unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains("full disk"), "{error}");
    let asked = asked.lock().unwrap();
    let (_, open) = asked.iter().find(|(kind, _)| *kind == request::OPEN).unwrap();
    let flags = &open[string(b"/root/new").len()..][..4];
    assert_eq!(flags, (0x02_u32 | 0x08 | 0x20).to_be_bytes(), "write, create, and only if nothing has the name");
}

#[tokio::test]
async fn a_time_that_the_protocol_cannot_hold_becomes_the_nearest() {
    for (seconds, sent) in [(-1, 0), (1, 1), (1 << 32, u32::MAX)] {
        let (tree, asked) =
            tree(|kind, _| Some(if kind == request::LSTAT { attributes(FILE, 5) } else { status(status::OK) }));
        let times = Times { modified: Timestamp::from_parts(seconds, 5), accessed: None };
        tree.set_times(&path("old"), &times).await.unwrap();
        let asked = asked.lock().unwrap();
        let (_, set) = asked.iter().rfind(|(kind, _)| *kind == request::SETSTAT || *kind == request::EXTENDED).unwrap();
        assert_eq!(set[set.len() - 4..], u32::to_be_bytes(sent), "{seconds}");
    }
}

#[tokio::test]
async fn short_reads_are_continued_and_excess_data_is_cut() {
    let content: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
    let whole = content.clone();
    let (tree, _) = tree(move |kind, rest| {
        Some(match kind {
            request::OPEN => (answer::HANDLE, string(b"h")),
            request::READ => {
                let field =
                    |range: std::ops::Range<usize>| rest[range].iter().fold(0, |all, byte| all << 8 | *byte as usize);
                let (offset, length) = (field(5..13), field(13..17));
                // Less than was requested, or more.
                let given = if offset == 32_768 { length + 7 } else { length.min(10_000) };
                match &content[offset.min(content.len())..(offset + given).min(content.len())] {
                    [] => status(status::EOF),
                    data => (answer::DATA, string(data)),
                }
            }
            request::CLOSE => status(status::OK),
            _ => attributes(FILE, content.len() as u64),
        })
    });
    let read = tree.read_whole(&path("file"), 200_000, Vec::new(), &ReadOptions::default()).await.unwrap();
    assert!(read.data == whole);
    assert_eq!(
        tree.read_whole(&path("file"), 70_000, Vec::new(), &ReadOptions::default()).await.unwrap().data,
        whole[..70_000]
    );
    let mut reader = tree.open(&path("file"), &ReadOptions::default()).await.unwrap();
    assert!(reader.read_at(30_000, 50_000, Vec::new()).await.unwrap() == whole[30_000..80_000]);
}

#[tokio::test]
async fn a_connection_that_ended_while_idle_is_opened_again() {
    let rounds = Arc::new(Mutex::new(VecDeque::from([true, false, true])));
    let (tree, asked) = tree(move |_, _| rounds.lock().unwrap().pop_front()?.then(|| attributes(FILE, 1)));
    for _ in 0..2 {
        assert_eq!(tree.metadata(&path("file")).await.unwrap().size_bytes, 1);
    }
    assert_eq!(asked.lock().unwrap().len(), 3);
    let error = tree.metadata(&path("file")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::Unavailable, true));
}

#[tokio::test]
async fn a_handle_whose_open_was_cancelled_is_closed() {
    let (tree, asked) = tree(|kind, _| {
        Some(match kind {
            request::OPEN => (answer::HANDLE, string(b"left")),
            request::CLOSE => status(status::OK),
            _ => attributes(FILE, 1),
        })
    });
    let at = path("file");
    // Polled until the request to open is out, and given up before its answer is there.
    while !asked.lock().unwrap().iter().any(|(kind, _)| *kind == request::OPEN) {
        let _ =
            tokio::time::timeout(std::time::Duration::from_micros(1), tree.open(&at, &ReadOptions::default())).await;
    }
    for _ in 0..100 {
        tree.metadata(&at).await.unwrap();
        let asked = asked.lock().unwrap();
        let count = |wanted: u8| asked.iter().filter(|(kind, _)| *kind == wanted).count();
        if count(request::CLOSE) == count(request::OPEN) {
            return;
        }
    }
    panic!("a file was left open");
}

#[tokio::test]
async fn a_server_that_rejects_further_connections_is_used_with_those_it_accepted() {
    let tried = AtomicUsize::new(0);
    let pool = Pool::new(move || {
        let is_taken = tried.fetch_add(1, Ordering::Relaxed) < 2;
        Box::pin(async move {
            if !is_taken {
                return Err(Lost::Closed);
            }
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            tokio::spawn(serve(theirs, Asked::default(), |_, _| Some(status(status::OK))));
            connect(ours).await
        })
    });
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(pool.get().await.unwrap());
    }
    let different = held.iter().filter(|one| !Arc::ptr_eq(one, &held[0])).count();
    assert_eq!(different, 3, "both are used alike");
}

/// A file is written to a server that answers the request to sync it with this status: the result, and the types of the
/// requests from the first write on.
async fn write_synced(synced: bool, code: u32) -> (towpath_backend::Result<Metadata>, Vec<u8>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let keeps = Keeps { mtimes: true, links: true, synced };
    let (tree, asked) = tree_keeping(keeps, move |kind, rest| {
        Some(match kind {
            request::LSTAT if opened.load(Ordering::Relaxed) == 0 => status(status::NO_SUCH_FILE),
            request::LSTAT => attributes(FILE, 1),
            request::OPEN => {
                opened.store(1, Ordering::Relaxed);
                (answer::HANDLE, string(b"handle"))
            }
            request::EXTENDED => {
                assert_eq!(rest, [string(FSYNC.as_bytes()), string(b"handle")].concat());
                status(code)
            }
            _ => status(status::OK),
        })
    });
    let given = Metadata::new(Kind::File, 1, Timestamp::from_ns(1_000_000_000));
    let written = tree.write_whole(&path("new"), Bytes::from_static(b"x"), &given, &WriteOptions::default()).await;
    let kinds: Vec<_> = asked.lock().unwrap().iter().map(|(kind, _)| *kind).collect();
    let first = kinds.iter().position(|kind| *kind == request::WRITE).unwrap();
    (written, kinds[first..].to_vec())
}

#[tokio::test]
async fn a_file_is_on_the_servers_disk_before_it_is_closed() {
    use request::{CLOSE, EXTENDED, FSETSTAT, LSTAT, WRITE};
    let (written, kinds) = write_synced(true, status::OK).await;
    assert_eq!((written.unwrap().size_bytes, kinds), (1, vec![WRITE, FSETSTAT, EXTENDED, CLOSE, LSTAT]));
    let (written, _) = write_synced(true, status::UNSUPPORTED).await;
    assert!(written.is_ok(), "a server whose file system cannot do so");
    let (written, kinds) = write_synced(false, status::OK).await;
    assert!(written.is_ok() && !kinds.contains(&EXTENDED), "{kinds:?}");
}

#[tokio::test]
async fn a_file_that_the_server_cannot_sync_is_not_written() {
    let error = write_synced(true, status::FAILURE).await.0.unwrap_err();
    assert!(error.is_temporary() && error.to_string().starts_with("sync new: "), "{error}");
}
