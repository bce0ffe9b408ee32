//! The log's lines about runs, and failures in its lines about files.

use serde_json::Value;
use towpath::{Bandwidth, MaxDelete, Mirror};
use towpath_backend::ErrorKind;
use towpath_backend::layer::{Fault, Faults, Operation, Rule};

use super::bench::{Bench, before, write};

fn first_and_last(bench: &Bench) -> (Value, Value) {
    let lines = bench.run_lines();
    let [.., first, last] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&first["status"], &last["status"]), (&"run-started".into(), &"run-ended".into()));
    assert_eq!(first["run"], last["run"]);
    (first.clone(), last.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_a_first_line_with_its_options_and_a_last_one_with_its_totals() {
    let mut bench = Bench::new();
    let options = bench.options.clone();
    bench.options = options.bandwidth(Bandwidth::Limit(5 << 20));
    write(&bench.source, "one", b"data").await;
    write(&bench.source, "two", b"more data").await;
    bench.run().await;
    let (first, last) = first_and_last(&bench);
    let keys = |line: &Value| line.as_object().unwrap().keys().take(8).cloned().collect::<Vec<_>>();
    for line in [&first, &last] {
        let common = ["time", "status", "source", "dest", "size", "algorithm", "checksum", "error"];
        assert_eq!(keys(line), common, "lines about runs have the same first fields as lines about files");
        assert_eq!((&line["source"], &line["dest"]), (&"mem://old".into(), &"mem://new".into()));
        assert!(line["error"].is_null());
    }
    assert_eq!((&first["run"], &first["mode"], &first["reason"]), (&1.into(), &"scan".into(), &"first-run".into()));
    assert_eq!((&first["version"], &first["unfinished_run"]), (&env!("CARGO_PKG_VERSION").into(), &Value::Null));
    let options = &first["options"];
    assert_eq!((&options["bwlimit"], &options["lanes"]), (&(5 << 20).into(), &2.into()));
    assert_eq!((&options["links"], &options["after_backlog"]), (&"copy".into(), &"auto".into()));
    assert_eq!((&last["result"], &last["scanned"]), (&"completed".into(), &true.into()));
    for (key, number) in
        [("source_files", 2), ("in_sync_files", 2), ("sent_files", 2), ("sent_bytes", 13), ("failed_files", 0)]
    {
        assert_eq!(last[key], number, "{key}");
    }
    assert!(last["duration_ms"].is_u64() && last["scanned_at"].as_str().unwrap() >= first["time"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_is_logged_and_so_is_the_run_that_resumes_it() {
    let bench = Bench::new();
    write(&bench.source, "file", b"data").await;
    let token = towpath::CancellationToken::new();
    let stop = token.clone();
    let source = before(bench.source.clone(), Operation::ReadWhole, "file", 1, move || {
        let stop = stop.clone();
        Box::pin(async move { stop.cancel() })
    });
    bench.run_until_cancelled(source, bench.sink.clone(), token).await;
    let (_, last) = first_and_last(&bench);
    assert_eq!((&last["result"], &last["stopped_by"]), (&"stopped".into(), &Value::Null));
    let scanned_at = last["scanned_at"].clone();
    bench.run().await;
    let (first, last) = first_and_last(&bench);
    assert_eq!((&first["mode"], &first["reason"]), (&"backlog".into(), &"interrupted".into()));
    assert_eq!((&first["pending_files"], &first["pending_bytes"]), (&1.into(), &4.into()));
    assert_eq!(
        (&first["scanned_at"], &last["scanned_at"]),
        (&scanned_at, &scanned_at),
        "the time of the scan that the run relied on"
    );
    assert_eq!((&last["result"], &last["scanned"]), (&"completed".into(), &false.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_and_a_guard_refusal_log_the_reason() {
    let bench = Bench::new();
    write(&bench.source, "file", b"data").await;
    let full =
        Fault::new(bench.sink.clone(), Faults::new(1).with(Rule::new(ErrorKind::NoSpace).on(Operation::WriteWhole)));
    let error = bench.try_run_into(full).await.unwrap_err();
    let (_, last) = first_and_last(&bench);
    assert_eq!((&last["result"], &last["error"]), (&"failed".into(), &error.to_string().into()));

    let mut bench = Bench::new();
    write(&bench.sink, "extra", b"data").await;
    let mirror = Mirror::default().max_delete(MaxDelete::Percent(100));
    bench.options.mirror = Some(mirror);
    let refusal = bench.run().await.report.refusal.unwrap();
    let (first, last) = first_and_last(&bench);
    assert_eq!((&last["result"], &last["error"]), (&"refused".into(), &refusal.to_string().into()));
    assert_eq!((&first["options"]["delete_extras"], &first["options"]["max_delete"]), (&true.into(), &"100%".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_repaired_by_a_later_attempt_is_logged_unlike_a_permanent_one() {
    let bench = Bench::new();
    write(&bench.source, "later", b"data").await;
    write(&bench.source, "never", b"data").await;
    let rule =
        |name: &'static [u8]| Rule::new(ErrorKind::Other).at(move |at| at.as_bytes() == name).on(Operation::WriteWhole);
    let faults = || Faults::new(1).with(rule(b"never").temporary(false));
    let sink = Fault::new(bench.sink.clone(), faults().with(rule(b"later").temporary(true).nth(1)));
    bench.run_between(bench.source.clone(), sink).await;
    let logged = |status: &str| bench.logged(status);
    assert_eq!((logged("will-retry"), logged("failed")), (vec!["later".to_owned()], vec!["never".to_owned()]));
    assert_eq!((logged("synced"), bench.failed_before()), (vec!["later".to_owned()], vec![]));

    // A later run that syncs the file logs its earlier failure.
    bench.run().await;
    let [(name, error)] = &bench.failed_before()[..] else { panic!() };
    assert!(name == "mem://new/never" && error.starts_with("destination: "), "{error}");
    assert!(Bench { options: bench.options.clone().rescan(true), ..bench.clone() }.run().await.report.all_in_sync());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_has_the_reason_of_each_failure_until_it_is_repaired() {
    let bench = Bench::new();
    write(&bench.source, "bad", b"data").await;
    let rule = || Rule::new(ErrorKind::PermissionDenied).on(Operation::WriteWhole).temporary(false);
    let denying = |bench: &Bench| Fault::new(bench.sink.clone(), Faults::new(1).with(rule()));
    bench.run_between(bench.source.clone(), denying(&bench)).await;
    let reason = "destination: write whole bad: injected failure";
    assert_eq!(bench.errors(), [reason]);
    // The reason stays while the file waits for its next attempt after a stopped scan.
    let token = towpath::CancellationToken::new();
    let stop = token.clone();
    let source = before(bench.source.clone(), Operation::ReadDir, "", 1, move || {
        let stop = stop.clone();
        Box::pin(async move { stop.cancel() })
    });
    bench.run_until_cancelled(source, denying(&bench), token).await;
    assert_eq!((bench.errors(), bench.logged("will-retry").len()), (vec![reason.to_owned()], 1));
    bench.run().await;
    assert_eq!(bench.errors(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_right_after_its_beginning_has_an_end() {
    let bench = Bench::new();
    write(&bench.source, "one", b"data").await;
    bench.run().await;
    let database = rusqlite::Connection::open(bench.database()).unwrap();
    database.execute("ALTER TABLE sample RENAME TO away", []).unwrap();
    drop(database);
    let error = bench.try_run().await.unwrap_err();
    assert!(error.to_string().contains("sample"), "{error}");
    let run = towpath::Overview::read(bench.database(), 1).unwrap().unwrap().runs.remove(0);
    assert_eq!((run.number, run.outcome), (2, Some(towpath::RecordedOutcome::Failed)));
    assert!(run.error.unwrap().contains("sample"));
    assert_eq!(first_and_last(&bench).1["run"], 2);
}
