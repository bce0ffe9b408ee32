//! Cases about the content of errors.

use super::fixture::{Fixture, metadata, path, read, write};
use crate::{Bytes, Error, ErrorKind, ReadOptions, RelPath, Result, WriteOptions};

/// The error of a call that cannot do what it was asked for.
fn error_of<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("done, where nothing can be done"),
        Err(error) => error,
    }
}

/// Every call that reads, on `at`.
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

/// Every call that makes something, at `at`.
async fn errors_of_making(fixture: &dyn Fixture, at: &RelPath) -> Vec<Error> {
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

/// Every call that changes what is there, on `at`.
async fn errors_of_changing(fixture: &dyn Fixture, at: &RelPath) -> Vec<Error> {
    let sink = fixture.sink();
    let mut errors = vec![error_of(sink.remove_file(at).await), error_of(sink.remove_dir(at).await)];
    if sink.capabilities().sets_mtime {
        let error = error_of(sink.set_times(at, &metadata(1).times()).await);
        // Where no times can be set, nothing is checked.
        errors.extend((error.kind() != ErrorKind::Unsupported).then_some(error));
    }
    errors
}

/// An error in a log names what to check.
pub async fn errors_name_operation_and_path(fixture: &dyn Fixture) {
    let (missing, below) = (path("missing"), path("missing/below"));
    let mut errors = Vec::new();
    for at in [&missing, &below] {
        errors.extend(errors_of_reading(fixture, at).await);
        errors.extend(errors_of_changing(fixture, at).await);
        assert!(errors.drain(..).all(|error| is_told(&error, at)));
    }
    if !fixture.sink().capabilities().virtual_directories {
        errors.extend(errors_of_making(fixture, &below).await);
    }
    assert!(errors.iter().all(|error| is_told(error, &below)));
}

/// Panics with the error if its text is incomplete.
fn is_told(error: &Error, at: &RelPath) -> bool {
    assert_eq!((error.kind(), error.path()), (ErrorKind::NotFound, at), "{error:?}");
    assert!(!error.is_temporary(), "another try would not help: {error:?}");
    assert!(!error.operation().is_empty() && !error.operation().contains('/'), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(error.operation()) && text.contains(&at.to_string()), "{text}");
    true
}

/// A file in the middle of a path is no directory, nor is anything made of it.
///
/// Whoever writes must hear of it as such: for a directory that is missing the engine makes one.
pub async fn a_path_through_a_file_is_an_error(fixture: &dyn Fixture) {
    write(fixture, &path("file"), b"content").await;
    for at in ["file/below", "file/further/below"].map(path) {
        if !fixture.sink().capabilities().virtual_directories {
            for error in errors_of_making(fixture, &at).await {
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
