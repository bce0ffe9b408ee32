//! Files that one scan does not see and whose size and mtime at the sink prove nothing afterwards.

use towpath::CancellationToken;
use towpath_backend::layer::Operation;
use towpath_backend::{Capabilities, Sink as _, Tree as _};
use towpath_memory::MemoryTree;

use super::bench::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_in_flight_at_a_power_cut_are_sent_even_if_one_run_did_not_see_them() {
    let bench = Bench::new();
    for at in ["d/a", "d/b", "e"] {
        write(&bench.source, at, b"content").await;
    }
    // A run that is interrupted before it records anything.
    let token = CancellationToken::new();
    let stop = token.clone();
    let sink = before(bench.sink.clone(), Operation::WriteWhole, "d/a", 1, move || {
        stop.cancel();
        Box::pin(async {})
    });
    bench.run_until_cancelled(bench.source.clone(), sink, token).await;
    let database = rusqlite::Connection::open(bench.database()).unwrap();
    let unclean = "UPDATE run SET finished = NULL, outcome = NULL, transferring = 1";
    database.execute(&format!("{unclean} WHERE id = (SELECT max(id) FROM run)"), []).unwrap();
    database.execute("UPDATE file SET status = 0, hash = NULL", []).unwrap();
    drop(database);
    // The power cut left the size and mtime, but no content.
    for at in ["d/a", "d/b", "e"] {
        write(&bench.sink, at, b"\0\0\0\0\0\0\0").await;
    }

    for at in ["d/a", "d/b"] {
        bench.source.remove_file(&path(at)).await.unwrap();
    }
    let mut options = bench.clone();
    options.options.rescan = true;
    options.run().await;
    for at in ["d/a", "d/b"] {
        write(&bench.source, at, b"content").await;
    }
    assert!(bench.run().await.report.all_in_sync());
    for at in ["d/a", "d/b", "e"] {
        assert_eq!(read(&bench.sink, at).await.unwrap(), b"content", "{at}");
    }
    assert_eq!(bench.run().await.report.synced.files, 0, "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_seen_after_a_run_without_the_file_where_the_sink_keeps_no_mtimes() {
    let capabilities = Capabilities { sets_mtime: false, ..MemoryTree::new("all").capabilities() };
    let bench = Bench { sink: MemoryTree::with_capabilities("new", capabilities), ..Bench::new() };
    write_at(&bench.source, "dir/file", b"old", 1_700_000_000).await;
    write(&bench.source, "other", b"content").await;
    bench.run().await;
    bench.source.remove_file(&path("dir/file")).await.unwrap();
    bench.run().await;
    write_at(&bench.source, "dir/file", b"new", 1_700_000_001).await;
    bench.run().await;
    assert_eq!(read(&bench.sink, "dir/file").await.unwrap(), b"new");
}
