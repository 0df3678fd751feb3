//! What `/metrics` answers, read back: counters, gauges and histograms of one or more processes.

use std::collections::BTreeMap;

/// One line of the text format.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name of the series.
    pub name: String,
    labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Sample {
    /// From a line; `None` for comments and for what is no sample.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (series, value) = line.trim_end().rsplit_once(' ')?;
        let value = value.parse().ok()?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        Some(Self { name: name.to_owned(), labels: labels_of(labels), value })
    }

    /// The value of a label; empty when there is none of this name.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// The value as a count: counters are whole and never negative.
    #[must_use]
    pub fn count(&self) -> u64 {
        whole(self.value)
    }

    fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.name == name && labels.iter().all(|(label, value)| self.label(label) == *value)
    }
}

/// `camera="a",reason="full"}`, where a value may hold escaped quotes.
fn labels_of(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut escaped = false;
        let end = after.find(|letter| {
            let closes = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            closes
        });
        let Some(end) = end else { break };
        let value = after[..end].replace("\\\"", "\"").replace("\\\\", "\\");
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        rest = &after[end + 1..];
    }
    labels
}

/// A histogram: its buckets are cumulative, as in the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Upper limit (the last one is infinite) and how many values lie at or below it.
    pub buckets: Vec<(f64, u64)>,
    /// Sum of the values.
    pub sum: f64,
    /// How many values there are.
    pub count: u64,
}

/// The samples of all processes that were asked.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

impl Metrics {
    /// Adds what one process has answered.
    pub fn add(&mut self, text: &str) {
        self.samples.extend(text.lines().filter_map(Sample::parse));
    }

    /// Sum over all series of this name that have these labels.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples.iter().filter(|sample| sample.is(name, labels)).map(|sample| sample.value).sum()
    }

    /// The same as a count.
    #[must_use]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        whole(self.sum(name, labels))
    }

    /// The histogram of this name with these labels, all processes and other labels together.
    #[must_use]
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Histogram {
        let bucket = format!("{name}_bucket");
        let mut buckets = BTreeMap::<u64, (f64, u64)>::new();
        for sample in self.samples.iter().filter(|sample| sample.is(&bucket, labels)) {
            let limit = sample.label("le").parse().unwrap_or(f64::INFINITY);
            // The bits of positive numbers are in the order of the numbers.
            buckets.entry(f64::to_bits(limit)).or_insert((limit, 0)).1 += sample.count();
        }
        Histogram {
            buckets: buckets.into_values().collect(),
            sum: self.sum(&format!("{name}_sum"), labels),
            count: self.count(&format!("{name}_count"), labels),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast clamps; counts are whole and positive"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::{Histogram, Metrics, Sample};

    #[test]
    fn lines_are_samples_or_nothing() {
        let sample = Sample::parse("x_total{camera=\"a\",reason=\"full\"} 12").unwrap();
        assert_eq!((sample.name.as_str(), sample.label("reason"), sample.count()), ("x_total", "full", 12));
        assert_eq!(sample.label("other"), "");
        let sample = Sample::parse(r#"x{a="say \"hi, you\"",b="c\\"} 0.5"#).unwrap();
        assert_eq!((sample.label("a"), sample.label("b"), sample.value), ("say \"hi, you\"", "c\\", 0.5));
        assert_eq!(Sample::parse("up 1").unwrap().value, 1.0);
        for none in ["# HELP x", "", "x", "x{a=\"b\"} word"] {
            assert_eq!(Sample::parse(none), None, "{none}");
        }
    }

    #[test]
    fn processes_add_up() {
        let mut metrics = Metrics::default();
        let text = |n: u32| {
            format!(
                "# TYPE t counter\nt{{stage=\"embed\",result=\"ok\"}} {n}\nt{{stage=\"detect\",result=\"ok\"}} 9\n\
                 b_bucket{{stage=\"embed\",le=\"2\"}} {n}\nb_bucket{{stage=\"embed\",le=\"10\"}} {n}\n\
                 b_bucket{{stage=\"embed\",le=\"+Inf\"}} 5\nb_sum{{stage=\"embed\"}} 2.5\nb_count{{stage=\"embed\"}} 5\n"
            )
        };
        metrics.add(&text(3));
        metrics.add(&text(4));
        assert_eq!(metrics.count("t", &[("stage", "embed")]), 7);
        assert_eq!(metrics.count("t", &[("result", "ok")]), 25);
        assert_eq!(metrics.count("none", &[]), 0);
        let buckets = vec![(2.0, 7), (10.0, 7), (f64::INFINITY, 10)];
        assert_eq!(metrics.histogram("b", &[("stage", "embed")]), Histogram { buckets, sum: 5.0, count: 10 });
        assert_eq!(metrics.histogram("b", &[("stage", "detect")]), Histogram::default());
    }
}
