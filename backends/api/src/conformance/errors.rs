//! Cases about what errors contain.

use super::fixture::{Fixture, metadata, path, read, write};
use crate::{Bytes, Error, ErrorKind, ReadOptions, RelPath, Result, WriteOptions};

/// The error of a call that must fail.
fn error_of<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("a call that must fail succeeded"),
        Err(error) => error,
    }
}

/// The errors of all calls that read, on `at`.
async fn errors_of_reading(fixture: &dyn Fixture, at: &RelPath) -> Vec<Error> {
    let source = fixture.source();
    let mut errors = vec![
        error_of(source.metadata(at).await),
        error_of(fixture.sink().metadata(at).await),
        error_of(source.read_dir(at, &ReadOptions::default()).await),
        error_of(source.open(at, &ReadOptions::default()).await),
        error_of(source.read_whole(at, 10, Vec::new(), &ReadOptions::default()).await),
    ];
    if source.capabilities().symlinks {
        errors.push(error_of(source.read_link(at).await));
    }
    errors
}

/// The errors of all calls that create something, at `at`.
async fn errors_of_creating(fixture: &dyn Fixture, at: &RelPath) -> Vec<Error> {
    let sink = fixture.sink();
    let mut errors = vec![
        error_of(sink.create(at, &metadata(1), &WriteOptions::default()).await),
        error_of(sink.write_whole(at, Bytes::from_static(b"x"), &metadata(1), &WriteOptions::default()).await),
        error_of(sink.create_dir(at, None).await),
    ];
    if sink.capabilities().symlinks {
        errors.push(error_of(sink.create_symlink(at, b"target").await));
    }
    errors
}

/// The errors of all calls that change an entry, on `at`.
async fn errors_of_changing(fixture: &dyn Fixture, at: &RelPath) -> Vec<Error> {
    let sink = fixture.sink();
    let mut errors = vec![error_of(sink.remove_file(at).await), error_of(sink.remove_dir(at).await)];
    if sink.capabilities().sets_mtime {
        let error = error_of(sink.set_times(at, &metadata(1).times()).await);
        // Where the storage has no times, nothing is checked.
        errors.extend((error.kind() != ErrorKind::Unsupported).then_some(error));
    }
    errors
}

/// An error in a log must name what to check.
pub async fn errors_name_operation_and_path(fixture: &dyn Fixture) {
    let (missing, below) = (path("missing"), path("missing/below"));
    let mut errors = Vec::new();
    for at in [&missing, &below] {
        errors.extend(errors_of_reading(fixture, at).await);
        errors.extend(errors_of_changing(fixture, at).await);
        assert!(errors.drain(..).all(|error| is_complete(&error, at)));
    }
    if !fixture.sink().capabilities().virtual_directories {
        errors.extend(errors_of_creating(fixture, &below).await);
    }
    assert!(errors.iter().all(|error| is_complete(error, &below)));
}

/// Panics with the error if its text is incomplete.
fn is_complete(error: &Error, at: &RelPath) -> bool {
    assert_eq!((error.kind(), error.path()), (ErrorKind::NotFound, at), "{error:?}");
    assert!(!error.is_temporary(), "a retry would not help: {error:?}");
    assert!(!error.operation().is_empty() && !error.operation().contains('/'), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(error.operation()) && text.contains(&at.to_string()), "{text}");
    true
}

/// A file in the middle of a path is not a directory, and stays as it is.
///
/// Calls that write must report exactly this: if the error said that the directory is missing, the engine would create
/// it.
pub async fn a_path_through_a_file_is_an_error(fixture: &dyn Fixture) {
    write(fixture, &path("file"), b"content").await;
    for at in ["file/below", "file/further/below"].map(path) {
        if !fixture.sink().capabilities().virtual_directories {
            for error in errors_of_creating(fixture, &at).await {
                assert_eq!(error.kind(), ErrorKind::NotADirectory, "{error:?}");
            }
        }
        let mut others = errors_of_reading(fixture, &at).await;
        others.extend(errors_of_changing(fixture, &at).await);
        for error in others {
            assert!(matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound), "{error:?}");
        }
    }
    assert_eq!(read(fixture, &path("file")).await.unwrap(), b"content");
}
