//! `cargo tropos explain`: why a path would hit or miss, as the admin listener says it.

use crate::{Error, args, near, server, table::Route, terminal};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{process::ExitCode, time::Duration};
use tropos_core::explain::Explanation;

/// Where every admin listener explains.
const PATH: &str = "/explain";

/// Where it lists the routes.
const ROUTES: &str = "/routes";

/// Facts that are at hand, one of them perhaps on disk.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks, and prints the facts as text or as the JSON that came.
///
/// # Errors
/// Where the admin listener cannot be reached, or refuses.
pub(crate) fn run(options: &args::Explain) -> Result<ExitCode, Error> {
    let url = address(options);
    let text = server::read(&url, server::agent(TIMEOUT).get(&url).call(), meaning)?;
    let explanation: Explanation = serde_json::from_str(&text)
        .map_err(|source| Error::Json { what: format!("the answer of {url}"), source })?;
    match options.json {
        true => terminal::print(&format!("{text}\n")),
        false => {
            terminal::print(&explanation.to_string());
            if explanation.route.is_none()
                && let Some(meant) = meant(options)
            {
                terminal::print(&format!("  did you mean  {meant}\n"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The route that was probably meant; none where the admin listener does not say which there are.
fn meant(options: &args::Explain) -> Option<String> {
    let url = server::address(&options.url, ROUTES);
    let text = server::read(&url, server::agent(TIMEOUT).get(&url).call(), meaning).ok()?;
    let routes: Vec<Route> = serde_json::from_str(&text).ok()?;
    near::route(&options.path, routes.iter().map(|route| route.pattern.as_str())).map(str::to_owned)
}

fn address(options: &args::Explain) -> String {
    let path = utf8_percent_encode(&options.path, NON_ALPHANUMERIC);
    format!("{}?path={path}", server::address(&options.url, PATH))
}

/// What a refusal means for whoever typed the command.
fn meaning(status: u16, body: &str) -> String {
    match status {
        404 => "nothing is explained there: --url names the admin listener (TROPOS_ADMIN_ADDR), not the public one"
            .into(),
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
    };

    const ANSWER: &str = r#"{"asked":"/a?b=c d","route":null,"query":null,"key":null,"tags":[],"sequence":1,"entry":null,"verdict":{"answer":"refused","status":404,"why":"no-route","detail":null},"cache_status":null,"last_unstored":null}"#;

    /// Answers one request with this, and gives back the first line of what was asked.
    fn ask(answer: &str, arguments: &[&str]) -> (Result<ExitCode, Error>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = listener.local_addr().unwrap().to_string();
        let answer = answer.to_owned();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut buffer) = (Vec::new(), [0; 4_096]);
            while !request.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap().lines().next().unwrap().to_owned()
        });
        let line = ["cargo-tropos", "explain", "--url", &url].into_iter().chain(arguments.iter().copied());
        let args::Command::Explain(options) = args::Args::parse_from(line).command else { panic!() };
        (run(&options), thread.join().unwrap())
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn the_path_and_its_query_reach_the_server_whole() {
        for arguments in [&["/a?b=c d"][..], &["--json", "/a?b=c d"]] {
            let (result, asked) = ask(&ok(ANSWER), arguments);
            assert!(result.is_ok());
            assert_eq!(asked, "GET /explain?path=%2Fa%3Fb%3Dc%20d HTTP/1.1");
        }
    }

    #[test]
    fn an_answer_of_another_kind_says_what_to_look_at() {
        let (result, _) = ask("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", &["/a"]);
        assert!(result.unwrap_err().to_string().contains("TROPOS_ADMIN_ADDR"));
        let (result, _) = ask(&ok("{}"), &["/a"]);
        assert!(result.unwrap_err().to_string().contains("another version"));
    }
}
