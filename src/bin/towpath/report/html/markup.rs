//! Writing HTML: whatever is not a constant of this program passes through one function that escapes it.

use crate::format::escape;

/// HTML that is being written.
pub(super) struct Html(String);

impl Html {
    pub(super) fn new() -> Self {
        Self(String::with_capacity(1 << 16))
    }

    pub(super) fn done(self) -> String {
        self.0
    }

    /// Markup of this program.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, of any origin.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push_str(&escaped(text.as_bytes()));
        self
    }

    /// A name or path.
    pub(super) fn path(&mut self, path: &[u8]) -> &mut Self {
        self.raw("<bdi class=\"path\">");
        self.0.push_str(&escaped(path));
        self.raw("</bdi>")
    }

    /// An element with text in it.
    pub(super) fn element(&mut self, tag: &str, class: &str, text: &str) -> &mut Self {
        self.open(tag, class).text(text).raw("</").raw(tag).raw(">")
    }

    pub(super) fn open(&mut self, tag: &str, class: &str) -> &mut Self {
        self.raw("<").raw(tag);
        if !class.is_empty() {
            self.raw(" class=\"").raw(class).raw("\"");
        }
        self.raw(">")
    }

    pub(super) fn heading(&mut self, title: &str) -> &mut Self {
        self.element("h2", "", title).raw("\n")
    }

    pub(super) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.raw("<p>").prose(text).raw("</p>\n")
    }

    /// A sentence of this program, with commands between backquotes.
    pub(super) fn prose(&mut self, text: &str) -> &mut Self {
        for (index, part) in text.split('`').enumerate() {
            match index % 2 {
                0 => self.text(part),
                _ => self.element("code", "", part),
            };
        }
        self
    }

    /// The start of a table, with the words of its head; those that begin with `#` are over numbers.
    pub(super) fn table(&mut self, class: &str, head: &[&str]) -> &mut Self {
        self.raw("<div class=\"scroll\">").open("table", class).raw("<thead><tr>");
        for word in head {
            match word.strip_prefix('#') {
                Some(word) => self.element("th", "n", word),
                None => self.element("th", "", word),
            };
        }
        self.raw("</tr></thead><tbody>\n")
    }

    pub(super) fn end_table(&mut self) -> &mut Self {
        self.raw("</tbody></table></div>\n")
    }

    pub(super) fn cell(&mut self, text: &str) -> &mut Self {
        self.element("td", "", text)
    }

    pub(super) fn number(&mut self, text: &str) -> &mut Self {
        self.element("td", "n", text)
    }
}

/// Text without markup, control characters, and characters that change the order of text or take no room.
pub(super) fn escaped(text: &[u8]) -> String {
    let text = escape(text);
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_becomes_markup_or_hides() {
        let mut html = Html::new();
        html.path(b"<script>alert('1')</script>&\"\x1b[2J\xff\n").text("\u{202e}cod.exe\u{200b}");
        let html = html.done();
        assert_eq!(
            html,
            "<bdi class=\"path\">&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;\\u{1b}[2J\\xff\\n</bdi>\
             \\u{202e}cod.exe\\u{200b}"
        );
    }
}
