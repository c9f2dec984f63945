//! Counts, in the text form that Prometheus reads.

mod cache;
mod db;

use crate::site::Site;
use axum::extract::State;
use std::{fmt::Write as _, sync::Arc};

/// `GET /metrics` on the admin listener.
pub(super) async fn exposition(State(site): State<Arc<Site>>) -> ([(&'static str, &'static str); 1], String) {
    let mut text = Text::default();
    cache::write(&mut text, &site.engine.stats());
    if let Some(db) = site.db() {
        db::write(&mut text, &db.stats());
    }
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], text.0)
}

/// The text as it grows.
#[derive(Debug, Default)]
struct Text(String);

impl Text {
    /// A metric with its values, each under its labels: `pool="reads",state="idle"`.
    fn metric<V: std::fmt::Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = match labels.as_str() {
                "" => writeln!(self.0, "{name} {value}"),
                labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
            };
        }
    }
}

/// A label with its value, in which quotation marks, backslashes and line ends are escaped.
fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_cache::Engine;
    use tropos_core::ManualClock;
    use tropos_db::{Config, Db};

    #[tokio::test]
    async fn each_metric_has_its_help_its_type_and_its_values() {
        let engine = Engine::in_memory(Arc::new(ManualClock::new()));
        engine.invalidate(&["a".into()], tropos_cache::Strength::Hard).await.unwrap();
        let database: Db = Db::connect(&Config::new("sqlite::memory:")).await.unwrap();
        let mut text = Text::default();
        cache::write(&mut text, &engine.stats());
        db::write(&mut text, &database.stats());
        let mut lines = text.0.lines().peekable();
        let mut metrics = 0;
        while let Some(help) = lines.next() {
            let name = help.split(' ').nth(2).unwrap();
            assert!(help.starts_with("# HELP "), "{help}");
            let kind = lines.next().unwrap();
            assert!(kind.starts_with(&format!("# TYPE {name} ")), "{kind}");
            assert_eq!(name.ends_with("_total"), kind.ends_with("counter"), "{kind}");
            while let Some(value) = lines.next_if(|line| !line.starts_with('#')) {
                assert!(value.starts_with(name), "{value}");
            }
            metrics += 1;
        }
        assert!(metrics >= 15, "{}", text.0);
        assert!(text.0.contains("tropos_cache_invalidations_total 1\n"), "{}", text.0);
        assert!(text.0.contains("db_client_connection_max{pool=\"main sqlite writes\"} 1\n"), "{}", text.0);
    }

    #[test]
    fn no_label_ends_its_quotation_marks_early() {
        assert_eq!(label("a", "b\"c\\d\ne"), "a=\"b\\\"c\\\\d\\ne\"");
    }
}
