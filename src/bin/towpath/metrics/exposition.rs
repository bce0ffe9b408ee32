//! Figures as text, in both formats that Prometheus reads.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only rises. Its name ends with `_total`.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Labels alone, with the value 1. Its name ends with `_info`.
    Info,
}

impl Kind {
    /// As in the text format.
    #[cfg(test)]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
        }
    }
}

/// A metric: all that is known of it before it has a value.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) kind: Kind,
    /// Without prefix, unit and suffix.
    pub(crate) stem: &'static str,
    /// A base unit: `bytes`, `seconds`, `ratio`. None: it counts what it is named after.
    pub(crate) unit: Option<&'static str>,
    pub(crate) labels: &'static [&'static str],
    /// For administrators, without a period.
    pub(crate) help: &'static str,
}

/// What all names begin with.
const PREFIX: &str = "towpath";

impl Metric {
    /// The whole name, as queries have it.
    #[cfg(test)]
    pub(crate) fn name(&self) -> String {
        let unit = self.unit.map_or_else(String::new, |unit| format!("_{unit}"));
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge => "",
            Kind::Info => "_info",
        };
        format!("{PREFIX}_{}{unit}{suffix}", self.stem)
    }
}

/// A format of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' own text format, 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that a header `Accept` prefers; the first one where it has no preference.
    pub(crate) fn accepted(accept: &str) -> Self {
        let quality = |of: &dyn Fn(&str, &str) -> bool| {
            let ranges = accept.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let media_type = parts.next()?.to_ascii_lowercase();
                let (mut quality, mut version) = (1.0, "");
                for (key, value) in parts.filter_map(|part| part.split_once('=')) {
                    match key.trim().to_ascii_lowercase().as_str() {
                        "q" => quality = value.trim().parse::<f64>().unwrap_or(0.0),
                        "version" => version = value.trim().trim_matches('"'),
                        _ => {}
                    }
                }
                of(&media_type, version).then_some(quality)
            });
            ranges.fold(0.0, f64::max)
        };
        let open_metrics = quality(&|media_type, version| {
            media_type == "application/openmetrics-text" && matches!(version, "" | "0.0.1" | "1.0.0")
        });
        let text = quality(&|media_type, version| media_type == "text/plain" && matches!(version, "" | "0.0.4"));
        if open_metrics > 0.0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// Sums of sizes: beyond 64 bits, the nearest number.
impl From<u128> for Value {
    fn from(value: u128) -> Self {
        u64::try_from(value).map_or(Self::Real(value as f64), Self::Whole)
    }
}

type Labels = Vec<(&'static str, String)>;

/// The figures at one moment.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    common: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    families: Vec<(&'static Metric, Vec<(Labels, Value)>)>,
}

impl Figures {
    /// No figures yet; each will have this label.
    pub(crate) fn with_label(name: &'static str, value: String) -> Self {
        Self { common: vec![(name.into(), value.into())], families: Vec::new() }
    }

    /// Adds a metric without labels.
    pub(crate) fn add(&mut self, metric: &'static Metric, value: impl Into<Value>) {
        self.add_with(metric, [], value);
    }

    /// Adds a sample with these values of the metric's labels.
    pub(crate) fn add_with<const N: usize>(
        &mut self,
        metric: &'static Metric,
        labels: [&str; N],
        value: impl Into<Value>,
    ) {
        debug_assert_eq!(metric.labels.len(), N, "{}", metric.stem);
        let labels = metric.labels.iter().copied().zip(labels.map(str::to_owned)).collect();
        let sample = (labels, value.into());
        match self.families.iter_mut().find(|(family, _)| std::ptr::eq(*family, metric)) {
            Some((_, samples)) => samples.push(sample),
            None => self.families.push((metric, vec![sample])),
        }
    }

    /// The text in this format.
    ///
    /// # Errors
    /// A defect of the encoder.
    pub(crate) fn text(mut self, format: Format) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_labels(std::mem::take(&mut self.common).into_iter());
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        match format {
            Format::Text => prometheus_text::encode(&mut text, &registry)?,
            Format::OpenMetrics => text::encode(&mut text, &registry)?,
        }
        Ok(text)
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (metric, samples) in &self.families {
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Info => MetricType::Info,
            };
            let unit = metric.unit.map(|unit| Unit::Other(unit.to_owned()));
            let (name, help) = (format!("{PREFIX}_{}", metric.stem), format!("{}.", metric.help));
            let mut family = encoder.encode_descriptor(&name, &help, unit.as_ref(), kind)?;
            for (labels, value) in samples {
                encode_sample(&mut family, metric.kind, labels, *value)?;
            }
        }
        Ok(())
    }
}

fn encode_sample(family: &mut MetricEncoder<'_>, kind: Kind, labels: &Labels, value: Value) -> Result<(), fmt::Error> {
    match (kind, value) {
        (Kind::Info, _) => family.encode_info(labels),
        (Kind::Counter, Value::Whole(value)) => {
            family.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
        }
        (Kind::Counter, Value::Real(value)) => {
            family.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
        }
        (Kind::Gauge, Value::Whole(value)) => family.encode_family(labels)?.encode_gauge(&value),
        (Kind::Gauge, Value::Real(value)) => family.encode_family(labels)?.encode_gauge(&value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SENT: Metric =
        Metric { kind: Kind::Counter, stem: "sent", unit: Some("bytes"), labels: &["side"], help: "Bytes sent" };
    static PAUSED: Metric =
        Metric { kind: Kind::Gauge, stem: "paused", unit: None, labels: &[], help: "Whether it is paused" };
    static RUN: Metric =
        Metric { kind: Kind::Info, stem: "run", unit: None, labels: &["version"], help: "About the run" };

    fn figures() -> Figures {
        let mut figures = Figures::with_label("migration", "1".to_owned());
        figures.add_with(&SENT, ["a\"\\\nb"], 7_u64);
        figures.add(&PAUSED, 0.5);
        figures.add_with(&SENT, ["c"], u128::from(u64::MAX) + 1);
        figures.add_with(&RUN, ["1.0"], 1_u64);
        figures
    }

    #[test]
    fn names_have_prefix_unit_and_suffix() {
        let names = [&SENT, &PAUSED, &RUN].map(Metric::name);
        assert_eq!(names, ["towpath_sent_bytes_total", "towpath_paused", "towpath_run_info"]);
    }

    #[test]
    fn both_formats_have_the_same_samples() {
        insta::assert_snapshot!(figures().text(Format::Text).unwrap(), @r#"
        # HELP towpath_sent_bytes_total Bytes sent.
        # TYPE towpath_sent_bytes_total counter
        towpath_sent_bytes_total{migration="1",side="a\"\\\nb"} 7
        towpath_sent_bytes_total{migration="1",side="c"} 18446744073709553000.0
        # HELP towpath_paused Whether it is paused.
        # TYPE towpath_paused gauge
        towpath_paused{migration="1"} 0.5
        # HELP towpath_run_info About the run.
        # TYPE towpath_run_info gauge
        towpath_run_info{migration="1",version="1.0"} 1
        "#);
        insta::assert_snapshot!(figures().text(Format::OpenMetrics).unwrap(), @r#"
        # HELP towpath_sent_bytes Bytes sent.
        # TYPE towpath_sent_bytes counter
        # UNIT towpath_sent_bytes bytes
        towpath_sent_bytes_total{migration="1",side="a\"\\\nb"} 7
        towpath_sent_bytes_total{migration="1",side="c"} 18446744073709553000.0
        # HELP towpath_paused Whether it is paused.
        # TYPE towpath_paused gauge
        towpath_paused{migration="1"} 0.5
        # HELP towpath_run About the run.
        # TYPE towpath_run info
        towpath_run_info{migration="1",version="1.0"} 1
        # EOF
        "#);
    }

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
                            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in
            [prometheus_2, prometheus_3, "Application/OpenMetrics-Text", "text/plain, application/openmetrics-text"]
        {
            assert_eq!(Format::accepted(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html",
            "text/plain;version=0.0.4",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.3,text/plain;q=0.5",
            "application/openmetrics-text;q=x",
        ] {
            assert_eq!(Format::accepted(accept), Format::Text, "{accept}");
        }
    }
}
