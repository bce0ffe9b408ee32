//! Whether both trees answer, and whether the source can be read.

use std::time::Duration;

use crate::doctor::model::{Sample, Trips};
use crate::doctor::{Code, Plan, info, ok, problem, warning};
use crate::finding::Finding;

/// Round trips from here on need more lanes.
const LONG: Duration = Duration::from_millis(10);
/// What a small file costs, in round trips (docs/network-shares.md).
const TRIPS_OF_A_FILE: u32 = 8;

/// Judges how long a storage takes to answer.
pub(crate) fn round_trips(found: &Trips, plan: &Plan) -> Finding {
    if let Some(trouble) = &found.trouble {
        return problem(
            Code::NoAnswer,
            format!("a small request failed: {trouble}"),
            "the storage does not answer reliably",
            "check the network and the server before anything else",
        );
    }
    let Some((median, p95)) = found.percentile(50).zip(found.percentile(95)) else {
        return info(Code::RoundTrip, "not measured", "", "");
    };
    let text = format!(
        "round trip {}, 95 % within {}{}",
        milliseconds(median),
        milliseconds(p95),
        if found.over_network { "" } else { ", local" }
    );
    if found.over_network && p95 > median * 10 && p95 > LONG * 10 {
        return warning(
            Code::RoundTrip,
            text,
            "some answers take very long: packets are lost, or the server is busy",
            "ping -i 0.2; check the server's load; --bwlimit auto leaves room for others",
        );
    }
    if found.over_network && median > LONG {
        let per_s = plan.lanes as f64 / (median * TRIPS_OF_A_FILE).as_secs_f64();
        return info(
            Code::RoundTrip,
            text,
            format!("with {} lanes at most about {per_s:.0} small files per second", plan.lanes),
            format!(
                "--lanes {} --walkers {}, if there are many small files",
                (plan.lanes * 4).min(128),
                plan.walkers * 4
            ),
        );
    }
    ok(Code::RoundTrip, text)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

impl Trips {
    /// The time that this share of the answers takes at most.
    fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.times.len() * percent).div_ceil(100);
        self.times.get(rank.checked_sub(1)?).copied()
    }
}

/// Judges whether the source can be read.
pub(crate) fn sample(found: &Sample, plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    if found.hangs {
        findings.push(problem(
            Code::NoAnswer,
            format!("reading a sample hangs: {}", found.first_error.as_deref().unwrap_or_default()),
            "a run would wait, too",
            "check the network and the server before anything else",
        ));
    } else if let Some(error) = &found.first_error {
        findings.push(problem(
            Code::SourceReadable,
            format!("a sample cannot be read: {error}"),
            "the run would report such files as failed",
            "check the disk and the server (dmesg)",
        ));
    }
    if let Some(denied) = &found.first_denied {
        let remedy = match plan.is_root {
            true => {
                "NFS: export to this machine with no_root_squash; or run as the user who owns the files; or let root \
                     read them (setfacl)"
            }
            false => "run as root, or as a user who may read all",
        };
        findings.push(problem(
            Code::SourceReadable,
            format!("{} of {} in a sample may not be read: {denied}", found.denied, found.denied + found.read),
            "these files would be missing at the destination, and the run ends with status 3",
            remedy,
        ));
    }
    if findings.is_empty() {
        findings.push(match found.entries {
            0 => warning(
                Code::SourceEmpty,
                "the source is empty",
                "a share that is not mounted looks like this; with --delete-extras everything would be extra",
                "findmnt; check the path",
            ),
            _ => ok(Code::SourceReadable, format!("all {} of a sample can be read", found.read)),
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    fn trips(times_ms: &[u64], over_network: bool) -> Trips {
        let times = times_ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
        Trips { times, trouble: None, over_network }
    }

    #[test]
    fn round_trips_are_judged_over_a_network() {
        let judge = |times: &[u64], over_network| {
            let found = round_trips(&trips(times, over_network), &Plan::of_test());
            (found.severity, found.found)
        };
        assert_eq!(judge(&[1, 1, 2], true), (Severity::Ok, "round trip 1.00 ms, 95 % within 2.00 ms".to_owned()));
        assert_eq!(judge(&[30; 20], true).0, Severity::Info);
        assert_eq!(judge(&[30; 20], false).0, Severity::Ok);
        let mut lossy = vec![1; 17];
        lossy.extend([200, 200, 200]);
        assert_eq!(judge(&lossy, true).0, Severity::Warning);
        let far = round_trips(&trips(&[50; 20], true), &Plan::of_test());
        assert!(far.reason.contains("40 small files") && far.remedy.contains("--lanes 64"), "{far:?}");
        let broken = Trips { trouble: Some("no answer".to_owned()), ..trips(&[1], true) };
        assert_eq!(round_trips(&broken, &Plan::of_test()).severity, Severity::Problem);
    }

    #[test]
    fn a_source_that_cannot_be_read_is_a_problem() {
        let root = Plan::of_test();
        let user = Plan { is_root: false, ..Plan::of_test() };
        let good = Sample { entries: 5, read: 3, ..Sample::default() };
        assert_eq!(sample(&good, &root)[0].severity, Severity::Ok);
        let squashed = Sample { denied: 1, first_denied: Some("open a: permission denied".to_owned()), ..good.clone() };
        let found = &sample(&squashed, &root)[0];
        assert!(found.severity == Severity::Problem && found.remedy.contains("no_root_squash"), "{found:?}");
        assert!(found.found.starts_with("1 of 4 in a sample"), "{found:?}");
        assert!(sample(&squashed, &user)[0].remedy.starts_with("run as root"));
        assert_eq!(sample(&Sample::default(), &root)[0].code, "source-empty");
        let hung = Sample { hangs: true, first_error: Some("no answer".to_owned()), ..good.clone() };
        assert_eq!(sample(&hung, &root).iter().map(|found| found.code).collect::<Vec<_>>(), ["no-answer"]);
        let broken = Sample { first_error: Some("open a: input/output error".to_owned()), ..good };
        assert_eq!(sample(&broken, &root)[0].severity, Severity::Problem);
    }
}
