//! Errors say which entry is invalid, why, and what to write instead.

use proptest::prelude::*;

use super::super::Timetable;
use crate::args::bwlimit::parse_value;

fn error(text: &str) -> String {
    Timetable::parse(text, parse_value).unwrap_err()
}

#[test]
fn an_invalid_timetable_is_an_error_that_says_what_to_write() {
    let errors: Vec<_> = [
        "",
        " ; ",
        "08:00",
        "Mon-08:00",
        "2026-12-24",
        "08:00,5M 18:00",
        "08:00,5M Mon 09:00,off",
        "20M 08:00,5M",
        "08:00, 5M",
        "08:00,5M,18:00,off",
        "8:00,5M",
        "24:00,off",
        "23:60,off",
        "0800,5M",
        "Mon-0800,5M",
        "Mo-08:00,5M",
        "Mon-Fri-08:00,5M",
        "Mon-Fri,5M",
        "Mon,5M",
        "2026-12-24,off",
        "00:00,5M 2026-02-30,off",
        "00:00,5M 2026-12-24-08:00,off",
        "00:00,5M 2026-12-24T08:00,off",
        "00:00,5M 24-12-2026,off",
        "00:00,5M 2026-12,off",
        "00:00,5M 20261224,off",
        "00:00,5M 2926-12-24,off",
        "08:00,512",
        "08:00,10M:1M",
        "10M:off",
        "08:00,auto:",
        "08:00,fast",
        "08:00,-1",
    ]
    .map(|text| format!("{text:40} {}", error(text)))
    .into();
    insta::assert_snapshot!(errors.join("\n"));
}

proptest! {
    #[test]
    fn any_text_is_accepted_or_rejected(text in "[MonSat0-9:,; -]{0,30}|\\PC{0,30}") {
        if let Err(problem) = Timetable::parse(&text, parse_value) {
            prop_assert!(!problem.contains('\n'));
        }
    }
}
