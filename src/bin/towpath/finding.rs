//! What a check before a migration found, why it matters, and what to do.

use serde_json::{Map, Value, json};

use crate::format;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// As it should be.
    Ok,
    /// Good to know.
    Info,
    /// The migration works, but not as it could, or not with everything.
    Warning,
    /// The migration does not work as it is.
    Problem,
}

impl Severity {
    /// The name, as printed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// A stable name, for scripts.
    pub(crate) code: &'static str,
    /// `source` or `dest`, if it is about one of the trees.
    pub(crate) side: Option<&'static str>,
    pub(crate) found: String,
    /// Why it matters; empty where all is well.
    pub(crate) reason: String,
    /// A command, an option or a mount option; empty if there is nothing to do.
    pub(crate) remedy: String,
    /// Some of what it is about, such as paths; the others are only counted.
    pub(crate) examples: Vec<Vec<u8>>,
}

impl Finding {
    /// As it should be.
    pub(crate) fn ok(code: &'static str, found: impl Into<String>) -> Self {
        Self::new(Severity::Ok, code, found, "", "")
    }

    pub(crate) fn new(
        severity: Severity,
        code: &'static str,
        found: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (found, reason, remedy) = (found.into(), reason.into(), remedy.into());
        Self { severity, code, side: None, found, reason, remedy, examples: Vec::new() }
    }

    /// The same, about one of the trees.
    #[must_use]
    pub(crate) fn at(self, side: &'static str) -> Self {
        Self { side: Some(side), ..self }
    }

    /// The same, with examples.
    #[must_use]
    pub(crate) fn with_examples(self, examples: Vec<Vec<u8>>) -> Self {
        Self { examples, ..self }
    }

    /// As lines: what was found, then why it matters and what to do.
    pub(crate) fn text(&self) -> String {
        let side = self.side.map(|side| format!("{side}: ")).unwrap_or_default();
        let found = format::escape(self.found.as_bytes());
        let mut text = format!("{:<8} {side}{found} [{}]", self.severity.name(), self.code);
        for (label, part) in [("why", &self.reason), ("do", &self.remedy)] {
            if !part.is_empty() {
                text.push_str(&format!("\n         {label}: {}", format::escape(part.as_bytes())));
            }
        }
        for example in &self.examples {
            text.push_str(&format!("\n         - {}", format::escape(example)));
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let mut object = json!({
            "severity": self.severity.name(),
            "code": self.code,
            "side": self.side,
            "found": self.found,
            "reason": self.reason,
            "remedy": self.remedy,
        });
        if !self.examples.is_empty() {
            object["examples"] = self.examples.iter().map(|path| String::from_utf8_lossy(path)).collect();
        }
        object
    }
}

/// Findings as text: the worst first, and at the end how many of each severity there are.
pub(crate) fn text(findings: &[Finding]) -> String {
    let mut sorted: Vec<_> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let mut lines: Vec<_> = sorted.into_iter().map(Finding::text).collect();
    lines.push(counts_text(findings));
    lines.join("\n")
}

fn counts_text(findings: &[Finding]) -> String {
    let count = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let part = |severity: Severity, name: &str| match count(severity) {
        0 => None,
        1 => Some(format!("1 {name}")),
        many => Some(format!("{many} {name}s")),
    };
    let parts: Vec<_> =
        [part(Severity::Problem, "problem"), part(Severity::Warning, "warning")].into_iter().flatten().collect();
    if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
}

/// Findings for a JSON object: `findings`, and their number by severity.
pub(crate) fn json(findings: &[Finding]) -> Map<String, Value> {
    let count = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let mut object = Map::new();
    object.insert("problems".to_owned(), json!(count(Severity::Problem)));
    object.insert("warnings".to_owned(), json!(count(Severity::Warning)));
    object.insert("findings".to_owned(), findings.iter().map(Finding::json).collect());
    object
}

/// Whether there is a problem.
pub(crate) fn has_problem(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_the_counts_last() {
        let findings = [
            Finding::ok("mount", "an ext4").at("source"),
            Finding::new(Severity::Warning, "nfs-soft", "mounted with soft\n", "it gives up", "hard")
                .at("dest")
                .with_examples(vec![b"/new/a\x1b\xff".to_vec()]),
            Finding::new(Severity::Problem, "room", "full", "", ""),
        ];
        insta::assert_snapshot!(text(&findings), @r"
        problem  full [room]
        warning  dest: mounted with soft\n [nfs-soft]
                 why: it gives up
                 do: hard
                 - /new/a\u{1b}\xff
        ok       source: an ext4 [mount]
        1 problem, 1 warning
        ");
        assert!(has_problem(&findings) && !has_problem(&findings[..2]));
        assert_eq!(text(&[]), "no problems");
        assert_eq!(json(&findings)["problems"], 1);
    }
}
