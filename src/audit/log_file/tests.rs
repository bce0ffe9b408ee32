use super::*;
use crate::audit::Rotation;

const BEFORE: &[u8] = b"{\"old\":1}\n";
const LINES: &[u8] = b"{\"a\":1}\n{\"b\":2}\n";

/// A log with `content`, completed with [`LINES`] after [`BEFORE`].
fn completed(content: &[u8]) -> (Vec<u8>, Vec<Warning>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, content).unwrap();
    let mut log = AuditLog::open(&path).unwrap();
    log.complete(BEFORE.len() as u64, LINES).unwrap();
    log.end_line().unwrap();
    (std::fs::read(&path).unwrap(), log.take_warnings())
}

fn batch(length: u64, lines: &[u8]) -> Batch {
    Batch { length, lines: lines.to_vec(), rotation: None }
}

#[test]
fn lines_truncated_at_any_byte_are_completed_once() {
    for cut in 0..=LINES.len() {
        let (log, warnings) = completed(&[BEFORE, &LINES[..cut]].concat());
        assert_eq!(log, [BEFORE, LINES].concat(), "cut at {cut}");
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

#[test]
fn zeros_in_place_of_the_lines_are_replaced() {
    for from in 0..LINES.len() {
        for to in from + 1..=LINES.len() {
            let mut torn = LINES.to_vec();
            torn[from..to].fill(0);
            for cut in to..=LINES.len() {
                let (log, warnings) = completed(&[BEFORE, &torn[..cut]].concat());
                assert_eq!(log, [BEFORE, LINES].concat(), "zeros from {from} to {to}, cut at {cut}");
                assert_eq!(warnings.len(), 1);
            }
        }
    }
}

#[test]
fn a_replaced_log_gets_all_lines_and_keeps_its_own() {
    for other in ["", "short\n", "a longer one than that\n", "much longer\nthan\nall that was\never expected\n"] {
        let (log, _) = completed(other.as_bytes());
        assert_eq!(log, [other.as_bytes(), LINES].concat(), "{other}");
    }
}

#[test]
fn lines_of_others_between_ours_stay_and_ours_appear_once() {
    for (there, expected) in [
        ("{\"x\":1}\n", "{\"x\":1}\n{\"a\":1}\n{\"b\":2}\n"),
        ("{\"a\":1}\n{\"x\":1}\n", "{\"a\":1}\n{\"x\":1}\n{\"b\":2}\n"),
        ("{\"a\":1}\n{\"b\":2}\n{\"x\":1}\n", "{\"a\":1}\n{\"b\":2}\n{\"x\":1}\n"),
        ("# a remark\n{\"b\"", "# a remark\n{\"b\"\n{\"a\":1}\n{\"b\":2}\n"),
    ] {
        let (log, _) = completed(&[BEFORE, there.as_bytes()].concat());
        assert_eq!(String::from_utf8(log).unwrap(), format!("{{\"old\":1}}\n{expected}"), "{there}");
    }
}

#[test]
fn no_line_is_appended_to_an_incomplete_one() {
    let (log, warnings) = completed(b"{\"ol");
    assert_eq!(log, [b"{\"ol\n", LINES].concat());
    assert!(warnings[0].to_string().contains("is incomplete"), "{warnings:?}");
}

#[test]
fn a_rotated_log_is_created_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
    let mut log = AuditLog::open(&path).unwrap();
    for (line, rotate) in [("1\n", None), ("2\n", Some(&moved)), ("3\n", None), ("4\n", None)] {
        let length = log.complete_and_sync().unwrap();
        log.append(batch(length, line.as_bytes())).unwrap();
        match rotate {
            Some(to) => std::fs::rename(&path, to).unwrap(),
            None if line == "3\n" => std::fs::remove_file(&path).unwrap(),
            None => {}
        }
    }
    assert_eq!(std::fs::read_to_string(moved).unwrap(), "1\n2\n");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "4\n");
}

#[test]
fn lines_are_written_to_the_new_log_if_the_old_one_was_just_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
    std::fs::write(&path, BEFORE).unwrap();
    let mut log = AuditLog::open(&path).unwrap();
    let length = log.complete_and_sync().unwrap();
    std::fs::rename(&path, &moved).unwrap();
    log.append(batch(length, LINES)).unwrap();
    assert_eq!(std::fs::read(moved).unwrap(), BEFORE);
    assert_eq!(std::fs::read(&path).unwrap(), LINES);
    // Cut off here, the next run finds them, although the log is shorter than it was.
    let mut log = AuditLog::open(&path).unwrap();
    log.complete(1000, LINES).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), LINES);
}

/// What the steps of a rotation leave behind, in their order, each of them whole or torn.
#[derive(Clone, Copy, Debug)]
enum Step {
    Nothing,
    Renamed,
    Closing(usize),
    NewLog,
    Lines(usize),
    /// Renaming failed: all is in one file.
    InOneFile(usize),
}

const CLOSING: &[u8] = b"{\"closed\":1}\n";

/// A rotation that ended after `step`, with zeros in place of the last bytes that were written; returns the closed log
/// and the log after it was completed, `times` times.
fn completed_rotation(step: Step, zeros: usize, times: usize) -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (path, closed) = (folder.path().join("log"), folder.path().join("log.1"));
    let torn = |text: &[u8], length: usize| {
        let mut text = text[..length].to_vec();
        let zeros = zeros.min(length);
        text[length - zeros..].fill(0);
        text
    };
    let write = |path: &Path, parts: &[&[u8]]| std::fs::write(path, parts.concat()).unwrap();
    match step {
        Step::Nothing => write(&path, &[BEFORE]),
        Step::Renamed => write(&closed, &[BEFORE]),
        Step::Closing(length) => write(&closed, &[BEFORE, &torn(CLOSING, length)]),
        Step::NewLog => {
            write(&closed, &[BEFORE, CLOSING]);
            write(&path, &[]);
        }
        Step::Lines(length) => {
            write(&closed, &[BEFORE, CLOSING]);
            write(&path, &[&torn(LINES, length)]);
        }
        Step::InOneFile(length) => write(&path, &[BEFORE, &torn(&[CLOSING, LINES].concat(), length)]),
    }
    let rotation = Rotation { closed: "log.1".into(), closing: CLOSING.to_vec() };
    let batch = Batch { length: BEFORE.len() as u64, lines: LINES.to_vec(), rotation: Some(rotation) };
    for _ in 0..times {
        let mut log = AuditLog::open(&path).unwrap();
        log.complete_batch(&batch).unwrap();
        log.end_line().unwrap();
    }
    (std::fs::read(&closed).unwrap_or_default(), std::fs::read(&path).unwrap())
}

#[test]
fn a_rotation_that_ended_at_any_step_is_completed_once() {
    let torn = |step: fn(usize) -> Step, length: usize| (0..=length).map(step).collect::<Vec<_>>();
    let all = LINES.len() + CLOSING.len();
    let steps = [
        vec![Step::Nothing, Step::Renamed, Step::NewLog],
        torn(Step::Closing, CLOSING.len()),
        torn(Step::Lines, LINES.len()),
        torn(Step::InOneFile, all),
    ];
    for step in steps.concat() {
        for zeros in [0, 1, 9, LINES.len()] {
            for times in 1..=2 {
                let (closed, log) = completed_rotation(step, zeros, times);
                let context = format!("{step:?}, {zeros} zeros, completed {times} times");
                if matches!(step, Step::InOneFile(1..)) {
                    assert_eq!((closed, log), (vec![], [BEFORE, CLOSING, LINES].concat()), "{context}");
                } else {
                    assert_eq!((closed, log), ([BEFORE, CLOSING].concat(), LINES.to_vec()), "{context}");
                }
            }
        }
    }
}

#[test]
fn a_log_that_cannot_be_renamed_goes_on_in_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, closed) = (folder.path().join("log"), folder.path().join("log.1"));
    std::fs::write(&path, BEFORE).unwrap();
    let mut log = AuditLog::open(&path).unwrap();
    let length = log.complete_and_sync().unwrap();
    // Someone took the name after it was chosen.
    std::fs::write(&closed, "of others").unwrap();
    let rotation = Rotation { closed: "log.1".into(), closing: CLOSING.to_vec() };
    let batch = Batch { length, lines: LINES.to_vec(), rotation: Some(rotation) };
    log.append(batch).unwrap();
    assert_eq!(std::fs::read(&closed).unwrap(), b"of others");
    assert_eq!(std::fs::read(&path).unwrap(), [BEFORE, CLOSING, LINES].concat());
    assert!(!log.can_rotate());
    assert!(log.take_warnings()[0].to_string().contains("cannot be rotated (File exists"));
}
