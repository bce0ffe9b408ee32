//! Text in the columns of a terminal.

use unicode_width::UnicodeWidthChar as _;

/// Asks for the wide form of the character before.
const EMOJI_PRESENTATION: char = '\u{fe0f}';

/// The columns that a text takes. A terminal may show some sequences in fewer.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    if c == EMOJI_PRESENTATION { 1 } else { c.width().unwrap_or(0) }
}

/// The begin of a text, in at most so many columns.
pub(crate) fn cut(text: &str, width: usize) -> &str {
    let mut left = width;
    let end = text.char_indices().find(|(_, c)| match left.checked_sub(columns_of(*c)) {
        Some(less) => {
            left = less;
            false
        }
        None => true,
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// The end of a text, in at most so many columns, with an ellipsis in place of what is left out.
pub(crate) fn cut_begin(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let Some(mut left) = width.checked_sub(1) else { return String::new() };
    let mut begin = text.len();
    for (at, c) in text.char_indices().rev() {
        let Some(less) = left.checked_sub(columns_of(c)) else { break };
        (left, begin) = (less, at);
    }
    // An accent without its letter would join the ellipsis.
    let tail = text[begin..].trim_start_matches(|c| columns_of(c) == 0 || c == EMOJI_PRESENTATION);
    format!("…{tail}")
}

/// The text in ASCII, for terminals that show nothing else.
pub(crate) fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0'..='\x7f' => ascii.push(c),
            '…' => ascii.push_str("..."),
            _ => ascii.extend(c.escape_unicode()),
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wide_and_combining_characters_count_as_they_are_shown() {
        for (text, width) in [("abc", 3), ("日本", 4), ("e\u{301}", 1), ("\u{2764}\u{fe0f}", 2), ("", 0)] {
            assert_eq!(columns(text), width, "{text}");
        }
        assert_eq!([cut("日本語", 5), cut("日本語", 1), cut("abc", 3)], ["日本", "", "abc"]);
        assert_eq!(["日本語", "ab語", "ab語x"].map(|text| cut_begin(text, 4)), ["…語", "ab語", "…語x"]);
        assert_eq!(cut_begin("abcde\u{301}", 2), "…e\u{301}");
        assert_eq!([cut_begin("ab", 1), cut_begin("ab", 0)], ["…", ""]);
        assert_eq!(ascii("…/é"), ".../\\u{e9}");
    }

    proptest! {
        #[test]
        fn no_text_is_wider_than_its_columns(text in any::<String>(), width in 0_usize..30) {
            prop_assert!(columns(cut(&text, width)) <= width);
            prop_assert!(columns(&cut_begin(&text, width)) <= width);
            prop_assert!(ascii(&text).is_ascii());
        }
    }
}
