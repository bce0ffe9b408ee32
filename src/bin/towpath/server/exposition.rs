//! Figures in the text format of Prometheus.

use std::fmt::{Display, Write as _};

/// The type of this text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Collects figures. Names end with their unit, and those of totals with `_total`.
#[derive(Debug, Default)]
pub(crate) struct Exposition(String);

impl Exposition {
    /// A total that never falls during a run.
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help, [(&[][..], value)]);
    }

    /// A value that rises and falls.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help, [(&[][..], value)]);
    }

    /// Values of one name that labels tell apart; `kind` is `counter` or `gauge`.
    pub(crate) fn family<'a, V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = (&'a [(&'a str, &'a str)], V)>,
    ) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _infallible = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let labels: Vec<_> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _infallible = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_help_type_and_escaped_labels() {
        let mut figures = Exposition::default();
        figures.counter("towpath_sent_bytes_total", "Bytes sent.", 7);
        figures.gauge("towpath_paused", "Whether it is paused.", 0.5);
        let samples = [(&[("path", "a\"\\\nb"), ("side", "source")][..], 1), (&[("path", "c")][..], 2)];
        figures.family("towpath_errors_total", "counter", "Errors\nby kind.", samples);
        assert_eq!(
            figures.into_text(),
            "# HELP towpath_sent_bytes_total Bytes sent.\n\
             # TYPE towpath_sent_bytes_total counter\n\
             towpath_sent_bytes_total 7\n\
             # HELP towpath_paused Whether it is paused.\n\
             # TYPE towpath_paused gauge\n\
             towpath_paused 0.5\n\
             # HELP towpath_errors_total Errors\\nby kind.\n\
             # TYPE towpath_errors_total counter\n\
             towpath_errors_total{path=\"a\\\"\\\\\\nb\",side=\"source\"} 1\n\
             towpath_errors_total{path=\"c\"} 2\n"
        );
    }
}
