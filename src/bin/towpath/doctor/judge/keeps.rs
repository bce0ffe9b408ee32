//! What the destination keeps.

use towpath_backend::{Capabilities, NameRules};

use super::words::{list, step};
use crate::doctor::model::{LongestName, Probed};
use crate::doctor::{Code, Plan, info, ok, problem, warning};
use crate::finding::Finding;

/// Steps of the mtime up to this one lose nothing that a source has.
const FINE_NS: u64 = 100;
/// A flush that takes longer is worth a look.
const SLOW_FLUSH_MS: u128 = 2_000;
const SKEW_NS: u128 = 2_000_000_000;

/// Where nothing could be tested.
pub(crate) fn static_note(why: &str) -> Finding {
    info(
        Code::WriteProbe,
        format!("nothing was written: {why}"),
        "what the destination keeps is judged by the type of its file system alone",
        "",
    )
}

/// Judges a destination that does not exist.
pub(crate) fn missing(is_writable_above: bool) -> Finding {
    match is_writable_above {
        true => info(
            Code::DestMissing,
            "it does not exist: the run creates it",
            "this check creates nothing, so that what it keeps is not tested",
            "mkdir it and check again, for all tests",
        ),
        false => problem(
            Code::DestMissing,
            "it does not exist, and this user may not create it",
            "the directory above is not writable, or does not exist",
            "create it, and give it to the user who runs the migration",
        ),
    }
}

/// Judges what a storage keeps.
pub(crate) fn capabilities(found: &Capabilities, plan: &Plan) -> Vec<Finding> {
    let mut findings = vec![times(found)];
    findings.extend(names(&found.names));
    let keeps = |code, is_kept: bool, kept: &str, otherwise: Finding| if is_kept { ok(code, kept) } else { otherwise };
    if plan.copies_links {
        findings.push(keeps(
            Code::Symlinks,
            found.symlinks,
            "symbolic links are kept",
            warning(
                Code::Symlinks,
                "no symbolic links",
                "links of the source are reported, and skipped",
                "SMB: mount with mfsymlinks; or --links follow, which copies what they point to, or --links skip",
            ),
        ));
    }
    if plan.keeps_hard_links {
        findings.push(keeps(
            Code::HardLinks,
            found.hard_links,
            "hard links are kept",
            warning(
                Code::HardLinks,
                "no hard links",
                "each name becomes a file of its own: the destination needs more room than the source",
                "--hard-links copy says so on purpose",
            ),
        ));
    }
    findings.push(keeps(
        Code::Holes,
        found.holes,
        "holes of sparse files stay holes",
        warning(
            Code::Holes,
            "no holes",
            "sparse files take their whole size, and zeros are sent for their holes",
            "exclude images of virtual machines and the like, or provide the room",
        ),
    ));
    findings.push(match (found.renames, plan.is_atomic) {
        (true, _) => ok(Code::Renames, "a file can replace another in one step"),
        (false, true) => problem(
            Code::Renames,
            "a file cannot replace another in one step, and --write-mode atomic needs it",
            "each file would fail",
            "--write-mode inplace",
        ),
        (false, false) => {
            info(Code::Renames, "a file cannot replace another in one step", "--write-mode atomic cannot be used", "")
        }
    });
    findings
}

fn times(found: &Capabilities) -> Finding {
    if !found.sets_mtime {
        return warning(
            Code::TimePrecision,
            "mtimes cannot be set",
            "sizes alone tell whether a file is in sync, and what the database recorded",
            "keep the database: it knows which mtime each file had when it was sent",
        );
    }
    let kept = step(found.mtime_precision_ns);
    match found.mtime_precision_ns {
        0..=FINE_NS => ok(Code::TimePrecision, format!("mtimes are kept to {kept}")),
        _ => warning(
            Code::TimePrecision,
            format!("mtimes are kept to {kept} only"),
            "a change within this time that keeps the size is not noticed; files look newer or older to other programs",
            "nothing for Towpath, which compares accordingly; for rsync afterwards, --modify-window",
        ),
    }
}

fn names(rules: &NameRules) -> Vec<Finding> {
    const REPORTED: &str = "of such names only one is sent, and the others are reported, before anything is written";
    let mut findings = vec![match rules.folds_case {
        true => warning(Code::CaseFolding, "upper and lower case are the same", REPORTED, "rename them at the source"),
        false => ok(Code::CaseFolding, "upper and lower case differ"),
    }];
    findings.push(match rules.folds_unicode {
        true => warning(
            Code::UnicodeFolding,
            "accents that are composed in different ways are the same (Unicode normalization)",
            REPORTED,
            "rename them at the source",
        ),
        false => ok(Code::UnicodeFolding, "names are not normalized"),
    });
    let mut refused: Vec<String> = Vec::new();
    let bytes: String = (1..128u8).filter(|byte| rules.rejected.contains(*byte)).map(char::from).collect();
    let visible: Vec<String> = bytes.chars().filter(|c| !c.is_control()).map(String::from).collect();
    match &visible[..] {
        [] => {}
        [one] => refused.push(format!("with {one}")),
        _ => refused.push(format!("with any of {}", visible.join(" "))),
    }
    if bytes.chars().any(char::is_control) {
        refused.push("with control characters".to_owned());
    }
    for (is_so, what) in [
        (rules.trims_end, "with a dot or a space at the end"),
        (rules.rejects_outer_space, "with white space at the beginning or the end"),
        (rules.utf8_only, "that are not UTF-8"),
    ] {
        refused.extend(is_so.then(|| what.to_owned()));
    }
    findings.push(match refused.is_empty() {
        true => ok(Code::NameCharacters, "names may have any bytes"),
        false => warning(
            Code::NameCharacters,
            format!("not accepted: names {}", list(&refused)),
            "files and directories with such names are reported, and not sent",
            "rename them at the source; over SMB, mount with mapposix, the default",
        ),
    });
    findings
}

/// Judges what the probe found.
pub(crate) fn probed(found: &Probed, plan: &Plan) -> Vec<Finding> {
    let mut findings = vec![steps(found)];
    if let Some(left) = &found.left {
        findings.push(warning(
            Code::ProbeLeft,
            format!("a probe could not be removed: {left}"),
            "it is hidden, and has no content of yours",
            "the scan of the next run removes it",
        ));
    }
    if found.removed_leftovers > 0 {
        findings.push(info(
            Code::ProbeLeft,
            format!(
                "{} left by a check that was killed: removed",
                crate::format::count(found.removed_leftovers, "probe")
            ),
            "",
            "",
        ));
    }
    findings.extend(found.skew.map(|skew| {
        let (off, side) = (skew.ns.unsigned_abs(), if skew.ns > 0 { "ahead of" } else { "behind" });
        let seconds = format!("{:.1} s", off as f64 / 1e9);
        match off > SKEW_NS + u128::from(skew.uncertainty_ns) {
            true => warning(
                Code::ClockSkew,
                format!("the destination's clock is {seconds} {side} this machine's"),
                "times of directories and logs do not match; Kerberos fails from 5 minutes on; a file that was just \
                 written may look as if it were from the future",
                "synchronize both clocks (timedatectl, chronyc tracking)",
            ),
            false => ok(Code::ClockSkew, "the destination's clock agrees with this machine's"),
        }
    }));
    findings.extend(found.lost_years.as_ref().map(|lost| match lost.is_empty() {
        true => ok(Code::TimeRange, "mtimes from 1960 to 2108 are kept"),
        false => {
            let years: Vec<String> = lost.iter().map(ToString::to_string).collect();
            warning(
                Code::TimeRange,
                format!("mtimes of {} are not kept", list(&years)),
                "files with such times get the nearest one that is possible, which each run compares with",
                "XFS: mkfs with bigtime=1; ext4: mkfs with inodes of 256 bytes; NFS: vers=4.2",
            )
        }
    }));
    findings.extend(found.longest_name.map(longest_name));
    let attributes = [
        (
            Code::Permissions,
            "--perms",
            "permissions",
            &found.permissions,
            "leave out --perms, or use a mount that keeps them",
        ),
        (
            Code::Owner,
            "--owner",
            "owners",
            &found.owner,
            "run as root; NFS: export with no_root_squash; or leave out --owner",
        ),
        (
            Code::Xattrs,
            "--xattrs",
            "extended attributes",
            &found.xattrs,
            "NFS: vers=4.2; ext4: user_xattr; or leave out --xattrs",
        ),
    ];
    for (code, option, what, result, remedy) in attributes {
        findings.extend(result.as_ref().map(|result| match result {
            Ok(()) => ok(code, format!("{what} are kept")),
            Err(why) => problem(
                code,
                format!("{what} are not kept: {why}"),
                format!("{option} is given, and each file would be reported as refused"),
                remedy,
            ),
        }));
    }
    findings.extend(not_asked_for(plan));
    findings
}

/// Attributes that the planned run leaves behind.
fn not_asked_for(plan: &Plan) -> Vec<Finding> {
    let attributes = [
        (plan.keeps_permissions, Code::Permissions, "permissions", "--perms"),
        (plan.keeps_owner, Code::Owner, "owners", "--owner"),
        (plan.keeps_xattrs, Code::Xattrs, "extended attributes and ACLs", "--xattrs"),
    ];
    let missing = attributes.into_iter().filter(|(is_kept, ..)| !is_kept);
    missing.map(|(_, code, what, option)| info(code, format!("{what} are not copied"), "", option)).collect()
}

fn steps(found: &Probed) -> Finding {
    if let Some((step, error)) = &found.failed {
        let code = if found.hangs { Code::NoAnswer } else { Code::WriteProbe };
        return problem(
            code,
            format!("a probe could not be written ({step}): {error}"),
            "a run could write nothing, either",
            "check the permissions, the export of the server, and whether the storage is full",
        );
    }
    let times: Vec<String> =
        found.steps.iter().map(|(step, time)| format!("{step} {:.1} ms", time.as_secs_f64() * 1e3)).collect();
    let text = format!("a probe was written and removed: {}", times.join(", "));
    match found.steps.iter().any(|(step, time)| *step == "flush" && time.as_millis() > SLOW_FLUSH_MS) {
        true => warning(
            Code::WriteProbe,
            text,
            "each commit waits for such a flush: up to once a second",
            "see what else writes to this storage; NFS: mount with write=eager",
        ),
        false => ok(Code::WriteProbe, text),
    }
}

fn longest_name(longest: LongestName) -> Finding {
    match longest {
        LongestName { letters: 255.., counts_letters: true } => ok(Code::NameLength, "names may have 255 characters"),
        LongestName { letters: 255.., .. } => ok(Code::NameLength, "names may have 255 bytes"),
        LongestName { letters, .. } => warning(
            Code::NameLength,
            format!("names may have {letters} bytes only"),
            "files with longer names fail; most file systems allow 255",
            "rename them at the source (`towpath assess` lists them)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use towpath_backend::ByteSet;

    use super::*;
    use crate::doctor::model::Skew;
    use crate::finding::Severity;

    fn bad(findings: &[Finding]) -> Vec<(&'static str, Severity)> {
        let bad = findings.iter().filter(|finding| finding.severity != Severity::Ok);
        bad.map(|finding| (finding.code, finding.severity)).collect()
    }

    const GOOD: Capabilities =
        Capabilities { symlinks: true, hard_links: true, renames: true, holes: true, ..Capabilities::PLAIN };

    #[test]
    fn what_is_not_kept_is_found() {
        use Severity::{Info, Problem, Warning};
        let plan = Plan::of_test();
        assert_eq!(bad(&capabilities(&GOOD, &plan)), []);
        for (found, expected) in [
            (Capabilities { mtime_precision_ns: 2_000_000_000, ..GOOD }, ("time-precision", Warning)),
            (Capabilities { sets_mtime: false, ..GOOD }, ("time-precision", Warning)),
            (Capabilities { symlinks: false, ..GOOD }, ("symlinks", Warning)),
            (Capabilities { hard_links: false, ..GOOD }, ("hard-links", Warning)),
            (Capabilities { holes: false, ..GOOD }, ("holes", Warning)),
            (Capabilities { renames: false, ..GOOD }, ("renames", Info)),
        ] {
            assert_eq!(bad(&capabilities(&found, &plan)), [expected]);
        }
        let atomic = Plan { is_atomic: true, ..Plan::of_test() };
        assert_eq!(bad(&capabilities(&Capabilities { renames: false, ..GOOD }, &atomic)), [("renames", Problem)]);
        let neither = Plan { copies_links: false, keeps_hard_links: false, ..Plan::of_test() };
        let plain = Capabilities { symlinks: false, hard_links: false, ..GOOD };
        assert_eq!(bad(&capabilities(&plain, &neither)), [], "not needed");
    }

    #[test]
    fn rules_for_names_are_in_words() {
        let windows =
            NameRules { folds_case: true, trims_end: true, rejected: ByteSet::of(b":*\x01"), ..NameRules::BYTES };
        let found = names(&windows);
        assert_eq!(bad(&found), [("case-folding", Severity::Warning), ("name-characters", Severity::Warning)]);
        assert_eq!(
            found[2].found,
            "not accepted: names with any of * :, with control characters and with a dot or a space at the end"
        );
        let hfs = NameRules { folds_unicode: true, utf8_only: true, ..NameRules::BYTES };
        assert_eq!(bad(&names(&hfs)), [("unicode-folding", Severity::Warning), ("name-characters", Severity::Warning)]);
    }

    #[test]
    fn what_the_probe_found_is_judged() {
        use Severity::{Info, Problem, Warning};
        let all = Plan { keeps_permissions: true, keeps_owner: true, keeps_xattrs: true, ..Plan::of_test() };
        let skew = |ns| Some(Skew { ns, uncertainty_ns: 1_000_000 });
        for (found, expected) in [
            (Probed::default(), &[][..]),
            (
                Probed { failed: Some(("write", "no space".to_owned())), ..Probed::default() },
                &[("write-probe", Problem)],
            ),
            (
                Probed { failed: Some(("flush", "no answer".to_owned())), hangs: true, ..Probed::default() },
                &[("no-answer", Problem)],
            ),
            (
                Probed { steps: vec![("flush", Duration::from_secs(5))], ..Probed::default() },
                &[("write-probe", Warning)],
            ),
            (Probed { skew: skew(1_900_000_000), ..Probed::default() }, &[]),
            (Probed { skew: skew(-60_000_000_000), ..Probed::default() }, &[("clock-skew", Warning)]),
            (Probed { lost_years: Some(vec!["1960", "2108"]), ..Probed::default() }, &[("time-range", Warning)]),
            (Probed { lost_years: Some(vec![]), ..Probed::default() }, &[]),
            (
                Probed { longest_name: Some(LongestName { letters: 143, counts_letters: false }), ..Probed::default() },
                &[("name-length", Warning)],
            ),
            (Probed { owner: Some(Err("not permitted".to_owned())), ..Probed::default() }, &[("owner", Problem)]),
            (Probed { left: Some("x".to_owned()), ..Probed::default() }, &[("probe-left", Warning)]),
            (Probed { removed_leftovers: 2, ..Probed::default() }, &[("probe-left", Info)]),
        ] {
            assert_eq!(bad(&probed(&found, &all)), expected, "{found:?}");
        }
        let infos = bad(&probed(&Probed::default(), &Plan::of_test()));
        assert_eq!(infos, [("permissions", Info), ("owner", Info), ("xattrs", Info)]);
    }
}
