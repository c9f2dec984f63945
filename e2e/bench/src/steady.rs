//! How long answers take at a rate that the server can well sustain.
//!
//! A generator that waits for each answer before it asks again measures the server's pace, not its readers' patience. Here
//! each request has its moment, and its latency counts from that moment, also where the connection was still busy.

use crate::{Target, json, memory, table::median};
use serde::Serialize;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tropos_cases::{
    check::{Problem, fail},
    server::{Server, Settings},
    upstream::Upstream,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    /// Requests a second, over all connections
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// Connections, kept open
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Seconds of each turn
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Turns; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// What is asked for
    #[arg(long, default_value = "/demand/bench")]
    path: String,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p999: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    rate: u32,
    turns: Vec<Latency>,
    resident_kib: u64,
}

/// Measures, and gives the result.
///
/// # Errors
/// Where something is missing, does not start, or answers with an error.
pub(crate) async fn run(options: &Options) -> Result<String, Problem> {
    let upstream = Upstream::start("127.0.0.1:0").await?;
    upstream.set("demand-bench", &"b".repeat(5_300));
    let server = Server::start(Settings {
        binary: options.target.server.clone(),
        upstream_url: upstream.url(),
        token: None,
        extra: options.target.environment(),
    })
    .await?;
    let client = server.http();
    let page = client.get(&options.path).await?;
    if page.status != 200 {
        return fail(format!("{} answered {}", options.path, page.status));
    }
    let mut turns = Vec::new();
    for _ in 0..options.rounds {
        turns.push(turn(client.authority(), options).await?);
    }
    let resident_kib = server.id().map(memory::resident).transpose()?.unwrap_or_default();
    let report = Report { rate: options.rate, turns, resident_kib };
    if options.target.json {
        return json(&report);
    }
    let of =
        |field: fn(&Latency) -> f64| median(report.turns.iter().map(field).collect()).unwrap_or_default();
    Ok(format!(
        "{} requests/s over {} connections, medians of {} turns: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms; resident {:.1} MiB",
        options.rate,
        options.connections,
        options.rounds,
        of(|latency| latency.p50),
        of(|latency| latency.p99),
        of(|latency| latency.p999),
        report.resident_kib as f64 / 1024.0,
    ))
}

async fn turn(authority: &str, options: &Options) -> Result<Latency, Problem> {
    let every = Duration::from_secs(1) * options.connections / options.rate.max(1);
    let each = options.rate / options.connections.max(1) * options.seconds;
    let begin = Instant::now() + Duration::from_millis(100);
    let tasks: Vec<_> = (0..options.connections)
        .map(|number| {
            let request = format!("GET {} HTTP/1.1\r\nHost: {authority}\r\n\r\n", options.path);
            let begin = begin + every * number / options.connections.max(1);
            tokio::spawn(connection(authority.to_owned(), request, begin, every, each))
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.map_err(|error| Problem::Failed(error.to_string()))??);
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        let place = (latencies.len() as f64 * share) as usize;
        latencies.get(place).or(latencies.last()).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    };
    Ok(Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999) })
}

/// Asks at its moments; gives the latencies in microseconds.
async fn connection(
    authority: String,
    request: String,
    begin: Instant,
    every: Duration,
    each: u32,
) -> Result<Vec<u32>, Problem> {
    let mut stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut latencies = Vec::with_capacity(each as usize);
    for number in 0..each {
        let moment = begin + every * number;
        // A timer's own lateness, up to a millisecond, is not the server's; a busy connection is.
        let moment = if Instant::now() < moment {
            sleep_until(moment).await;
            Instant::now()
        } else {
            moment
        };
        stream.write_all(request.as_bytes()).await?;
        answer(&mut stream, &mut buffer).await?;
        latencies.push(u32::try_from(moment.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(latencies)
}

/// Reads one answer that names its length.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(), Problem> {
    let (mut held, mut whole) = (0, None);
    loop {
        let Some(room) = buffer.get_mut(held..).filter(|room| !room.is_empty()) else {
            return fail("an answer was longer than 64 KiB");
        };
        let read = stream.read(room).await?;
        if read == 0 {
            return fail("the server closed the connection");
        }
        held += read;
        whole = whole.or_else(|| length(buffer.get(..held).unwrap_or_default()));
        if whole.is_some_and(|whole| held >= whole) {
            return Ok(());
        }
    }
}

/// The bytes of head and body, once the head is there.
fn length(held: &[u8]) -> Option<usize> {
    let end = held.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(held.get(..end)?).ok()?;
    let named = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some(end + named.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_head_says() {
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Le"), None);
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), Some(38 + 5));
    }
}
