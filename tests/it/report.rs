//! What a run records for a report, and `towpath report`.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use towpath::{Account, Migration, Overview};

use crate::common::*;

#[test]
fn a_run_records_its_options_what_others_felt_and_its_slowest_files() {
    let bench = Bench::new();
    bench.write("large", noise(1, 4 << 20));
    bench.write("small", "data");
    bench.sync(&["--bwlimit", "1M", "--exclude", "*.tmp"]).with_status(0);
    let overview = Overview::read(bench.database(), 10).unwrap().unwrap();
    let options: serde_json::Value = serde_json::from_str(overview.runs[0].options.as_deref().unwrap()).unwrap();
    assert_eq!((options["bwlimit"].as_u64(), options["filters"][0].as_str()), (Some(1 << 20), Some("- *.tmp")));
    let account = Account::read(bench.database(), 10).unwrap().unwrap();
    let slowest: Vec<_> = account.slowest.iter().map(|file| (&file.path[..], file.size_bytes)).collect();
    assert_eq!(slowest, [(&b"large"[..], 4 << 20)]);
    assert!(account.slowest[0].took > Duration::from_secs(2), "{:?}", account.slowest);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let samples = runtime.block_on(Migration::rate_samples(&bench.database())).unwrap();
    let sample = samples[0];
    // A sample begins up to a second after the first byte.
    assert!(sample.written_bytes.is_some_and(|bytes| (2 << 20..=(4 << 20) + 4).contains(&bytes)), "{samples:?}");
    assert!(sample.peak_bytes_per_s.is_some_and(|peak| (500_000..=1 << 20).contains(&peak)), "{samples:?}");
    for round_trips in [sample.source_round_trips, sample.sink_round_trips] {
        let round_trips = round_trips.expect("a request after two seconds");
        assert!(round_trips.requests >= 1 && round_trips.median <= round_trips.p95, "{round_trips:?}");
    }
}

/// `towpath report` on the database of a bench.
fn report(bench: &Bench, arguments: &[&str]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.arg("report").arg("--database").arg(bench.database()).args(arguments);
    end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn json(bench: &Bench) -> serde_json::Value {
    serde_json::from_str(&report(bench, &["--json", "-"]).with_status(0).stdout).unwrap()
}

/// The names of a class.
fn names(report: &serde_json::Value, class: &str) -> u64 {
    let classes = report["totals"]["classes"].as_array().unwrap();
    classes.iter().find(|one| one["class"] == class).unwrap()["all"]["names"].as_u64().unwrap()
}

#[test]
fn the_totals_of_a_tree_with_trouble_reconcile_run_after_run() {
    let bench = Bench::new();
    for name in ["a", "d/b", "d/e/c", "x.tmp", "cache/1", "cache/2"] {
        bench.write(name, "four");
    }
    fs::hard_link(bench.source().join("a"), bench.source().join("second name")).unwrap();
    make_fifo(&bench.source().join("fifo"));
    let _socket = UnixListener::bind(bench.source().join("socket")).unwrap();
    symlink("a", bench.source().join("link")).unwrap();
    symlink("/etc/passwd", bench.source().join("outside")).unwrap();
    fs::create_dir(bench.source().join("lost+found")).unwrap();
    let options = ["--exclude", "*.tmp", "--exclude", "/cache/", "--links", "follow", "--quiet"];
    bench.sync(&options).with_status(3);
    let first = json(&bench);
    assert_eq!((first["balanced"].as_bool(), first["state"].as_str()), (Some(true), Some("complete")), "{first}");
    // a, its second name, the link as a file, b, c; d, d/e.
    assert_eq!((names(&first, "synced"), names(&first, "excluded"), names(&first, "skipped")), (7, 2, 4));
    let reasons = first["totals"]["reasons"].as_array().unwrap();
    let rule = reasons.iter().find(|reason| reason["rule"] == "- /cache/").unwrap();
    assert_eq!((rule["directories"]["names"].as_u64(), rule["example"]["path"].as_str()), (Some(1), Some("cache")));
    // Something vanished, something is new, something changed, and nothing of it is scanned yet.
    fs::remove_file(bench.source().join("d/b")).unwrap();
    bench.write("new", "more");
    bench.write("a", "changed");
    bench.sync(&[&options[..], &["--no-scan"]].concat());
    assert_eq!(json(&bench)["balanced"], true);
    bench.sync(&[&options[..], &["--delete-extras", "--rescan"]].concat()).with_status(3);
    let last = json(&bench);
    assert_eq!((last["balanced"].as_bool(), names(&last, "synced")), (Some(true), 7), "{last}");
    assert_eq!(last["deletions"]["files"], 1);
    assert!(last["deletions"]["listed"][0]["path"].as_str().unwrap().ends_with("/new/d/b"), "{last}");
    assert_eq!(last["runs"].as_array().unwrap().len(), 3);
}

#[test]
fn totals_that_do_not_reconcile_are_an_alarm_and_exit_status_3() {
    let bench = Bench::new();
    bench.write("a", "four");
    let none = report(&bench, &["--html", "-"]);
    assert!(none.status == 1 && none.stderr.contains("there is no migration with the database"), "{}", none.stderr);
    bench.sync(&["--quiet"]).with_status(0);
    assert!(!report(&bench, &["--html", "-"]).with_status(0).stdout.contains("class=\"alarm\""));
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    connection.execute("DELETE FROM file", []).unwrap();
    let ended = report(&bench, &["--html", "-"]).with_status(3);
    assert!(ended.stderr.contains("the source has +1 names and +4 bytes that are in no class"), "{}", ended.stderr);
    assert!(ended.stdout.contains("class=\"alarm\"") && ended.stdout.contains("The totals do not reconcile"));
    connection.execute("UPDATE scan SET finished = NULL", []).unwrap();
    let ended = report(&bench, &["--html", "-"]).with_status(3);
    assert!(ended.stderr.contains("no scan is complete"), "{}", ended.stderr);
    report(&bench, &["--json", "-", "--html", "-"]).with_status(2);
    report(&bench, &[]).with_status(2);
}

#[test]
fn a_page_has_no_script_nothing_from_elsewhere_and_no_name_that_is_markup() {
    let bench = Bench::new();
    let hostile: [&[u8]; 4] = [
        b"<script>alert(1)",
        b"\"><img src=x onerror=alert(1)>",
        b"tab\there\x1b[2J\xff",
        "\u{202e}gnp.exe".as_bytes(),
    ];
    for name in hostile {
        bench.write([b"dir/", name].concat(), "x");
    }
    symlink("nowhere", bench.source().join("<b>link")).unwrap();
    bench.sync(&["--links", "follow", "--exclude", "*.</style>", "--quiet"]).with_status(3);
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    let sql = "UPDATE file SET status = 0, error = '<i>open</i>' || char(27) || ' & read', error_code = 'EIO', error_side = 0";
    connection.execute(sql, []).unwrap();
    let html = report(&bench, &["--html", "-"]).with_status(0).stdout;
    for bad in
        ["<script", "<img", "<i>", "<b>link", "\u{1b}", "\u{202e}", "http:", "https:", "url(", " href=", "@import"]
    {
        assert!(!html.contains(bad), "{bad}");
    }
    for good in
        ["&lt;script&gt;alert(1)", "\\u{202e}gnp.exe", "tab\\there\\u{1b}[2J\\xff", "&lt;i&gt;open&lt;/i&gt;\\u{1b}"]
    {
        assert!(html.contains(good), "{good}");
    }
    assert_eq!(html.matches("</style>").count(), 1);
    let limited = report(&bench, &["--html", "-", "--max-listed", "1"]).with_status(0).stdout;
    assert!(limited.contains("And 3 that are not listed here."));
}

#[test]
fn a_manifest_is_in_the_report_with_its_digest_and_its_signature_is_checked() {
    if Command::new("minisign").arg("-v").output().is_err() {
        return skip("needs minisign (package minisign)");
    }
    let bench = Bench::new();
    bench.write("a", "four");
    bench.sync(&["--quiet"]).with_status(0);
    let path = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let (manifest, public, secret) = (path("sums"), path("key.pub"), path("key.sec"));
    let made = Command::new("minisign").args(["-G", "-W", "-p", &public, "-s", &secret]).output().unwrap();
    assert!(made.status.success());
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.arg("manifest").arg("--database").arg(bench.database());
    command.args(["--format", "sha256sum", "--output", &manifest, "--sign", &secret]);
    assert!(command.status().unwrap().success());
    let shown = |more: &[&str]| {
        let arguments = [&["--json", "-", "--manifest", &manifest], more].concat();
        let report: serde_json::Value =
            serde_json::from_str(&report(&bench, &arguments).with_status(0).stdout).unwrap();
        report["manifest"].clone()
    };
    let found = shown(&[]);
    assert_eq!(found["sha256"], sha256(&fs::read(&manifest).unwrap()));
    let of_key = fs::read_to_string(&public).unwrap();
    assert!(of_key.contains(found["signature"]["key_id"].as_str().unwrap()), "{found} {of_key}");
    assert_eq!(found["signature"]["check"], "not_checked");
    assert_eq!(shown(&["--public-key", &public])["signature"]["check"], "valid");
    let key = of_key.lines().nth(1).unwrap();
    assert_eq!(shown(&["--public-key", key])["signature"]["check"], "valid");
    fs::write(&manifest, "something else").unwrap();
    assert_eq!(shown(&["--public-key", &public])["signature"]["check"], "invalid");
    report(&bench, &["--json", "-", "--manifest", &manifest, "--public-key", "no key"]).with_status(1);
}

#[test]
fn what_is_accepted_is_a_class_of_its_own_with_who_and_why() {
    let bench = Bench::new();
    for name in ["a", "d/b", "d/c"] {
        bench.write(name, "four");
    }
    bench.sync(&["--quiet"]).with_status(0);
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    let fail = "UPDATE file SET status = 0, error = 'denied', error_code = 'EACCES', error_side = 0 WHERE name <> 'a'";
    connection.execute(fail, []).unwrap();
    assert_eq!(json(&bench)["state"], "exceptions");
    let accept = "INSERT INTO accepted(path, reason, accepted_at, user, code) VALUES ('d', 'a lab <b>share', 7, 'ann', 'EACCES')";
    connection.execute(accept, []).unwrap();
    let found = json(&bench);
    assert_eq!((names(&found, "accepted"), names(&found, "failed"), names(&found, "synced")), (2, 0, 2), "{found}");
    assert_eq!((found["balanced"].as_bool(), found["state"].as_str()), (Some(true), Some("complete")));
    assert_eq!((found["accepted"]["open"].as_u64(), found["acceptances"][0]["user"].as_str()), (Some(0), Some("ann")));
    let html = report(&bench, &["--html", "-"]).with_status(0).stdout;
    assert!(html.contains("Accepted: a lab &lt;b&gt;share") && html.contains("EACCES"), "{html}");
}

#[test]
fn a_verification_is_in_the_report_with_its_coverage() {
    let bench = Bench::new();
    for name in ["a", "b", "c"] {
        bench.write(name, "four");
    }
    bench.sync(&["--quiet"]).with_status(0);
    let before = json(&bench);
    assert_eq!(
        (&before["verification"]["coverage"][0]["class"], &before["state"]),
        (&"not-verified".into(), &"complete".into())
    );
    let mtime = fs::metadata(bench.dest().join("b")).unwrap().modified().unwrap();
    fs::write(bench.dest().join("b"), "FOUR").unwrap();
    fs::File::options().write(true).open(bench.dest().join("b")).unwrap().set_modified(mtime).unwrap();
    let mut verify = Command::new(env!("CARGO_BIN_EXE_towpath"));
    verify.arg("verify").arg("--database").arg(bench.database()).arg("--quiet");
    end(verify.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).with_status(3);
    let found = json(&bench)["verification"].clone();
    let of = |class: &str| {
        let all = found["coverage"].as_array().unwrap();
        all.iter().find(|one| one["class"] == class).map(|one| one["names"].as_u64().unwrap())
    };
    assert_eq!((of("matches"), of("differs"), of("not-verified")), (Some(2), Some(1), None), "{found}");
    assert_eq!(
        (found["not_matching"][0]["path"].as_str(), found["passes"][0]["number"].as_u64()),
        (Some("b"), Some(1))
    );
    let html = report(&bench, &["--html", "-"]).with_status(0).stdout;
    assert!(html.contains("Files that did not match"), "{html}");
    assert_eq!(json(&bench)["state"], "exceptions");
    assert!(html.contains("1 copy that was verified is different, missing or unreadable at the destination"), "{html}");
}
