//! Tests: `ctl` asks a run that is a fake, over its socket.

use clap::Parser as _;

use super::*;
use crate::args::{Arguments, Command};
use crate::server::tests::Served;

/// Runs `towpath ctl` with these words and the database of the run.
async fn ctl(database: &Path, line: &str) -> Result<String, (u8, String)> {
    let words = ["towpath", "ctl"].into_iter().chain(line.split_whitespace());
    let words = words.chain(["--database", database.to_str().unwrap()]);
    let Command::Ctl(arguments) = Arguments::parse_from(words).command else { panic!("is `ctl`") };
    try_run(&arguments).await.map(|lines| lines.join("\n")).map_err(|ExitError(status, problem)| (status, problem))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_force_afterwards_is_printed() {
    let served = Served::new();
    let database = served.database();
    let user = crate::server::tests::this_user();
    for (line, expected) in [
        ("pause", format!("paused, by {user}\nlimit: none, set by option")),
        (
            "limit 20M --until 2999-12-24T12:00",
            format!("paused, by {user}\nlimit: 20 MiB/s each way until 2999-12-24 12:00, set by control"),
        ),
        ("resume", "running\nlimit: 20 MiB/s each way until 2999-12-24 12:00, set by control".to_owned()),
        ("limit auto", "running\nlimit: auto, set by control".to_owned()),
        ("limit --reset", "running\nlimit: none, set by option".to_owned()),
        (
            "pause --until 2999-12-24T12:00",
            format!("paused until 2999-12-24 12:00, by {user}\nlimit: none, set by option"),
        ),
        (
            "stop --after-current",
            format!(
                "stopping after the files in flight, asked by {user}\npaused until 2999-12-24 12:00, by {user}\n\
             limit: none, set by option"
            ),
        ),
    ] {
        assert_eq!(ctl(&database, line).await, Ok(expected), "{line}");
    }
    let asked = served.asked();
    assert!(asked.len() == 7 && asked.iter().all(|asked| asked.ends_with(&format!(" by {user}"))), "{asked:?}");
    let refused = ctl(&database, "stop").await;
    assert_eq!(refused, Err((1, "the run cannot do that: the run is stopping already".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_run_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    let (status, problem) = ctl(&database, "resume").await.unwrap_err();
    assert_eq!((status, problem), (1, format!("no run with the database {} answers", database.display())));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let (status, problem) = ctl(&database, "limit 20Q").await.unwrap_err();
    assert!(status == 2 && problem.contains("K, M, G"), "{problem}");
}

#[test]
fn everything_that_can_be_in_force_has_words() {
    let shown = lines(&json!({
        "state": "paused",
        "limit": { "kind": "pause", "bytes_per_s": 0, "max_bytes_per_s": null, "set_by": "timetable", "until": null },
        "next_limit": { "kind": "auto", "bytes_per_s": null, "max_bytes_per_s": 52_428_800, "time": "x\u{1b}" },
        "pause": null,
        "stop": { "after_current": false, "by": "user a\n" },
    }));
    assert_eq!(
        shown,
        [
            "stopping now, asked by user a\\n",
            "limit: pause, set by timetable",
            "next:  auto, at most 50 MiB/s each way at x\\u{1b}"
        ]
    );
    // A run of another version.
    assert_eq!(lines(&json!({})), ["limit: ?, set by ?"]);
}
