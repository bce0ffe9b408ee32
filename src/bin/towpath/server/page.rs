//! `GET /`: the status as a page that needs nothing else, not even a script.

use serde_json::Value;

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta http-equiv=\"refresh\" content=\"2\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>Towpath</title>
<style>
  body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; }
  th { text-align: left; vertical-align: top; padding-right: 1.5em; font-weight: normal; opacity: .7; }
  td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
</style>
<h1>Towpath</h1>
";

/// Nesting that is shown.
const MAX_DEPTH: usize = 8;

/// The page that shows a status.
pub(super) fn page(status: &Value) -> String {
    let mut html = HEAD.to_owned();
    put(&mut html, status, MAX_DEPTH);
    html
}

fn put(html: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => html.push('–'),
        Value::String(text) => *html += &escaped(text),
        Value::Array(values) if depth > 0 => {
            for value in values {
                *html += "<div>";
                put(html, value, depth - 1);
                *html += "</div>";
            }
        }
        Value::Object(fields) if depth > 0 => {
            *html += "<table>\n";
            for (key, value) in fields {
                *html += &format!("<tr><th>{}<td>", escaped(key));
                put(html, value, depth - 1);
                html.push('\n');
            }
            *html += "</table>\n";
        }
        other => *html += &escaped(&other.to_string()),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_files_are_no_markup() {
        let html = page(&json!({ "current": [{ "path": "<script>alert('1')</script>&\"" }], "<b>": null, "files": 7 }));
        assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;"), "{html}");
        assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
        assert!(html.contains("<tr><th>files<td>7"), "{html}");
    }

    #[test]
    fn depth_has_a_bound() {
        let deep = (0..100).fold(json!("x"), |inner, _| json!({ "a": inner }));
        assert!(page(&deep).matches("<table>").count() <= MAX_DEPTH);
    }
}
