//! The sections after the options of `--help`, as sections of a man page.
//!
//! A line of capitals is a heading, and its text follows, indented by two. Examples keep their lines. Exit statuses, which
//! `--help` has as one sentence, become a list.

use clap_mangen::roff::{Roff, bold, roman};

/// Adds the sections of `help`.
pub(super) fn add(roff: &mut Roff, help: &str) {
    let mut heading = "NOTES";
    for paragraph in help.split("\n\n") {
        let mut lines: Vec<_> = paragraph.lines().collect();
        match lines.first() {
            Some(first) if is_heading(first) => {
                heading = first;
                roff.control("SH", [heading]);
                lines.remove(0);
            }
            // Two paragraphs of one section.
            Some(_) => {
                roff.control("PP", []);
            }
            None => continue,
        }
        let lines: Vec<_> = lines.into_iter().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        match heading {
            "EXIT STATUS" => statuses(roff, &lines.join(" ")),
            _ if is_verbatim(heading, &lines) => verbatim(roff, &lines),
            _ => text(roff, &lines),
        }
    }
}

/// Whether `help` has a section with this heading.
pub(super) fn has(help: &str, heading: &str) -> bool {
    help.lines().any(|line| line == heading)
}

fn is_heading(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_uppercase()) && !line.contains(|c: char| c.is_lowercase())
}

/// Commands, and sections of the configuration file.
fn is_verbatim(heading: &str, lines: &[&str]) -> bool {
    let is_code = |line: &str| line.starts_with("towpath ") || line.starts_with('[');
    lines.first().is_some_and(|first| is_code(first) || (heading.starts_with("EXAMPLE") && lines.len() > 1))
}

fn verbatim(roff: &mut Roff, lines: &[&str]) {
    roff.control("nf", []);
    text(roff, lines);
    roff.control("fi", []);
}

fn text(roff: &mut Roff, lines: &[&str]) {
    for line in lines {
        roff.text([roman(*line)]);
    }
}

/// `0 done; 1 no run answers; 2 usage error.`
pub(super) fn statuses(roff: &mut Roff, sentence: &str) {
    for part in split(sentence) {
        let (numbers, meaning) = part.split_at(part.find(|c: char| c.is_alphabetic()).unwrap_or(part.len()));
        roff.control("TP", []);
        roff.text([bold(numbers.trim_end())]);
        roff.text([roman(meaning)]);
    }
}

/// The parts, each of which begins with a number.
fn split(sentence: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in sentence.trim_end_matches('.').split("; ") {
        match parts.last_mut() {
            Some(last) if !part.starts_with(|first: char| first.is_ascii_digit()) => {
                *last += "; ";
                *last += part;
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses_are_a_list() {
        let sentence = "0 all in sync; 1 could not run; 3 some are not; see the log; 129, 130, 143 stopped.";
        assert_eq!(
            split(sentence),
            ["0 all in sync", "1 could not run", "3 some are not; see the log", "129, 130, 143 stopped"]
        );
        let mut roff = Roff::new();
        statuses(&mut roff, sentence);
        assert!(roff.to_roff().ends_with(".TP\n\\fB129, 130, 143\\fR\nstopped\n"), "{}", roff.to_roff());
    }

    #[test]
    fn commands_keep_their_lines_and_text_does_not() {
        let mut roff = Roff::new();
        add(&mut roff, "EXAMPLES\n  towpath a\n  TZ=x towpath b\n\nA NOTE\n  one\n  two\n\n  [s3]\n  a = \"b\"");
        let expected = ".SH EXAMPLES\n.nf\ntowpath a\nTZ=x towpath b\n.fi\n.SH \"A NOTE\"\none\ntwo\n.PP\n.nf\n[s3]\na = \"b\"\n.fi\n";
        assert_eq!(roff.to_roff(), expected);
    }
}
