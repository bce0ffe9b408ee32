//! A destination that keeps no mtimes.

use towpath::{Event, Warning};
use towpath_backend::{Capabilities, Tree as _};
use towpath_memory::MemoryTree;

use super::bench::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_keeps_no_mtimes_is_reported_once_in_each_run() {
    let mut bench = Bench::new();
    write(&bench.source, "a", b"1").await;
    write(&bench.source, "b", b"2").await;
    assert!(!bench.run().await.mentions("mtimes"));
    let all = MemoryTree::new("all").capabilities();
    bench.sink = MemoryTree::with_capabilities("new", Capabilities { sets_mtime: false, ..all });
    bench.folder = Bench::new().folder;
    for _ in 0..2 {
        let events = bench.run().await.events;
        let reported =
            events.iter().filter(|event| matches!(event, Event::Warning(Warning::MtimesNotKept { .. }))).count();
        assert_eq!(reported, 1);
    }
}
