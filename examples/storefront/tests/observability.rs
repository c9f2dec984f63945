//! The shop under Prometheus, with the rules and dashboards that `cargo tropos deploy observability` writes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tropos_cases::server::{Server, Settings};
use tropos_parts::{Postgres, Prometheus, PrometheusOptions, promtool};

/// Where the command's own tests hold what it writes.
fn written() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("framework/cli/tests/cmd/deploy.out/shop/deploy/observability")
}

async fn start(extra: &[(&str, String)]) -> Server {
    let binary = env!("CARGO_BIN_EXE_storefront").into();
    let extra = extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Server::start(Settings { binary, upstream_url: String::new(), token: None, extra }).await.unwrap()
}

async fn metrics(server: &Server) -> String {
    server.admin().get("/metrics").await.unwrap().text().into_owned()
}

/// Names that an expression of PromQL asks for, apart from those of labels and functions.
fn asked(expression: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut labels = 0;
    let mut word = String::new();
    // What comes before an opening parenthesis, and what is in those of `by` and `on`, names no metric.
    let mut before = String::new();
    for c in expression.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | ':') {
            word.push(c);
            continue;
        }
        let is_name = ["tropos", "http_", "db_"].iter().any(|start| word.starts_with(start));
        if labels == 0 && c != '(' && is_name {
            names.insert(word.clone());
        }
        if !word.is_empty() {
            before = std::mem::take(&mut word);
        }
        match c {
            '{' => labels += 1,
            '(' if labels > 0 || matches!(before.as_str(), "by" | "on") => labels += 1,
            '}' | ')' if labels > 0 => labels -= 1,
            _ => {}
        }
        if c == '(' {
            before.clear();
        }
    }
    names
}

/// All expressions: of rules, by the lines that follow `expr:`; of dashboards, by their key.
fn expressions() -> Vec<(String, String)> {
    let folder = written();
    let rules = fs::read_to_string(folder.join("rules.yaml")).unwrap();
    let mut all = Vec::new();
    let mut lines = rules.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(text) = line.trim().strip_prefix("expr: ") else { continue };
        let mut text = text.trim_start_matches('|').to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("          ")) {
            text.push_str(more);
        }
        all.push(("rules.yaml".to_owned(), text));
    }
    for file in fs::read_dir(folder.join("dashboards")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            if let Some(text) = line.trim().strip_prefix("\"expr\": \"") {
                all.push((
                    name.clone(),
                    text.trim_end_matches(',').trim_end_matches('"').replace("\\\"", "\""),
                ));
            }
        }
    }
    all
}

#[tokio::test]
async fn every_metric_of_rules_and_dashboards_is_one_that_a_running_shop_tells() {
    let server = start(&[]).await;
    let text = metrics(&server).await;
    let kinds: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let recorded: BTreeSet<String> = fs::read_to_string(written().join("rules.yaml"))
        .unwrap()
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("- record: ")?.to_owned()))
        .collect();
    let all = expressions();
    assert!(all.len() > 100, "{}", all.len());
    for (file, expression) in all {
        let names = asked(&expression);
        assert!(!names.is_empty() || file == "rules.yaml", "{file}: {expression}");
        for name in names {
            let of_histogram = ["_bucket", "_sum", "_count"]
                .iter()
                .any(|end| name.strip_suffix(end).and_then(|name| kinds.get(name)) == Some(&"histogram"));
            let known = of_histogram || kinds.get(name.as_str()).is_some_and(|kind| *kind != "histogram");
            assert!(
                known || recorded.contains(&name),
                "{file}: there is no {name}, of which it asks\n{expression}"
            );
        }
    }
}

#[test]
fn names_are_told_from_labels_and_functions() {
    let names = asked(
        "sum by (http_route, le) (rate(http_a_count{tropos_mode=~\"x\"}[5m])) / on (tropos_x) tropos:b:ratio1h > 0.1 and db_c",
    );
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["db_c", "http_a_count", "tropos:b:ratio1h"]);
}

#[tokio::test]
async fn promtool_finds_no_fault_with_what_is_written() {
    if !tropos_parts::has_prometheus() {
        eprintln!("skipped: Prometheus is not installed");
        return;
    }
    let folder = written();
    for words in [
        ["check", "rules", "rules.yaml"],
        ["test", "rules", "rules.test.yaml"],
        ["test", "rules", "rules.day.test.yaml"],
        ["check", "config", "prometheus.yaml"],
    ] {
        promtool(&folder, &words).await.unwrap();
    }
}

/// The same rules in sixty times the pace, but for the three days, which no test waits for.
fn accelerated(rules: &str) -> String {
    let mut rules = rules.to_owned();
    for (from, to) in [("5m", "5s"), ("10m", "10s"), ("30m", "30s"), ("1h", "1m"), ("6h", "6m")] {
        rules = rules.replace(&format!("[{from}]"), &format!("[{to}]"));
    }
    for minutes in ["1", "2", "5", "10", "15"] {
        rules = rules.replace(&format!("for: {minutes}m\n"), &format!("for: {minutes}s\n"));
    }
    rules
}

/// The alerts of a name that fire, each as its JSON.
async fn firing(prometheus: &Prometheus, name: &str) -> Vec<String> {
    let all = prometheus.alerts().await.unwrap();
    let name = format!("\"alertname\":\"{name}\"");
    let alerts = all.split("{\"labels\":").skip(1);
    alerts.filter(|it| it.contains(&name) && it.contains("\"state\":\"firing\"")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_query_that_gets_slow_fires_within_half_a_minute_and_names_the_page_that_suffers() {
    if !tropos_parts::has_postgres() || !tropos_parts::has_prometheus() {
        eprintln!("skipped: PostgreSQL or Prometheus is not installed");
        return;
    }
    let postgres = Postgres::start().await.unwrap();
    let server =
        start(&[("DATABASE_URL", postgres.url("postgres")), ("DATABASE_SLOW_MS", "100".into())]).await;
    let rules = accelerated(&fs::read_to_string(written().join("rules.yaml")).unwrap());
    let admin = server.admin().authority().parse().unwrap();
    let prometheus = PrometheusOptions::new().target("shop", admin).rules(&rules).start().await.unwrap();

    let ask = async |path: &str| assert_eq!(server.http().get(path).await.unwrap().status, 200, "{path}");
    let pages = async || {
        for path in ["/search?q=red&whole=true", "/", "/basket"] {
            ask(path).await;
        }
    };
    // It is scraped, and has its series.
    let began = Instant::now();
    loop {
        pages().await;
        let up = prometheus.query("up{job=\"shop\"} == 1").await.unwrap();
        let series = prometheus
            .query("http_server_request_duration_seconds_count{job=\"shop\",http_route=\"/search\",tropos_mode=\"server\"} > 0")
            .await
            .unwrap();
        if up.contains("\"value\"") && series.contains("\"value\"") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{up}\n{series}\n{}", prometheus.log_tail());
        sleep(Duration::from_millis(200)).await;
    }
    let before = firing(&prometheus, "TroposSlowQueries").await;

    // The table becomes a view that takes its time: as after a plan that has changed for the worse.
    let slow = "alter table product rename to product_of_old; \
                create view product as select * from product_of_old where (select pg_sleep(0.2))::text = ''";
    postgres.psql("postgres", slow).await.unwrap();
    let began = Instant::now();
    let found = loop {
        ask("/search?q=red&whole=true").await;
        let found = firing(&prometheus, "TroposSlowQueries").await;
        let names = |it: &String| it.contains("\"http_route\":\"/search\"") && it.contains("SELECT product");
        if let Some(found) = found.into_iter().find(names) {
            break found;
        }
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{}\n{}",
            prometheus.alerts().await.unwrap(),
            metrics(&server).await
        );
    };
    assert!(!before.iter().any(|it| it.contains("/search")), "it fired before: {before:?}");
    assert!(found.contains("shop: /search waits for slow queries: SELECT product"), "{found}");
    eprintln!("fired after {:?}", began.elapsed());
}
