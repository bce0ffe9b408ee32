//! Cases about concurrent calls.

use std::future::poll_fn;
use std::task::Poll;

use super::fixture::{Fixture, Work, all_at_once, content, metadata, names, path, read, write};
use crate::{Bytes, ReadOptions, RelPath, WriteOptions};

/// Yields to the other work.
async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Writes a file in steps, pausing at each.
async fn write_in_steps(fixture: &dyn Fixture, at: &RelPath, data: &[u8]) {
    let mut writer = fixture.sink().create(at, &metadata(data.len()), &WriteOptions::default()).await.unwrap();
    for (n, step) in data.chunks(10_007).enumerate() {
        pause().await;
        writer.write_at(n as u64 * 10_007, Bytes::copy_from_slice(step)).await.unwrap();
    }
    pause().await;
    let kept = writer.finish(data.len() as u64, &metadata(data.len()).times()).await.unwrap();
    assert_eq!(kept.size_bytes, data.len() as u64);
}

/// Reads a file in steps, pausing at each, and compares.
async fn read_in_steps(fixture: &dyn Fixture, at: &RelPath, expected: &[u8]) {
    let mut reader = fixture.source().open(at, &ReadOptions::default()).await.unwrap();
    for (n, step) in expected.chunks(10_007).enumerate() {
        pause().await;
        assert!(reader.read_at(n as u64 * 10_007, step.len(), Vec::new()).await.unwrap() == step, "{at}");
    }
}

/// The path and content of a file; each number has different content.
fn numbered(number: usize) -> (RelPath, Vec<u8>) {
    (path(format!("{number:02}")), content(100_000 + number).split_off(number))
}

/// No writer writes into the file of another one.
pub async fn files_are_written_concurrently(fixture: &dyn Fixture) {
    let files: Vec<_> = (0..10).map(numbered).collect();
    all_at_once(files.iter().map(|(at, data)| Box::pin(write_in_steps(fixture, at, data)) as Work<'_>).collect()).await;
    for (at, data) in &files {
        assert!(read(fixture, at).await.unwrap() == *data, "{at}");
    }
}

/// Readers and writers do not interfere.
pub async fn files_are_read_and_written_concurrently(fixture: &dyn Fixture) {
    let (old, new): (Vec<_>, Vec<_>) = ((0..5).map(numbered).collect(), (5..10).map(numbered).collect());
    for (at, data) in &old {
        write(fixture, at, data).await;
    }
    let mut works: Vec<Work<'_>> = Vec::new();
    for ((old_at, old_data), (new_at, new_data)) in old.iter().zip(&new) {
        works.push(Box::pin(read_in_steps(fixture, old_at, old_data)));
        works.push(Box::pin(write_in_steps(fixture, new_at, new_data)));
        works.push(Box::pin(read_in_steps(fixture, old_at, old_data)));
    }
    all_at_once(works).await;
    for (at, data) in new.iter().chain(&old) {
        assert!(read(fixture, at).await.unwrap() == *data, "{at}");
    }
}

/// Everything created in a directory concurrently exists afterwards, and everything removed does not.
pub async fn one_directory_takes_concurrent_changes(fixture: &dyn Fixture) {
    let (sink, dir) = (fixture.sink(), path("dir"));
    sink.create_dir(&dir, None).await.unwrap();
    for number in 0..20 {
        write(fixture, &dir.join(format!("old {number:02}")).unwrap(), b"old").await;
    }
    let mut works: Vec<Work<'_>> = Vec::new();
    for number in 0..20 {
        let at = |kind: &str| dir.join(format!("{kind} {number:02}")).unwrap();
        let (old, new_dir, whole, steps) = (at("old"), at("dir"), at("whole"), at("steps"));
        works.push(Box::pin(async move { sink.remove_file(&old).await.unwrap() }));
        works.push(Box::pin(async move { sink.create_dir(&new_dir, None).await.unwrap() }));
        works.push(Box::pin(async move { assert_eq!(write(fixture, &whole, b"whole").await.size_bytes, 5) }));
        works.push(Box::pin(async move { write_in_steps(fixture, &steps, b"steps").await }));
    }
    all_at_once(works).await;
    let expected: Vec<_> = ["dir", "steps", "whole"]
        .iter()
        .flat_map(|kind| (0..20).map(move |number| format!("{kind} {number:02}").into_bytes()))
        .collect();
    assert_eq!(names(fixture, &dir).await, expected);
}

/// Starts some work and cancels it at its first pause.
async fn cancel<T>(work: impl Future<Output = T> + Send) {
    let mut work = Box::pin(work);
    let _whether_it_was_done = poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_ready())).await;
}

/// A caller that stops waiting for a read does not break later reads.
pub async fn a_cancelled_read_does_no_harm(fixture: &dyn Fixture) {
    let (at, data) = (path("file"), content(200_000));
    let source = fixture.source();
    write(fixture, &at, &data).await;
    for _ in 0..10 {
        let mut reader = source.open(&at, &ReadOptions::default()).await.unwrap();
        cancel(reader.read_at(0, data.len(), Vec::new())).await;
        drop(reader);
        cancel(source.open(&at, &ReadOptions::default())).await;
        cancel(source.read_whole(&at, data.len(), Vec::new(), &ReadOptions::default())).await;
        cancel(source.metadata(&at)).await;
        cancel(source.read_dir(&RelPath::root(), &ReadOptions::default())).await;
    }
    assert!(read(fixture, &at).await.unwrap() == data);
    assert_eq!(names(fixture, &RelPath::root()).await, [b"file"]);
}

/// A caller that stops waiting for a write may leave that file incomplete, but no other file.
pub async fn a_cancelled_write_does_no_harm(fixture: &dyn Fixture) {
    let (sink, data) = (fixture.sink(), content(200_000));
    write(fixture, &path("kept"), &data).await;
    for number in 0..10 {
        let mut writer = sink
            .create(&path(format!("steps {number}")), &metadata(data.len()), &WriteOptions::default())
            .await
            .unwrap();
        cancel(writer.write_at(0, Bytes::from(data.clone()))).await;
        drop(writer);
        let whole = path(format!("whole {number}"));
        cancel(sink.write_whole(&whole, Bytes::from(data.clone()), &metadata(data.len()), &WriteOptions::default()))
            .await;
    }
    write(fixture, &path("new"), &data).await;
    for at in ["kept", "new"].map(path) {
        assert!(read(fixture, &at).await.unwrap() == data, "{at}");
    }
    let listed = names(fixture, &RelPath::root()).await;
    assert!([&b"kept"[..], b"new"].iter().all(|name| listed.iter().any(|listed| listed == name)), "{listed:?}");
}
