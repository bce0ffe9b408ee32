//! The frame as text.

use super::super::fixture::{estimate, scan, snapshot, time, view, view_of};
use super::super::row::Style;
use super::*;
use crate::status::model::{Errors, Side, Stalled};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use towpath::CurrentFile;
use towpath_backend::RelPath;

const PLAIN: Style = Style { has_color: false, is_utf8: true };

fn shown(view: &View, columns: usize, rows: usize) -> String {
    let (now, size) = (time().to_zoned_datetime(TimeZone::UTC), Size { columns: columns - 1, rows });
    let painter = Painter::new(true);
    let frame = self::rows(view, &now, &painter, size);
    let rows: Vec<_> = frame.iter().map(|row| format!("|{}", row.rendered(columns - 1, PLAIN))).collect();
    rows.join("\n")
}

fn with_problems() -> View {
    let mut view = view();
    let errors = |kind: &str, side, count| Errors {
        kind: kind.to_owned(),
        side,
        count,
        path: "/old/a".to_owned(),
        path_bytes: None,
        error: String::new(),
    };
    view.status.errors = vec![errors("permission-denied", Some(Side::Source), 1_200), errors("changed", None, 1)];
    view.status.stalled = Some(Stalled {
        side: Some(Side::Dest),
        operation: Some("write".to_owned()),
        path: Some("a/\u{1b}[2J".to_owned()),
        since: time() - SignedDuration::from_secs(95),
    });
    view
}

#[test]
fn a_transfer_at_three_widths() {
    insta::assert_snapshot!(shown(&view(), 60, 40), @r"
    |transferring 2:13:20  ██████▌░░░░░░░░░░░░░░░░░░░ 25.0 %
    |  50.0 TiB of 200.0 TiB   234,567 of 1,234,567 files
    |  this run 4.9 GiB in 17 files   2 files failed
    |  20.0 MiB/s now   18.0 MiB/s mean   limit none
    |  done in 2d02h..2d12h   at Mon 14:00..Tue 00:00
    |    0 %    9.0 MiB/s   54.0 s  projects/film 0\n/take.mov
    |   12 %    9.0 MiB/s   54.0 s  projects/film 1\n/take.mov
    |   25 %    9.0 MiB/s   54.0 s  projects/film 2\n/take.mov
    |   37 %    9.0 MiB/s   54.0 s  projects/film 3\n/take.mov
    |   50 %    9.0 MiB/s   54.0 s  projects/film 4\n/take.mov
    |   62 %    9.0 MiB/s   54.0 s  projects/film 5\n/take.mov
    ");
    insta::assert_snapshot!(shown(&with_problems(), 100, 14), @r"
    |transferring 2:13:20  ███████████████▌░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 25.0 %
    |  50.0 TiB of 200.0 TiB   234,567 of 1,234,567 files   this run 4.9 GiB in 17 files
    |  2 files failed
    |  20.0 MiB/s now   18.0 MiB/s mean   limit none
    |  done in 2d02h..2d12h   at Mon 14:00..Tue 00:00
    |  1,201 errors: 1,200 permission-denied (source), 1 changed
    |  stalled for 01:35: the destination: write, a/\u{1b}[2J
    |    0 % ░░░░░░░░░░    1.0 GiB    9.0 MiB/s      54.0 s  projects/film 0\n/take.mov
    |   12 % █▌░░░░░░░░    1.0 GiB    9.0 MiB/s      54.0 s  projects/film 1\n/take.mov
    |   25 % ██▌░░░░░░░    1.0 GiB    9.0 MiB/s      54.0 s  projects/film 2\n/take.mov
    |   37 % ███▌░░░░░░    1.0 GiB    9.0 MiB/s      54.0 s  projects/film 3\n/take.mov
    |  2 more in flight
    ");
    insta::assert_snapshot!(shown(&view(), 200, 40), @r"
    |transferring 2:13:20  ███████████████▌░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 25.0 %
    |  50.0 TiB of 200.0 TiB   234,567 of 1,234,567 files   this run 4.9 GiB in 17 files   2 files failed
    |  20.0 MiB/s now   18.0 MiB/s mean   limit none
    |  done in 2d02h..2d12h   at Mon 14:00..Tue 00:00
    |    0 % ░░░░░░░░░░░░░░░░░░░░    1.0 GiB    9.0 MiB/s      54.0 s  projects/film 0\n/take.mov
    |   12 % ██▌░░░░░░░░░░░░░░░░░    1.0 GiB    9.0 MiB/s      54.0 s  projects/film 1\n/take.mov
    |   25 % █████▌░░░░░░░░░░░░░░    1.0 GiB    9.0 MiB/s      54.0 s  projects/film 2\n/take.mov
    |   37 % ███████▌░░░░░░░░░░░░    1.0 GiB    9.0 MiB/s      54.0 s  projects/film 3\n/take.mov
    |   50 % ██████████▌░░░░░░░░░    1.0 GiB    9.0 MiB/s      54.0 s  projects/film 4\n/take.mov
    |   62 % ████████████▌░░░░░░░    1.0 GiB    9.0 MiB/s      54.0 s  projects/film 5\n/take.mov
    ");
}

#[test]
fn a_rescan_has_a_bar_and_an_end() {
    let mut view = view();
    view.snapshot.phase = Phase::Scanning;
    view.status.state = State::Scanning;
    view.status.scan = Some(scan());
    insta::assert_snapshot!(shown(&view, 100, 24), @"
    |scanning 2:13:20  ███████████████████████████▌░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 45.7 %
    |  source 1,234,567 files, 4,000 directories, 200.0 TiB, 12,345 entries/s
    |  destination 10 files, 2 directories, 5.0 GiB, 1 entry/s
    |  pending so far 1,000,000 files, 150.0 TiB
    |  45.7 % of the last scan, complete in 01:30
    ");
    view.status.scan = None;
    assert!(!shown(&view, 100, 24).contains('%'), "a first scan has no end");
}

#[test]
fn a_pause_says_who_asked_for_it() {
    let mut view = view();
    (view.status.state, view.status.reason) = (State::Paused, Some("by user alice (uid 1000)".to_owned()));
    assert!(shown(&view, 100, 24).starts_with("|paused by user alice (uid 1000) 2:13:20  "));
}

#[test]
fn files_beyond_the_screen_are_a_count() {
    let mut snapshot = snapshot();
    snapshot.current = (0..500).map(|n| CurrentFile::new(RelPath::new(format!("{n}")).unwrap(), 1)).collect();
    let view = view_of(snapshot, estimate());
    for rows in 2..40 {
        let shown = shown(&view, 100, rows);
        let files = shown.lines().filter(|line| line.contains("9.0 MiB/s")).count();
        assert!(shown.contains(&format!("  {} more in flight", 500 - files)), "{shown}");
        assert!(files <= MAX_FILES && (rows < 9 || shown.lines().count() < rows), "{rows}: {shown}");
    }
}

#[test]
fn hostile_names_stay_on_their_row_and_in_its_width() {
    let name = "\u{202e}gpj.\u{200f}\u{2066}\u{1b}[2J\n\u{7f}\u{9b}1m\u{301}日本語".repeat(30);
    let mut snapshot = snapshot();
    snapshot.current = vec![CurrentFile::new(RelPath::new(name).unwrap(), 1 << 30)];
    let view = view_of(snapshot, estimate());
    for columns in 2..220 {
        for row in shown(&view, columns, 24).lines().map(|row| &row[1..]) {
            assert!(crate::format::width::columns(row) < columns, "{columns}: {row}");
            assert!(
                !row.contains(|c: char| c.is_control() || ('\u{200e}'..='\u{2069}').contains(&c) && c != '…'),
                "{row}"
            );
        }
    }
}

#[test]
fn percentages_of_huge_files_are_correct() {
    let mut snapshot = snapshot();
    snapshot.current = vec![CurrentFile::new(RelPath::new("huge").unwrap(), i64::MAX.cast_unsigned())];
    snapshot.current[0].hole_bytes = 1 << 62;
    assert!(shown(&view_of(snapshot, estimate()), 100, 24).lines().last().unwrap().starts_with("|   50 % "));
}

#[test]
fn all_is_shown_as_done_only_when_it_is() {
    let mut snapshot = snapshot();
    snapshot.pending = towpath::Totals::new(1, 1);
    snapshot.current.clear();
    assert!(shown(&view_of(snapshot.clone(), estimate()), 100, 24).lines().next().unwrap().ends_with(" 99.9 %"));
    snapshot.pending = towpath::Totals::default();
    assert!(shown(&view_of(snapshot, estimate()), 100, 24).lines().next().unwrap().ends_with("100.0 %"));
}
