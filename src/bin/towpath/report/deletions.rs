//! What was deleted from the destination: counted by the database, listed by the audit logs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use towpath::RecordedRun;

use super::model::{Deleted, Deletions, Log};

/// What the lines of deletions contain, as the log writes it.
const STATUS: &[u8] = br#""status":"deleted""#;
/// A longer line is none of the log.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// The deletions of all runs, at most `most` of them listed.
pub(super) fn of_runs(runs: &[RecordedRun], most: usize) -> Deletions {
    let sum = |of: fn(&RecordedRun) -> Option<u64>| runs.iter().filter_map(of).sum();
    let (files, directories) = (sum(|run| run.deleted_files), sum(|run| run.deleted_dirs));
    let mut deletions = Deletions { files, directories, ..Deletions::default() };
    if files + directories == 0 {
        return deletions;
    }
    let deleting = runs.iter().filter(|run| run.deleted_files.unwrap_or(0) + run.deleted_dirs.unwrap_or(0) > 0);
    let logs: BTreeSet<&PathBuf> = deleting.filter_map(|run| run.log.as_ref()).collect();
    for log in logs {
        let numbered = numbered(log);
        let is_missing = !log.exists() && numbered.is_empty();
        for path in numbered.into_iter().chain([log.clone()]) {
            if path != *log || path.exists() || is_missing {
                let problem = read(&path, most, &mut deletions).err().map(|error| error.to_string());
                deletions.logs.push(Log { path: path.as_os_str().as_bytes().into(), problem });
            }
        }
    }
    deletions.listed.sort_by(|a, b| a.time.cmp(&b.time));
    deletions
}

/// The logs that a log was rotated into: its name, with a number.
fn numbered(log: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name()) else { return Vec::new() };
    let prefix = [name.as_bytes(), b"."].concat();
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let number = |name: OsString| {
        let digits = name.as_bytes().strip_prefix(&prefix[..])?.to_vec();
        let digits = String::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<u64>().ok()
    };
    let mut found: Vec<_> = entries.filter_map(|entry| number(entry.ok()?.file_name())).collect();
    found.sort_unstable();
    let path = |number: u64| {
        let mut name = prefix.clone();
        name.extend(number.to_string().bytes());
        folder.join(OsString::from_vec(name))
    };
    found.into_iter().map(path).filter(|path| path.exists()).collect()
}

/// Adds the deletions of a log.
fn read(log: &Path, most: usize, deletions: &mut Deletions) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(log)?);
    let mut line = Vec::new();
    while io::Read::take(&mut reader, MAX_LINE_BYTES).read_until(b'\n', &mut line)? > 0 {
        if line.windows(STATUS.len()).any(|window| window == STATUS)
            && let Ok(fields) = serde_json::from_slice::<Value>(&line)
            && fields["status"] == "deleted"
        {
            deletions.logged += 1;
            if deletions.listed.len() < most {
                deletions.listed.push(deleted(&fields));
            }
        }
        line.clear();
    }
    Ok(())
}

fn deleted(line: &Value) -> Deleted {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let raw = hex::decode(text("dest_bytes")).ok().filter(|bytes| !bytes.is_empty());
    let raw = raw.unwrap_or_else(|| text("dest").as_bytes().to_vec());
    Deleted { time: text("time").to_owned(), path: raw[..].into(), bytes: line["size"].as_u64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_logs_are_found_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.jsonl");
        for name in
            ["audit.jsonl", "audit.jsonl.10", "audit.jsonl.2", "audit.jsonl.old", "audit.jsonl.", "other.jsonl.1"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<_> = numbered(&log).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["audit.jsonl.2", "audit.jsonl.10"]);
    }

    #[test]
    fn lines_of_other_files_with_that_text_are_no_deletions() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let lines = concat!(
            r#"{"time":"2026-11-28T10:00:00Z","status":"synced","dest":"/new/\"status\":\"deleted\""}"#,
            "\n",
            r#"{"time":"2026-11-28T10:00:01Z","status":"deleted","dest":"/new/a","size":5}"#,
            "\n",
            r#"{"time":"2026-11-28T10:00:02Z","status":"deleted","dest":"/new/\ufffd","dest_bytes":"2f6e65772fff"}"#,
            "\n",
            "torn",
        );
        fs::write(&log, lines).unwrap();
        let mut deletions = Deletions::default();
        read(&log, 1, &mut deletions).unwrap();
        assert_eq!((deletions.logged, deletions.listed.len(), deletions.listed[0].bytes), (2, 1, Some(5)));
        read(&log, 10, &mut deletions).unwrap();
        assert_eq!(deletions.listed.last().unwrap().path.raw, b"/new/\xff");
    }
}
