//! `cargo tropos revalidate`: an invalidation over HTTP.

use crate::{Error, args, server, terminal};
use serde::{Deserialize, Serialize};
use std::{process::ExitCode, time::Duration};

/// Where every server takes invalidations.
const PATH: &str = "/_tropos/revalidate";

/// An invalidation waits for the store at most; beyond it, the caller should know.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize)]
struct Body<'a> {
    tags: &'a [String],
    paths: &'a [String],
    prefixes: &'a [String],
    soft: bool,
    warm: bool,
    report: bool,
}

#[derive(Debug, Deserialize)]
struct Answer {
    sequence: u64,
    report: Option<Report>,
}

/// What was hit in the memory of the server that was asked.
#[derive(Debug, Deserialize)]
struct Report {
    complete: bool,
    names: Vec<Hit>,
}

#[derive(Debug, Deserialize)]
struct Hit {
    tag: Option<String>,
    path: Option<String>,
    prefix: Option<String>,
    pages: u64,
    data: u64,
}

/// Sends the names and prints the sequence that the invalidation took, and what it hit.
///
/// # Errors
/// Where there is no token, the server cannot be reached, or refuses.
pub(crate) fn run(options: &args::Revalidate) -> Result<ExitCode, Error> {
    let token = options.token.as_deref().filter(|token| !token.is_empty()).ok_or(Error::NoToken)?;
    let url = server::address(&options.url, PATH);
    let body = Body {
        tags: &options.tags,
        paths: &options.paths,
        prefixes: &options.prefixes,
        soft: options.soft,
        warm: options.warm,
        report: !options.quiet,
    };
    let body =
        serde_json::to_vec(&body).map_err(|source| Error::Json { what: "the request".into(), source })?;
    let request = server::agent(TIMEOUT)
        .post(&url)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    let text = server::read(&url, request.send(&body), meaning)?;
    let answer: Answer = serde_json::from_str(&text)
        .map_err(|source| Error::Json { what: format!("the answer of {url}"), source })?;
    match options.json {
        true => terminal::print(&format!("{}\n", text.trim_end())),
        false => terminal::print(&shown(&answer)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The sequence, and a line for each name.
fn shown(answer: &Answer) -> String {
    let mut text = format!("sequence {}\n", answer.sequence);
    let Some(report) = &answer.report else { return text };
    let named: Vec<_> = report.names.iter().map(|hit| (hit.name(), hit)).collect();
    let width = named.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, Hit { pages, data, .. }) in named {
        text.push_str(&format!("  {name:<width$}  pages {pages}, data {data}\n"));
    }
    if !report.complete {
        text.push_str("  (not all entries were counted)\n");
    }
    text
}

impl Hit {
    fn name(&self) -> String {
        let of = |kind: &str, name: &Option<String>| name.as_ref().map(|name| format!("{kind} {name}"));
        let named = of("tag", &self.tag).or_else(|| of("path", &self.path));
        named.or_else(|| of("prefix", &self.prefix)).unwrap_or_default()
    }
}

/// What a refusal means for whoever typed the command.
fn meaning(status: u16, body: &str) -> String {
    match status {
        401 => "the token is not the server's; compare TROPOS_REVALIDATE_TOKEN here and there".into(),
        404 => {
            "the server was started without TROPOS_REVALIDATE_TOKEN, so it takes no invalidations over HTTP"
                .into()
        }
        413 => "over 1,000 names in one request; send them in several".into(),
        503 => "the shared store is out of reach, so nothing was invalidated; try again".into(),
        _ => server::first_line(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread::JoinHandle,
    };

    /// Answers one request with this, and gives back what was asked.
    fn server(answer: &'static str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4_096];
            while !request.ends_with(b"}") {
                let length = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        (url, thread)
    }

    fn send(url: &str, token: Option<&str>) -> Result<ExitCode, Error> {
        let arguments = [
            "cargo-tropos",
            "revalidate",
            "--tag",
            "product-42",
            "--prefix",
            "/blog",
            "--soft",
            "--url",
            url,
        ];
        let args::Command::Revalidate(mut options) = args::Args::parse_from(arguments).command else {
            panic!()
        };
        options.token = token.map(str::to_owned);
        run(&options)
    }

    #[test]
    fn names_and_token_reach_the_server() {
        let (url, thread) = server("HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"sequence\":7}");
        assert!(send(&url, Some("secret")).is_ok());
        let request = thread.join().unwrap();
        assert!(request.starts_with("POST /_tropos/revalidate HTTP/1.1\r\n"), "{request}");
        assert!(request.to_ascii_lowercase().contains("authorization: bearer secret\r\n"), "{request}");
        assert!(
            request.ends_with(r#"{"tags":["product-42"],"paths":[],"prefixes":["/blog"],"soft":true,"warm":false,"report":true}"#),
            "{request}"
        );
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let (url, thread) = server("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
        let error = send(&url, Some("wrong")).unwrap_err().to_string();
        assert!(error.contains("answered 401") && error.contains("TROPOS_REVALIDATE_TOKEN"), "{error}");
        thread.join().unwrap();
    }

    #[test]
    fn without_a_token_nothing_is_sent() {
        assert!(matches!(send("http://127.0.0.1:1", None), Err(Error::NoToken)));
        assert!(matches!(send("http://127.0.0.1:1", Some("")), Err(Error::NoToken)));
    }

    #[test]
    fn nobody_listening_is_said_with_the_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = send(&format!("http://{address}"), Some("t")).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("Is the server running"), "{error}");
    }

    #[test]
    fn each_name_is_shown_with_what_it_hit() {
        let json = r#"{"sequence":7,"report":{"complete":false,"names":[{"tag":"product-42","pages":3,"data":1},{"prefix":"/a","pages":0,"data":0}]}}"#;
        let expected = "sequence 7\n  tag product-42  pages 3, data 1\n  prefix /a       pages 0, data 0\n  (not all entries were counted)\n";
        assert_eq!(shown(&serde_json::from_str(json).unwrap()), expected);
        assert_eq!(shown(&serde_json::from_str(r#"{"sequence":7}"#).unwrap()), "sequence 7\n");
    }
}
