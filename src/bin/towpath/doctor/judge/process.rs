//! The limits of the process, the kernel and the session.

use crate::doctor::model::ProcessFacts;
use crate::doctor::{Code, Plan, info, ok, problem, warning};
use crate::finding::Finding;
use crate::format;

/// Open at a time beside those of lanes and walkers: the database, its log, the roots, sockets, standard streams.
const BASE_FILES: u64 = 64;
/// A lane has a file open on each side, and their directories; a walker has the directory that it lists.
const FILES_OF_A_LANE: u64 = 4;
const FILES_OF_A_WALKER: u64 = 4;
/// Beside the blocks: the program, the cache of SQLite, pages of listings.
const BASE_BYTES: u64 = 200 << 20;

/// Judges the process.
pub(crate) fn process(found: &ProcessFacts, plan: &Plan) -> Vec<Finding> {
    let mut findings = vec![open_files(found, plan)];
    findings.extend(memory(found, plan));
    findings.push(match found.has_openat2 {
        true => ok(Code::Kernel, format!("Linux {}", found.kernel)),
        false => warning(
            Code::Kernel,
            format!("Linux {} without openat2", found.kernel),
            "paths are resolved name by name, which costs requests; an old container runtime may forbid the call",
            "Linux 5.6 or later; update the container runtime (its seccomp profile)",
        ),
    });
    if found.is_in_session && !found.is_kept {
        findings.push(info(
            Code::Session,
            "this process belongs to a login session",
            "a run of weeks would end when you log out or the connection breaks; the same command resumes it",
            "tmux or screen; or the unit towpath@JOB.service (docs/unattended.md)",
        ));
    }
    findings
}

fn open_files(found: &ProcessFacts, plan: &Plan) -> Finding {
    let needed = BASE_FILES + plan.lanes * FILES_OF_A_LANE + plan.walkers * FILES_OF_A_WALKER;
    match found.open_files {
        Some(limit) if limit < needed => problem(
            Code::OpenFiles,
            format!(
                "at most {limit} open files, {needed} are needed for {} lanes and {} walkers",
                plan.lanes, plan.walkers
            ),
            "files fail with \"too many open files\"",
            match found.open_files_at_most.is_none_or(|most| most >= needed) {
                true => format!("ulimit -n {needed}; in a unit, LimitNOFILE={needed}"),
                false => format!("LimitNOFILE={needed} in the unit, or /etc/security/limits.conf; or fewer --lanes"),
            },
        ),
        Some(limit) => ok(Code::OpenFiles, format!("{} files may be open, {needed} are needed", format::number(limit))),
        None => ok(Code::OpenFiles, "any number of files may be open"),
    }
}

fn memory(found: &ProcessFacts, plan: &Plan) -> Option<Finding> {
    let needed = plan.buffer_bytes.saturating_add(BASE_BYTES);
    let text = |limit| format!("about {} are needed, {}", format::size(needed), limit);
    let remedy = "lower --queue-capacity or --block-size; or raise the limit (MemoryMax= of the unit)";
    if let Some(limit) = found.cgroup_bytes.filter(|limit| *limit < needed) {
        let limit = format!("the control group allows {}", format::size(limit));
        return Some(problem(Code::ProcessMemory, text(limit), "the kernel would kill the run", remedy));
    }
    let available = found.available_bytes?;
    let there = format!("{} are available", format::size(available));
    Some(match available < needed {
        true => warning(Code::ProcessMemory, text(there), "the machine would swap, or the kernel kill the run", remedy),
        false => ok(Code::ProcessMemory, text(there)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    fn facts() -> ProcessFacts {
        ProcessFacts {
            open_files: Some(1024),
            open_files_at_most: Some(1 << 20),
            cgroup_bytes: None,
            available_bytes: Some(8 << 30),
            kernel: "6.1.0".to_owned(),
            has_openat2: true,
            is_in_session: false,
            is_kept: false,
        }
    }

    fn bad(found: &ProcessFacts, plan: &Plan) -> Vec<(&'static str, Severity)> {
        let found = process(found, plan);
        let bad = found.iter().filter(|finding| finding.severity != Severity::Ok);
        bad.map(|finding| (finding.code, finding.severity)).collect()
    }

    #[test]
    fn limits_are_compared_with_what_the_options_need() {
        use Severity::{Info, Problem, Warning};
        let plan = Plan::of_test();
        assert_eq!(bad(&facts(), &plan), []);
        let many = Plan { lanes: 512, ..Plan::of_test() };
        assert_eq!(bad(&facts(), &many), [("open-files", Problem)]);
        assert_eq!(bad(&ProcessFacts { open_files: None, ..facts() }, &many), []);
        let large = Plan { buffer_bytes: 16 << 30, ..Plan::of_test() };
        assert_eq!(bad(&facts(), &large), [("process-memory", Warning)]);
        assert_eq!(
            bad(&ProcessFacts { cgroup_bytes: Some(256 << 20), ..facts() }, &plan),
            [("process-memory", Problem)]
        );
        assert_eq!(bad(&ProcessFacts { cgroup_bytes: Some(1 << 30), ..facts() }, &plan), []);
        assert_eq!(bad(&ProcessFacts { has_openat2: false, ..facts() }, &plan), [("kernel", Warning)]);
        assert_eq!(bad(&ProcessFacts { is_in_session: true, ..facts() }, &plan), [("session", Info)]);
        assert_eq!(bad(&ProcessFacts { is_in_session: true, is_kept: true, ..facts() }, &plan), []);
    }

    #[test]
    fn the_remedy_for_open_files_depends_on_the_hard_limit() {
        let many = Plan { lanes: 512, ..Plan::of_test() };
        assert!(process(&facts(), &many)[0].remedy.starts_with("ulimit -n 2144"));
        let hard = ProcessFacts { open_files_at_most: Some(1024), ..facts() };
        assert!(process(&hard, &many)[0].remedy.starts_with("LimitNOFILE"));
    }
}
