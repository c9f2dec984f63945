//! Prometheus, which scrapes what a test runs.

use crate::{
    Error, PATIENCE,
    poll::blocking,
    program::{Program, free_addresses},
    run,
};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

const PACKAGE: &str = "prometheus";

/// Tests of rules run through hours of theirs: two seconds of a core, of which a busy machine has few to give.
const JUDGED_WITHIN: Duration = Duration::from_secs(60);

/// How Prometheus is to be started.
#[derive(Debug, Clone)]
pub struct PrometheusOptions {
    interval: String,
    targets: Vec<(String, SocketAddr)>,
    rules: Option<String>,
}

impl Default for PrometheusOptions {
    fn default() -> Self {
        Self { interval: "1s".to_owned(), targets: Vec::new(), rules: None }
    }
}

impl PrometheusOptions {
    /// One that scrapes nothing but each second.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it scrapes and evaluates its rules, as Prometheus spells it (`500ms`).
    #[must_use]
    pub fn interval(mut self, interval: &str) -> Self {
        interval.clone_into(&mut self.interval);
        self
    }

    /// Has it scrape `/metrics` there, under the name of a job.
    #[must_use]
    pub fn target(mut self, job: &str, address: SocketAddr) -> Self {
        self.targets.push((job.to_owned(), address));
        self
    }

    /// The text of its rules.
    #[must_use]
    pub fn rules(mut self, rules: &str) -> Self {
        self.rules = Some(rules.to_owned());
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// When Prometheus is not installed, its rules are none, or it does not answer within [`PATIENCE`].
    pub async fn start(self) -> Result<Prometheus, Error> {
        blocking(move || start(&self).map(|server| Prometheus(Arc::new(server)))).await
    }

    fn configuration(&self) -> String {
        let interval = &self.interval;
        let mut text = format!(
            "global:\n  scrape_interval: {interval}\n  scrape_timeout: {interval}\n  evaluation_interval: {interval}\n"
        );
        if self.rules.is_some() {
            text += "rule_files: [rules.yaml]\n";
        }
        text += "scrape_configs:\n";
        for (job, address) in &self.targets {
            text += &format!("  - job_name: '{job}'\n    static_configs: [{{targets: ['{address}']}}]\n");
        }
        text
    }
}

/// A Prometheus of its own, killed when this is dropped.
#[derive(Debug)]
pub struct Prometheus(Arc<Server>);

/// The fields are dropped in this order: the process ends before its folder goes.
#[derive(Debug)]
struct Server {
    program: Program,
    address: SocketAddr,
    _folder: TempDir,
}

impl Prometheus {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// What `expression` gives now, as Prometheus answers it: JSON.
    ///
    /// # Errors
    /// [`Error::Refused`] where it does not like the expression, [`Error::Io`] where it does not answer.
    pub async fn query(&self, expression: &str) -> Result<String, Error> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.get(format!("/api/v1/query?query={encoded}")).await
    }

    /// The alerts that are pending or firing, as JSON.
    ///
    /// # Errors
    /// [`Error::Io`] where it does not answer.
    pub async fn alerts(&self) -> Result<String, Error> {
        self.get("/api/v1/alerts".to_owned()).await
    }

    /// The last lines that it wrote.
    pub fn log_tail(&self) -> String {
        self.0.program.tail()
    }

    async fn get(&self, target: String) -> Result<String, Error> {
        let address = self.0.address;
        blocking(move || get(address, &target)).await
    }
}

/// Has promtool judge files: `check rules FILE`, `test rules FILE`. Gives what it printed.
///
/// # Errors
/// When it is not installed; [`Error::Refused`] with what it says where it finds fault.
pub async fn promtool(folder: &Path, words: &[&str]) -> Result<String, Error> {
    let (folder, words) =
        (folder.to_owned(), words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    blocking(move || {
        let mut command = Command::new("promtool");
        command.args(&words).current_dir(folder);
        run::run_within(JUDGED_WITHIN, &mut command, "promtool", PACKAGE, &words.join(" "), Stdio::null())
    })
    .await
}

fn start(options: &PrometheusOptions) -> Result<Server, Error> {
    let folder = TempDir::with_prefix("prometheus-").map_err(Error::io("making a folder for Prometheus"))?;
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).map_err(Error::io(format!("writing {name}")))
    };
    write("prometheus.yaml", &options.configuration())?;
    options.rules.iter().try_for_each(|rules| write("rules.yaml", rules))?;
    let [address] = free_addresses()?;
    let program = Program::new("prometheus", folder.path().join("log"));
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--web.listen-address={address}"))
        .args(["--config.file=prometheus.yaml", "--storage.tsdb.path=data", "--log.level=warn"])
        .current_dir(folder.path());
    program.spawn(&mut command, PACKAGE)?;
    program.until(PATIENCE, "Prometheus did not answer", || {
        program.check()?;
        Ok(get(address, "/-/ready").ok().map(drop))
    })?;
    Ok(Server { program, address, _folder: folder })
}

/// The body of an answer; its end is that of the connection.
fn get(address: SocketAddr, target: &str) -> Result<String, Error> {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("GET {target} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(Error::io(format!("asking {address}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(Error::Refused { command: target.to_owned(), answer: body.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_scrapes_itself_and_judges_its_rules() {
        if !crate::has_prometheus() {
            eprintln!("skipped: Prometheus is not installed");
            return;
        }
        let rules = "groups: [{name: a, rules: [{alert: Always, expr: vector(1) > 0, labels: {b: c}}]}]";
        let prometheus = PrometheusOptions::new().interval("200ms").rules(rules).start().await.unwrap();
        let server = prometheus.0.clone();
        assert_eq!(prometheus.address(), server.address);
        let firing = blocking(move || {
            server.program.until(PATIENCE, "nothing fired", || {
                Ok(get(server.address, "/api/v1/alerts")?.contains("\"state\":\"firing\"").then_some(()))
            })
        });
        firing.await.unwrap();
        assert!(prometheus.query("1 + 1").await.unwrap().contains("\"2\""));
        assert!(matches!(prometheus.query("1 +").await, Err(Error::Refused { .. })));
    }

    #[tokio::test]
    async fn rules_that_are_none_are_refused() {
        if !crate::has_prometheus() {
            eprintln!("skipped: Prometheus is not installed");
            return;
        }
        assert!(
            PrometheusOptions::new().rules("groups: [{name: a, rules: [{alert: A}]}]").start().await.is_err()
        );
    }
}
