//! Whether what comes has room at the destination.

use crate::doctor::model::{Coming, Space};
use crate::doctor::{Code, info, ok, problem, warning};
use crate::finding::Finding;
use crate::format;

/// Below this share of what comes, room is tight: file systems slow down when they are nearly full.
const TIGHT_PERCENT: u128 = 110;

/// Judges the room; `coming` is what the last scan left to be sent, if there is one.
pub(crate) fn room(space: &Space, coming: Option<&Coming>) -> Vec<Finding> {
    let mut findings = vec![bytes(space, coming)];
    findings.extend(files(space, coming));
    if let Some(option) = space.quota {
        findings.push(info(
            Code::Quota,
            format!("quotas are in force ({option})"),
            "the quota of this user, its groups or a project may end before the room does",
            "quota -v; repquota -a; xfs_quota -x -c report",
        ));
    }
    findings
}

fn bytes(space: &Space, coming: Option<&Coming>) -> Finding {
    const FULL: &str = "the run ends, or files fail, when the storage is full";
    let free = u128::from(space.free_bytes);
    let free_text = format!("{} of {} free", format::size(space.free_bytes), format::size(space.total_bytes));
    let Some(coming) = coming else {
        let unknown = "how much will come is unknown before a scan";
        return match space.free_bytes {
            0 => problem(Code::Room, free_text, FULL, "make room, or give another destination"),
            _ => info(Code::Room, free_text, unknown, "`towpath assess` reads the source and says how much it is"),
        };
    };
    let text = format!("{free_text}, {} will come", format::size(coming.bytes));
    match () {
        () if free < coming.bytes => problem(
            Code::Room,
            text,
            format!("{} are missing: {FULL}", format::size(coming.bytes - free)),
            "make room, or give another destination",
        ),
        () if free * 100 < coming.bytes * TIGHT_PERCENT => warning(
            Code::Room,
            text,
            "small files take more than their size, and file systems slow down when they are nearly full",
            "make room before the run",
        ),
        () => ok(Code::Room, text),
    }
}

fn files(space: &Space, coming: Option<&Coming>) -> Option<Finding> {
    let free = space.free_files?;
    let text = format!("{} more files can be created", format::number(free));
    let coming = coming.map(|coming| coming.files.saturating_add(coming.dirs));
    Some(match coming {
        _ if free == 0 => {
            problem(Code::Inodes, "no file can be created: no inodes", "nothing can be sent", "remove files")
        }
        None => ok(Code::Inodes, text),
        Some(coming) if free < coming => problem(
            Code::Inodes,
            format!("{text}, {} will come", format::number(coming)),
            "the file system has no inodes for them, whatever its free bytes",
            "use a file system with more inodes (mkfs.ext4 -i, mount -o nr_inodes), or XFS",
        ),
        Some(coming) => ok(Code::Inodes, format!("{text}, {} will come", format::number(coming))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    fn severities(
        free_bytes: u64,
        free_files: Option<u64>,
        coming: Option<(u64, u128)>,
    ) -> Vec<(&'static str, Severity)> {
        let space = Space { free_bytes, total_bytes: 1 << 40, free_files, quota: None };
        let coming = coming.map(|(files, bytes)| Coming { files, dirs: 0, bytes });
        let found = room(&space, coming.as_ref());
        found.into_iter().map(|finding| (finding.code, finding.severity)).collect()
    }

    #[test]
    fn room_is_compared_with_what_comes() {
        use Severity::{Info, Ok, Problem, Warning};
        assert_eq!(severities(1000, None, None), [("room", Info)]);
        assert_eq!(severities(0, None, None), [("room", Problem)]);
        assert_eq!(severities(1000, None, Some((1, 1001))), [("room", Problem)]);
        assert_eq!(severities(1000, None, Some((1, 950))), [("room", Warning)]);
        assert_eq!(severities(1000, None, Some((1, 900))), [("room", Ok)]);
        assert_eq!(severities(1000, Some(10), Some((10, 1))), [("room", Ok), ("inodes", Ok)]);
        assert_eq!(severities(1000, Some(9), Some((10, 1))), [("room", Ok), ("inodes", Problem)]);
        assert_eq!(severities(1000, Some(0), None), [("room", Info), ("inodes", Problem)]);
        assert_eq!(severities(u64::MAX, None, Some((1, u128::from(u64::MAX) * 2))), [("room", Problem)]);
    }

    #[test]
    fn quotas_are_named() {
        let space = Space { free_bytes: 9, total_bytes: 9, free_files: None, quota: Some("usrquota") };
        assert!(room(&space, None)[1].found.contains("usrquota"));
    }
}
