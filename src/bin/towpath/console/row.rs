//! A row of the frame on a terminal.

use crate::format::width::{ascii, columns, cut};

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) has_color: bool,
    /// Otherwise it shows ASCII only.
    pub(super) is_utf8: bool,
}

impl Style {
    /// What the environment says of the terminal.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_lowercase();
        Self { has_color: set("NO_COLOR").is_none(), is_utf8: locale.contains("utf-8") || locale.contains("utf8") }
    }
}

/// What a part of a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Bar,
    Warning,
    Problem,
}

impl Tone {
    fn color(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bar => Some("\x1b[36m"),
            Self::Warning => Some("\x1b[33m"),
            Self::Problem => Some("\x1b[31m"),
        }
    }
}

/// Text whose names are escaped already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row(Vec<(Tone, String)>);

impl Row {
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self(vec![(tone, text.into())])
    }

    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new(Tone::Plain, text)
    }

    #[must_use]
    pub(super) fn and(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push((tone, text.into()));
        self
    }

    /// At most `width` columns of it, as the terminal takes it.
    pub(super) fn rendered(&self, width: usize, style: Style) -> String {
        let (mut text, mut left) = (String::new(), width);
        for (tone, part) in &self.0 {
            let part = if style.is_utf8 { part.clone() } else { ascii(part) };
            let part = cut(&part, left);
            left -= columns(part);
            match tone.color().filter(|_| style.has_color && !part.is_empty()) {
                Some(color) => text += &format!("{color}{part}\x1b[0m"),
                None => text += part,
            }
        }
        text
    }
}

/// As many items on each row as fit, each row with this indentation.
pub(super) fn flow(indent: &str, items: impl IntoIterator<Item = String>, width: usize) -> Vec<Row> {
    const GAP: &str = "   ";
    let mut rows: Vec<String> = Vec::new();
    for item in items {
        match rows.last_mut() {
            Some(row) if columns(row) + GAP.len() + columns(&item) <= width => *row += &format!("{GAP}{item}"),
            _ => rows.push(format!("{indent}{item}")),
        }
    }
    rows.into_iter().map(Row::plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(variables: &[(&str, &str)]) -> (bool, bool) {
        let style =
            Style::of(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()));
        (style.is_utf8, style.has_color)
    }

    #[test]
    fn the_locale_says_what_the_terminal_shows() {
        assert_eq!(style(&[]), (false, true));
        assert_eq!(style(&[("LANG", "de_DE.UTF-8")]), (true, true));
        assert_eq!(style(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]), (false, true));
        assert_eq!(style(&[("LANG", "C"), ("LC_CTYPE", "C.utf8"), ("LC_ALL", "")]), (true, true));
        assert_eq!(style(&[("LC_ALL", "en_US.ISO-8859-1"), ("NO_COLOR", "1")]), (false, false));
        assert_eq!(style(&[("LC_ALL", "C.UTF-8"), ("NO_COLOR", "")]), (true, true));
    }

    #[test]
    fn a_row_is_cut_at_the_width_and_colored_within() {
        let row = Row::plain("a…").and(Tone::Bar, "██").and(Tone::Problem, "日本");
        let of = |width, is_utf8, has_color| row.rendered(width, Style { has_color, is_utf8 });
        assert_eq!(of(7, true, false), "a…██日");
        assert_eq!(of(4, true, true), "a…\x1b[36m██\x1b[0m");
        assert_eq!(of(6, false, true), "a...\x1b[36m\\u\x1b[0m");
        assert!(of(100, false, false).is_ascii());
    }

    #[test]
    fn items_flow_into_rows() {
        let items = || ["aaaa", "bbbb", "cc"].map(str::to_owned);
        let rows = |width| flow(" ", items(), width).iter().map(|row| row.0[0].1.clone()).collect::<Vec<_>>();
        assert_eq!(rows(80), [" aaaa   bbbb   cc"]);
        assert_eq!(rows(12), [" aaaa   bbbb", " cc"]);
        assert_eq!(rows(1), [" aaaa", " bbbb", " cc"]);
    }
}
