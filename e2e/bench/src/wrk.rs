//! The load generator, and what it prints.

use serde::Serialize;
use std::process::Stdio;
use tokio::process::Command;
use tropos_cases::check::{Problem, fail};

/// What one run of wrk came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Run {
    /// Requests a second.
    pub(crate) rate: f64,
    /// The latency in milliseconds that 99 of 100 answers kept.
    pub(crate) p99_ms: f64,
}

/// How hard to press.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Load {
    /// Connections, kept open
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: u32,
    /// Threads of wrk
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: u32,
    /// Seconds of each turn
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u32,
}

/// Presses on one address.
///
/// # Errors
/// Where wrk is missing or fails, or an answer was not 2xx or 3xx: such a run measures something else.
pub(crate) async fn run(url: &str, load: Load) -> Result<Run, Problem> {
    run_with(url, load, &[]).await
}

/// The same, with these lines in each head.
///
/// # Errors
/// As [`run`].
pub(crate) async fn run_with(url: &str, load: Load, headers: &[&str]) -> Result<Run, Problem> {
    let output = Command::new("wrk")
        .args([
            format!("-t{}", load.threads),
            format!("-c{}", load.connections),
            format!("-d{}s", load.seconds),
        ])
        .args(headers.iter().flat_map(|line| ["-H", line]))
        .args(["--latency", url])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| {
            Problem::Failed(format!("wrk could not be run: {error}; install the package `wrk`"))
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return fail(format!("wrk failed on {url}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    }
    parse(&text).map_err(|why| Problem::Failed(format!("{url}: {why}\n{text}")))
}

fn parse(text: &str) -> Result<Run, String> {
    let after = |start: &str| text.lines().find_map(|line| line.trim().strip_prefix(start)).map(str::trim);
    for trouble in ["Non-2xx or 3xx responses:", "Socket errors:"] {
        if let Some(found) = after(trouble) {
            return Err(format!("{trouble} {found}"));
        }
    }
    let rate = after("Requests/sec:").and_then(|rate| rate.parse().ok());
    let p99 = after("99%").and_then(milliseconds);
    match (rate, p99) {
        (Some(rate), Some(p99_ms)) => Ok(Run { rate, p99_ms }),
        _ => Err("wrk printed no rate or no 99th percentile".to_owned()),
    }
}

/// `1.19ms`, `850.00us`, `1.02s`.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0), ("m", 60_000.0)];
    units.into_iter().find_map(|(unit, factor)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * factor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
Running 4s test @ http://127.0.0.1:38080/demand/x
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   754.60us  340.90us   8.21ms   88.45%
    Req/Sec    92.91k     3.40k   97.38k    90.00%
  Latency Distribution
     50%  707.00us
     99%    1.19ms
  369840 requests in 4.00s, 440.94MB read
Requests/sec:  92408.02
Transfer/sec:    110.17MB
";

    #[test]
    fn rate_and_tail_are_read_from_what_wrk_prints() {
        assert_eq!(parse(OUTPUT), Ok(Run { rate: 92_408.02, p99_ms: 1.19 }));
    }

    #[test]
    fn a_run_with_errors_counts_for_nothing() {
        let errors = format!("{OUTPUT}  Non-2xx or 3xx responses: 12\n");
        assert_eq!(parse(&errors), Err("Non-2xx or 3xx responses: 12".to_owned()));
        let errors = format!("{OUTPUT}  Socket errors: connect 0, read 5, write 0, timeout 0\n");
        assert!(parse(&errors).is_err());
    }

    #[test]
    fn latencies_come_in_three_units() {
        for (text, expected) in [("850.00us", 0.85), ("1.5ms", 1.5), ("2s", 2000.0)] {
            assert!((milliseconds(text).unwrap() - expected).abs() < 1e-9, "{text}");
        }
        assert_eq!(milliseconds("fast"), None);
    }
}
