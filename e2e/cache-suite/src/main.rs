//! The cache layer around a small reverse proxy, measured by `http-cache-tests`, the cases by which HTTP caches are
//! compared on cache-tests.fyi.
//!
//! `cache-suite` runs them and holds the result to `expected.txt`: a case that passed may not fail again.
//! `cache-suite proxy --origin http://127.0.0.1:8000` runs the proxy alone.

mod expected;
mod node;
mod proxy;
mod run;

use clap::{Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

/// What any part of this program may fail with: it ends there, and says why.
type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "The cache layer, measured by http-cache-tests")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The folder with `node_modules`, `required.mjs` and `expected.txt`
    #[arg(long, default_value = env!("CARGO_MANIFEST_DIR"))]
    folder: PathBuf,
    /// Write what passed and failed to `expected.txt`, and keep the reasons that stand there
    #[arg(long)]
    bless: bool,
    /// Print the result of every case that did not pass, whether it counts or not
    #[arg(long)]
    all: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run the proxy alone
    Proxy {
        /// Where it forwards to, such as http://127.0.0.1:8000
        #[arg(long)]
        origin: http::Uri,
        /// Where it listens
        #[arg(long, default_value = "127.0.0.1:8080")]
        addr: SocketAddr,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Proxy { origin, addr }) => proxy::serve(addr, origin).await.map(|()| true),
        None => run::suite(&arguments.folder, arguments.bless, arguments.all).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cache-suite: {error}");
            ExitCode::FAILURE
        }
    }
}
