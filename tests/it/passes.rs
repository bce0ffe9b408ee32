//! `towpath passes`: how passes shrink, and what the next will take.

use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::*;

fn passes(bench: &Bench, arguments: &[&str]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.arg("passes").arg("--database").arg(bench.database()).args(arguments);
    end(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn json(bench: &Bench, arguments: &[&str]) -> Value {
    let ended = passes(bench, &[&["--json"], arguments].concat()).with_status(0);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn totals(files: u64, bytes: u64) -> Value {
    json!({ "files": files, "bytes": bytes })
}

#[test]
fn each_pass_says_what_it_found_and_sent_and_from_the_second_on_there_is_a_forecast() {
    let bench = Bench::new();
    for n in 0..10 {
        bench.write(format!("{n}"), noise(n, 1000));
    }
    bench.sync(&[]).with_status(0);
    let first = json(&bench, &[]);
    assert_eq!(first["forecast"], Value::Null);
    assert!(passes(&bench, &[]).with_status(0).stdout.contains("no forecast: it needs two complete scans"));

    for n in 0..3 {
        bench.write(format!("{n}"), noise(n, 2000));
    }
    bench.sync(&[]).with_status(0);
    let shown = json(&bench, &[]);
    let passes_of = |key: &str| -> Vec<Value> {
        shown["passes"].as_array().unwrap().iter().map(|pass| pass.pointer(key).unwrap().clone()).collect()
    };
    assert_eq!(passes_of("/scan/found"), [totals(10, 10_000), totals(3, 6000)]);
    assert_eq!(passes_of("/sent"), [totals(10, 10_000), totals(3, 6000)]);
    assert_eq!(passes_of("/scan/bytes"), [json!(10_000), json!(13_000)]);
    assert_eq!(passes_of("/outcome"), ["finished", "finished"]);
    assert_eq!((&shown["source"], &shown["dest"]), (&json!(bench.source()), &json!(bench.dest())));
    let forecast = &shown["forecast"];
    let time = |key: &str| forecast[key].as_f64().unwrap();
    assert!(time("p50_s") > time("scan_s") && time("p90_s") > time("p50_s") && time("scan_s") > 0.0, "{forecast}");
    assert_eq!(forecast["learned_from"], 1);

    let text = passes(&bench, &[]).with_status(0).stdout;
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[2].starts_with("RUN   BEGAN"), "{text}");
    assert!(lines[3].contains("9.8 KiB in 10   9.8 KiB in 10") && lines[4].contains("5.9 KiB in 3"), "{text}");
    assert!(lines.last().unwrap().starts_with("A cut-over now would need "), "{text}");
    assert_eq!(json(&bench, &["--last", "1"])["passes"].as_array().unwrap().len(), 1);
    assert_eq!(json(&bench, &["--last", "1"])["forecast"]["learned_from"], 1);
}

#[test]
fn the_limit_of_the_cut_over_can_be_given() {
    let bench = Bench::new();
    bench.write("a", noise(1, 1000));
    bench.sync(&[]).with_status(0);
    bench.write("b", noise(2, 1 << 20));
    bench.sync(&[]).with_status(0);
    let p50_s = |limit: &str| json(&bench, &["--bwlimit", limit])["forecast"]["p50_s"].as_f64();
    assert!(p50_s("1K") > p50_s("off"), "{:?} {:?}", p50_s("1K"), p50_s("off"));
    assert_eq!(p50_s("pause"), None);
    let text = passes(&bench, &["--bwlimit", "1K"]).with_status(0).stdout;
    assert!(text.trim_end().ends_with(" to send at 1.0 KiB/s."), "{text}");
}

#[test]
fn an_interrupted_pass_is_shown_as_such() {
    let bench = Bench::new();
    for n in 0..20 {
        bench.write(format!("{n:02}"), noise(n, 100_000));
    }
    bench
        .interrupt_when(Signal::TERM, &["--bwlimit", "500K", "--lanes", "2"], || bench.has_arrivals())
        .with_status(143);
    bench.sync(&[]).with_status(0);
    let shown = json(&bench, &[]);
    assert_eq!((&shown["passes"][0]["outcome"], &shown["passes"][1]["scan"]), (&json!("stopped"), &Value::Null));
    assert!(passes(&bench, &[]).with_status(0).stdout.contains(", stopped"));
}

#[test]
fn without_a_migration_there_are_no_passes() {
    let bench = Bench::new();
    let ended = passes(&bench, &[]).with_status(1);
    assert!(ended.stderr.contains("there is no migration with the database"), "{}", ended.stderr);
}
