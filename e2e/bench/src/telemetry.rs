//! What telling a collector of everything costs: the same page with it and without.
//!
//! Two collectors: one that takes whatever it is sent, and one that takes the connection and never answers. Sampling is what a
//! server does by default.

use crate::{server::Started, turns::Turns};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tropos_cases::check::Problem;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    turns: Turns,
}

/// Measures, and gives the table.
///
/// # Errors
/// Where wrk is missing, or a server does not start or answers with an error.
pub(crate) async fn run(options: &Options) -> Result<String, Problem> {
    let mut report = options.turns.report(["off", "told"]);
    let off = Started::start(&[]).await?;
    for (collector, answers) in [("a collector", true), ("a dead collector", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let collecting = tokio::spawn(collect(listener, answers));
        let told = Started::start(&["--collector", &address]).await?;
        let pages = [("a hit", "/page"), ("a `server` page", "/rendered"), ("one with a query", "/queried")];
        for (page, path) in pages {
            report.compare(format!("{page}, {collector}"), path, &off, &told).await?;
        }
        told.stop().await?;
        collecting.abort();
    }
    off.stop().await?;
    report.finish()
}

/// Takes messages, and answers each with 200 and an empty message, which is a whole success, or with nothing at all.
async fn collect(listener: TcpListener, answers: bool) {
    let mut held = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        match answers {
            true => drop(tokio::spawn(take(stream))),
            // As many as a server opens: one, which is tried again at its time limit.
            false => held.push(stream),
        }
    }
}

async fn take(mut stream: TcpStream) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let length = length.and_then(|length| length.parse::<u64>().ok()).unwrap_or_default();
        let taken = tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if taken.is_err() || stream.write_all(answer).await.is_err() {
            return;
        }
        head.clear();
    }
}
