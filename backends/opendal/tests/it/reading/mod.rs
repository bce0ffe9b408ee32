//! How files are read: in how many requests, and always one version of each.

mod server;
mod swapped;

use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use towpath::{Bandwidth, Migration, Options, Report};
use towpath_backend::{Error, ErrorKind, Pacing, ReadOptions, RelPath, Result, Source as _, Timestamp};
use towpath_local::LocalSink;
use towpath_opendal::OpendalTree;

use server::{Habits, Object, Server, Speaks, State};

/// What is read at once.
const BLOCK_BYTES: usize = 64 << 10;

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

/// A version of a file: two of different seeds differ everywhere.
fn data(seed: u8, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| seed.wrapping_add((at / 7 % 100) as u8)).collect()
}

fn object(seed: u8, bytes: usize) -> Object {
    Object { data: data(seed, bytes), mtime: Some("1600000000.5"), stored: 1 }
}

fn paced() -> ReadOptions {
    ReadOptions::default().paced_by(&Pacing::new(1 << 30))
}

/// Reads a file as the engine does.
async fn read(tree: &OpendalTree, name: &str, options: &ReadOptions) -> Result<Vec<u8>> {
    let mut file = tree.open(&path(name), options).await?;
    let size = file.metadata().await?.size_bytes;
    let (mut content, mut asked) = (Vec::new(), 0);
    while (content.len() as u64) < size {
        while asked < size.min((content.len() + 3 * BLOCK_BYTES) as u64) {
            file.prefetch(asked, BLOCK_BYTES as u64).await;
            asked += BLOCK_BYTES as u64;
        }
        let (offset, before) = (content.len() as u64, content.len());
        content = file.read_at(offset, BLOCK_BYTES, content).await?;
        assert_ne!(content.len(), before, "{name} ends after {before} of {size} bytes");
    }
    file.metadata().await?;
    Ok(content)
}

fn is_changed(error: &Error) -> bool {
    error.is_temporary() && error.to_string().contains("changed while it was read")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_one_request_and_a_huge_one_is_checked_at_the_end() {
    for (speaks, bytes, stats) in [
        (Speaks::S3, 3 << 20, 0),
        (Speaks::Azblob, 3 << 20, 0),
        (Speaks::S3, 9 << 20, 1),
        (Speaks::Azblob, 9 << 20, 1),
        (Speaks::Gcs, 3 << 20, 2),
        (Speaks::Webdav, 3 << 20, 2),
    ] {
        let server = Server::start(speaks, Habits::default(), &[("file", object(1, bytes))]);
        assert!(read(&server.tree(), "file", &ReadOptions::default()).await.unwrap() == data(1, bytes));
        let ranges: Vec<_> = server.gets().into_iter().map(|get| get.range).collect();
        assert_eq!((ranges, server.stats().len()), (vec![None], stats), "{speaks:?}, {bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_comes_and_goes_is_followed_within_a_file() {
    for speaks in Speaks::ALL {
        let server = Server::start(speaks, Habits::default(), &[("file", object(1, 12 * BLOCK_BYTES))]);
        let pacing = Pacing::unlimited();
        let mut file = server.tree().open(&path("file"), &ReadOptions::default().paced_by(&pacing)).await.unwrap();
        let mut content = Vec::new();
        for limit in [u64::MAX, 1 << 30, u64::MAX] {
            pacing.set_bytes_per_s(limit);
            for _ in 0..4 {
                let offset = content.len() as u64;
                file.prefetch(offset, BLOCK_BYTES as u64).await;
                content = file.read_at(offset, BLOCK_BYTES, content).await.unwrap();
            }
        }
        assert!(content == data(1, 12 * BLOCK_BYTES), "{speaks:?}");
        let range = |from: usize, to: usize| Some(format!("bytes={}-{}", from * BLOCK_BYTES, to * BLOCK_BYTES - 1));
        let ranges: Vec<_> = server.gets().into_iter().map(|get| get.range).collect();
        let limited = [range(4, 5), range(5, 6), range(6, 7), range(7, 8)];
        let rest = Some(format!("bytes={}-", 8 * BLOCK_BYTES));
        assert_eq!(ranges[0], None, "{speaks:?}");
        assert_eq!(ranges[1..5], limited, "{speaks:?}");
        assert!(ranges.len() == 6 && (ranges[5] == rest || ranges[5] == range(8, 12)), "{speaks:?}: {ranges:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_is_one_request() {
    let kept = Timestamp::from_ns(1_600_000_000_500_000_000);
    let stored = Timestamp::from_parts(1_767_225_601, 0);
    for (speaks, modified, stats) in [
        (Speaks::S3, kept, 0),
        (Speaks::Azblob, kept, 0),
        // Sent along, as the GET does not say all.
        (Speaks::Gcs, kept, 10),
        // Until the GET is known to say the same.
        (Speaks::Webdav, stored, 3),
    ] {
        let server = Server::start(speaks, Habits::default(), &[("file", object(1, 1000))]);
        let tree = server.tree();
        for _ in 0..10 {
            let whole = tree.read_whole(&path("file"), 1000, Vec::new(), &ReadOptions::default()).await.unwrap();
            assert!(whole.data == data(1, 1000));
            assert_eq!((whole.metadata.size_bytes, whole.metadata.modified), (1000, modified), "{speaks:?}");
        }
        let (gets, asked) = (server.gets(), server.stats().len());
        assert_eq!((gets.len(), asked), (10, stats), "{speaks:?}");
        assert!(gets.iter().all(|get| get.key == "file" && get.range.is_none()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grew_is_cut_off_and_one_that_is_gone_is_missing() {
    for speaks in Speaks::ALL {
        let server = Server::start(speaks, Habits::default(), &[("file", object(1, 2 << 20))]);
        let tree = server.tree();
        let whole = tree.read_whole(&path("file"), 100, b"before ".to_vec(), &ReadOptions::default()).await.unwrap();
        assert_eq!((whole.data, whole.metadata.size_bytes), ([b"before ".to_vec(), data(1, 100)].concat(), 2 << 20));
        let missing = tree.read_whole(&path("none"), 100, Vec::new(), &ReadOptions::default()).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound, "{speaks:?}: {missing}");
        for options in [ReadOptions::default(), paced()] {
            assert_eq!(tree.open(&path("none"), &options).await.map(drop).unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}

/// Puts the second version in place at the GET of this number.
fn overwrite(at: usize, by: Object) -> impl Fn(usize, &Mutex<State>) + Send + Sync + 'static {
    move |number, state| {
        if number == at {
            state.lock().unwrap().objects.insert("file".to_owned(), by.clone());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_overwritten_between_two_requests_is_never_a_mixture() {
    const BYTES: usize = 10 * BLOCK_BYTES;
    for speaks in Speaks::ALL {
        for ignores_conditions in [false, true] {
            for at in 0..11 {
                // In the same second, and of the same size and mtime.
                let (first, second) = (object(1, BYTES), object(2, BYTES));
                let habits = Habits { ignores_conditions, ..Habits::default() };
                let server = Server::with(speaks, habits, &[("file", first.clone())], overwrite(at, second.clone()));
                let which = format!("{speaks:?} {ignores_conditions} at {at}");
                match read(&server.tree(), "file", &paced()).await {
                    Ok(content) => assert!(content == first.data || content == second.data, "{which}: a mixture"),
                    Err(error) => assert!(is_changed(&error), "{which}: {error}"),
                }
                if !ignores_conditions && speaks != Speaks::Webdav {
                    assert!(server.gets().iter().all(|get| get.condition.is_some()), "{which}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn etags_that_never_change_do_not_hide_another_time() {
    const BYTES: usize = 6 * BLOCK_BYTES;
    for speaks in Speaks::ALL {
        for at in 1..6 {
            let (first, second) = (object(1, BYTES), Object { stored: 2, ..object(2, BYTES) });
            let habits = Habits { same_etags: true, ..Habits::default() };
            let server = Server::with(speaks, habits, &[("file", first)], overwrite(at, second));
            let error = read(&server.tree(), "file", &paced()).await.unwrap_err();
            assert!(is_changed(&error), "{speaks:?} at {at}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_after_a_connection_broke_off_is_the_rest_of_the_same_version() {
    const BYTES: usize = 3 << 20;
    let habits = || Habits { breaks_off_after: Some(1 << 20), ..Habits::default() };
    for speaks in Speaks::ALL {
        let server = Server::start(speaks, habits(), &[("file", object(1, BYTES))]);
        assert!(read(&server.tree(), "file", &ReadOptions::default()).await.unwrap() == data(1, BYTES), "{speaks:?}");
        let again = server.gets().into_iter().skip(1).map(|get| get.range.unwrap()).collect::<Vec<_>>();
        assert!(again.len() == 1 && again[0].starts_with("bytes=1"), "{speaks:?}: {again:?}");

        let server = Server::with(speaks, habits(), &[("file", object(1, BYTES))], overwrite(1, object(2, BYTES)));
        let error = read(&server.tree(), "file", &ReadOptions::default()).await.unwrap_err();
        assert!(is_changed(&error), "{speaks:?}: {error}");
        assert_eq!(server.gets().len(), 2);

        let server = Server::with(speaks, habits(), &[("file", object(1, BYTES))], overwrite(1, object(2, BYTES)));
        let whole = server.tree().read_whole(&path("file"), BYTES, Vec::new(), &ReadOptions::default()).await;
        let error = whole.map(drop).unwrap_err();
        assert!(is_changed(&error), "{speaks:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_sends_whole_files_only_is_read_in_one_request() {
    for speaks in Speaks::ALL {
        let habits = Habits { ignores_ranges: true, ..Habits::default() };
        let server = Server::start(speaks, habits.clone(), &[("file", object(1, 3 << 20))]);
        assert!(read(&server.tree(), "file", &paced()).await.unwrap() == data(1, 3 << 20), "{speaks:?}");

        let habits = Habits { breaks_off_after: Some(1 << 20), ..habits };
        let server = Server::start(speaks, habits, &[("file", object(1, 3 << 20))]);
        let error = read(&server.tree(), "file", &ReadOptions::default()).await.unwrap_err();
        assert!(error.is_temporary(), "{speaks:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_say_how_long_a_file_is_sends_ranges() {
    for speaks in Speaks::ALL {
        let habits = Habits { no_length: true, ..Habits::default() };
        let server = Server::start(speaks, habits, &[("file", object(1, 1 << 20)), ("small", object(2, 500))]);
        let tree = server.tree();
        for options in [ReadOptions::default(), paced()] {
            assert!(read(&tree, "file", &options).await.unwrap() == data(1, 1 << 20), "{speaks:?}");
            let whole = tree.read_whole(&path("small"), 500, Vec::new(), &options).await.unwrap();
            assert!(whole.data == data(2, 500) && whole.metadata.size_bytes == 500, "{speaks:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_etag_is_no_condition_as_it_never_matches() {
    for speaks in [Speaks::S3, Speaks::Azblob, Speaks::Webdav] {
        let habits = Habits { weak_etags: true, ..Habits::default() };
        let server = Server::start(speaks, habits, &[("file", object(1, 2 << 20))]);
        assert!(read(&server.tree(), "file", &paced()).await.unwrap() == data(1, 2 << 20));
        assert!(server.gets().iter().all(|get| get.condition.is_none()), "{speaks:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_limit_ranges_are_requested_ahead() {
    for speaks in Speaks::ALL {
        // Neither of the first two is answered before the other one is there.
        let both = Barrier::new(2);
        let on_get = move |number: usize, _: &Mutex<State>| {
            if number < 2 {
                both.wait();
            }
        };
        let server = Server::with(speaks, Habits::default(), &[("file", object(1, 4 * BLOCK_BYTES))], on_get);
        let (tree, options) = (server.tree(), paced());
        let reading = tokio::time::timeout(Duration::from_secs(60), read(&tree, "file", &options));
        assert!(
            reading.await.expect("one request waits for the other").unwrap() == data(1, 4 * BLOCK_BYTES),
            "{speaks:?}"
        );
        assert_eq!(server.gets().len(), 4, "of the size that is asked for");
    }
}

/// Copies all to a folder, and returns what is in it of the file.
async fn migrate(server: &Server, bandwidth: Bandwidth) -> (Report, Option<Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("dest");
    std::fs::create_dir(&dest).unwrap();
    let (migration, _events) = Migration::builder()
        .source(server.tree())
        .sink(LocalSink::open(&dest).unwrap())
        .database(folder.path().join("db"))
        .audit_log(folder.path().join("log"))
        .options(Options::default().bandwidth(bandwidth))
        .build()
        .unwrap();
    let report = migration.run().await.unwrap();
    (report, std::fs::read(dest.join("file")).ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_reads_an_overwritten_file_again_until_it_has_one_version() {
    const BYTES: usize = 5 << 18;
    let mut runs = tokio::task::JoinSet::new();
    for speaks in Speaks::ALL {
        for at in [0, 1, 3] {
            runs.spawn(async move {
                let second = object(2, BYTES);
                let server =
                    Server::with(speaks, Habits::default(), &[("file", object(1, BYTES))], overwrite(at, second));
                let (report, content) = migrate(&server, Bandwidth::Limit(8 << 20)).await;
                assert_eq!(report.failed_files, 0, "{speaks:?} at {at}");
                assert!(content == Some(data(2, BYTES)), "{speaks:?} at {at}");
                // A fortieth part of a second's bytes each.
                let ranges = server.gets().into_iter().filter_map(|get| get.range).count();
                assert!((5..20).contains(&ranges), "{ranges} requests");
            });
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_of_small_files_asks_twice_for_each() {
    let names: Vec<_> = (0..50).map(|number| format!("file{number}")).collect();
    let objects: Vec<_> = names.iter().map(|name| (name.as_str(), object(1, 2000))).collect();
    for speaks in [Speaks::S3, Speaks::Azblob] {
        let server = Server::start(speaks, Habits::default(), &objects);
        let (report, _) = migrate(&server, Bandwidth::Unlimited).await;
        assert_eq!(report.failed_files, 0);
        // The listing stats each, for its mtime.
        let stats = server.stats().into_iter().filter(|name| name.starts_with("file")).count();
        assert_eq!((server.gets().len(), stats), (50, 50), "{speaks:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_a_file_that_is_overwritten_have_a_version_each() {
    let server = Server::start(Speaks::S3, Habits::default(), &[("file", object(1, 2 << 20))]);
    let server = Arc::new(server);
    let tree = server.tree();
    let mut first = tree.open(&path("file"), &ReadOptions::default()).await.unwrap();
    server.overwrite("file", object(2, 2 << 20));
    let content = first.read_at(0, 2 << 20, Vec::new()).await.unwrap();
    assert!(content == data(1, 2 << 20), "what was opened");
    // Backwards is another request, which the condition refuses.
    let error = first.read_at(5, 10, Vec::new()).await.unwrap_err();
    assert!(is_changed(&error), "{error}");
    assert!(read(&tree, "file", &ReadOptions::default()).await.unwrap() == data(2, 2 << 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_file_that_is_overwritten_while_it_is_sent_is_noticed_at_the_end() {
    for speaks in Speaks::ALL {
        let server = Server::start(speaks, Habits::default(), &[("file", object(1, 9 << 20))]);
        let mut file = server.tree().open(&path("file"), &ReadOptions::default()).await.unwrap();
        file.metadata().await.unwrap();
        file.read_at(0, BLOCK_BYTES, Vec::new()).await.unwrap();
        server.overwrite("file", object(2, 9 << 20));
        file.read_at(BLOCK_BYTES as u64, BLOCK_BYTES, Vec::new()).await.unwrap();
        let error = file.metadata().await.unwrap_err();
        assert!(is_changed(&error), "{speaks:?}: {error}");
    }
}
