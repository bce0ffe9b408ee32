//! `GET /`: a page that shows the status in a browser. It is one document, the same for every run: what it shows, it
//! reads from the routes below `/v1/`, as any client does.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, whole};

const HTML: &str = "text/html; charset=utf-8";

/// The files of a script share one scope.
const SCRIPT: &str = concat!(
    include_str!("page/format.js"),
    include_str!("page/dom.js"),
    include_str!("page/headline.js"),
    include_str!("page/chart.js"),
    include_str!("page/history.js"),
    include_str!("page/tables.js"),
    include_str!("page/view.js"),
    include_str!("page/feed.js"),
    include_str!("page/main.js"),
);
const STYLE: &str = include_str!("page/style.css");
/// Where style and script go.
const TEMPLATE: &str = include_str!("page/page.html");

static PAGE: LazyLock<String> =
    LazyLock::new(|| TEMPLATE.replacen("/* style */", STYLE, 1).replacen("/* script */", SCRIPT, 1));

/// Only this style and this script are used, requests go to this server alone, and no text ever becomes markup.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; base-uri 'none'; form-action \
         'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

/// The page.
pub(super) fn page() -> Answer {
    let mut answer = whole(StatusCode::OK, HTML, PAGE.clone());
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands between two texts.
    fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
        text.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map(|(inner, _)| inner).unwrap()
    }

    #[test]
    fn the_policy_allows_the_style_and_the_script_of_the_page_alone() {
        let answer = page();
        let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        for (begin, end, directive) in [("<style>", "</style>", "style-src"), ("<script>", "</script>", "script-src")] {
            assert_eq!(PAGE.matches(begin).count(), 1, "{begin}");
            let hash = STANDARD.encode(Sha256::digest(between(&PAGE, begin, end)));
            assert!(policy.contains(&format!("{directive} 'sha256-{hash}';")), "{policy}");
        }
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }

    #[test]
    fn the_page_needs_nothing_else_and_makes_no_markup_of_text() {
        for outside in ["http:", "https:", "src=", "@import", "url("] {
            let found = PAGE.replace("http://www.w3.org/2000/svg", "").matches(outside).count();
            assert_eq!(found, 0, "{outside}");
        }
        for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", " onclick="]
        {
            assert!(!PAGE.contains(sink), "{sink}");
        }
    }
}
