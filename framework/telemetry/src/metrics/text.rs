//! The text form that Prometheus scrapes (version 0.0.4).

use super::snapshot::{Family, Snapshot, Value};
use crate::names::metrics::{Kind, prometheus_label};
use std::{
    collections::HashSet,
    fmt::{self, Display, Write as _},
};

/// The type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics as text, with what is said of this instance as `target_info`. Metrics without a series are there by name, so
/// that what is written into rules and dashboards can be compared with it.
pub fn text(snapshot: &Snapshot, resource: &[(String, String)]) -> String {
    let mut out = String::with_capacity(64 * 1024);
    // Writing into a String cannot fail.
    let _ = write(&mut out, snapshot, resource);
    out
}

fn write(out: &mut String, snapshot: &Snapshot, resource: &[(String, String)]) -> fmt::Result {
    out.push_str("# HELP target_info What is said of this instance.\n# TYPE target_info gauge\n");
    // Two names may be one for Prometheus, which takes nothing of a scrape in which a label stands twice.
    let mut written = HashSet::new();
    let labels = resource.iter().map(|(name, value)| (prometheus_label(name), value.as_str()));
    let labels = labels.filter(|(name, _)| written.insert(name.clone()));
    line(out, "target_info", labels, None, 1)?;
    for family in &snapshot.families {
        let name = family.metric.prometheus_name();
        let kind = match family.metric.kind {
            Kind::Counter { .. } => "counter",
            Kind::Gauge | Kind::UpDown => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", family.metric.help.replace('\\', "\\\\"))?;
        of_family(out, &name, family)?;
    }
    Ok(())
}

fn of_family(out: &mut String, name: &str, family: &Family) -> fmt::Result {
    for point in &family.points {
        let labels = || family.labels(point).map(|(name, value)| (prometheus_label(name), value));
        match (&point.value, family.metric.kind) {
            (Value::Distribution { buckets, sum }, Kind::Histogram(bounds)) => {
                let mut below = 0;
                let bounds = bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
                for (bucket, bound) in buckets.iter().zip(bounds) {
                    below += bucket;
                    line(out, &format!("{name}_bucket"), labels(), Some(&bound), below)?;
                }
                line(out, &format!("{name}_sum"), labels(), None, sum)?;
                line(out, &format!("{name}_count"), labels(), None, below)?;
            }
            (Value::Number(number), _) => line(out, name, labels(), None, number)?,
            (Value::Distribution { .. }, _) => {}
        }
    }
    Ok(())
}

fn line<'a>(
    out: &mut String,
    name: &str,
    labels: impl Iterator<Item = (String, &'a str)>,
    bound: Option<&str>,
    value: impl Display,
) -> fmt::Result {
    out.push_str(name);
    let mut between = '{';
    for (name, value) in labels {
        pair(out, &mut between, &name, value)?;
    }
    if let Some(bound) = bound {
        pair(out, &mut between, "le", bound)?;
    }
    if between == ',' {
        out.push('}');
    }
    writeln!(out, " {value}")
}

fn pair(out: &mut String, between: &mut char, name: &str, value: &str) -> fmt::Result {
    write!(out, "{between}{name}=\"")?;
    *between = ',';
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metrics::Registry,
        names::metrics::{ALL, DB_SLOW_QUERIES, RENDER_DURATION},
    };
    use std::time::Duration;

    #[test]
    fn series_are_written_as_prometheus_reads_them() {
        let registry = Registry::new();
        registry.counter(&DB_SLOW_QUERIES, &["SELECT \"Or\\der\"\n", ""]).add(3);
        let render = registry.histogram(&RENDER_DURATION, &["/a/:b", "isr", "request", "ok"]);
        [4, 40, 40_000].iter().for_each(|ms| render.record(Duration::from_millis(*ms)));
        let text = text(&registry.snapshot(), &[("service.name".into(), "shop".into())]);
        let labels = "http_route=\"/a/:b\",tropos_mode=\"isr\",tropos_render_cause=\"request\",tropos_render_outcome=\"ok\"";
        for line in [
            "target_info{service_name=\"shop\"} 1\n".to_owned(),
            // What is absent is left out.
            "tropos_db_slow_queries_total{db_query_summary=\"SELECT \\\"Or\\\\der\\\"\\n\"} 3\n".to_owned(),
            format!("tropos_render_duration_seconds_bucket{{{labels},le=\"0.005\"}} 1\n"),
            format!("tropos_render_duration_seconds_bucket{{{labels},le=\"0.05\"}} 2\n"),
            format!("tropos_render_duration_seconds_bucket{{{labels},le=\"10\"}} 2\n"),
            format!("tropos_render_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 3\n"),
            format!("tropos_render_duration_seconds_sum{{{labels}}} 40.044\n"),
            format!("tropos_render_duration_seconds_count{{{labels}}} 3\n"),
        ] {
            assert!(text.contains(&line), "{line} in\n{text}");
        }
    }

    #[test]
    fn each_label_of_the_instance_is_written_once_and_is_one() {
        let resource = [("k8s.pod.name", "a"), ("k8s_pod_name", "b"), ("2nd", "c"), ("ö", "d")];
        let resource = resource.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = text(&Registry::new().snapshot(), &resource);
        let line = text.lines().find(|line| line.starts_with("target_info{"));
        assert_eq!(line, Some("target_info{k8s_pod_name=\"a\",_2nd=\"c\",_=\"d\"} 1"));
    }

    #[test]
    fn every_metric_is_there_by_name_and_type() {
        let text = text(&Registry::new().snapshot(), &[]);
        for metric in ALL {
            assert!(text.contains(&format!("# TYPE {} ", metric.prometheus_name())), "{}", metric.name);
        }
        assert!(text.contains("target_info 1\n"));
    }
}
