//! Holds the built server, and the built Worker in front of it, to the table in `cases/`.
//!
//! ```text
//! cargo run -p tropos-hooks --example table                  # both, of e2e/hooks/dist
//! cargo run -p tropos-hooks --example table -- --bless       # writes what the server answers into the table: read it before you keep it
//! ```
//!
//! The server is started anew for each side, so that both begin with an empty cache and nothing counted. `SERVER` and `WORKER` in the
//! environment name another build; with `WORKER=none` the server alone is asked.

mod file;
mod shown;
mod tokens;

use file::{Case, Step, Table};
use shown::{Side, compare, shown};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::ExitCode,
};
use tropos_cases::{
    check::Problem,
    client::{Client, Request},
    server::{Server, Settings},
};
use tropos_hooks::hooks::STORES;
use tropos_parts::WorkerdOptions;

/// The origin that visitors name: cookies are `Secure` by it, and `http` is sent to `https`.
const ORIGIN: &str = "https://shop.example";
/// All hosts that the table names.
const HOSTS: &str = "shop.example,www.shop.example,a.shop.example,other.example";
/// The secret that edge and server share.
const SECRET: &str = "edge and origin share this secret";
/// The header in which the proxy in front names the visitor, for both sides.
const CLIENT: &str = "x-forwarded-for";

/// What each side answered, by case and step: tags of entries are made by the server, so both sides have the same.
type Tags = HashMap<(String, usize), String>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all of it held.
async fn run() -> Result<bool, Problem> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bless = std::env::args().any(|argument| argument == "--bless");
    let mut tables = file::read(&root.join("cases"))?;
    let mut tags = Tags::new();
    let (mut passed, mut failed) = (0, 0);
    for side in [Side::Server, Side::Edge] {
        if side == Side::Edge && (bless || named("WORKER", root, "").as_os_str() == "none") {
            continue;
        }
        let sum = ask(root, side, &mut tables, &mut tags, bless).await?;
        println!("{side}: {} passed, {} failed", sum.0, sum.1);
        (passed, failed) = (passed + sum.0, failed + sum.1);
    }
    if bless {
        tables.iter().try_for_each(Table::write)?;
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn named(variable: &str, root: &Path, standard: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| root.join("dist").join(standard), PathBuf::from)
}

async fn ask(
    root: &Path,
    side: Side,
    tables: &mut [Table],
    tags: &mut Tags,
    bless: bool,
) -> Result<(u64, u64), Problem> {
    let variables = [
        ("TROPOS_ORIGIN", ORIGIN),
        ("TROPOS_ALLOWED_HOSTS", HOSTS),
        ("TROPOS_TRUSTED_PROXIES", "127.0.0.1"),
        ("TROPOS_EDGE_SECRET", SECRET),
        // Also where a statement is not believed.
        ("TROPOS_LOG", "info,tropos_server::edge=debug"),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let settings = Settings {
        binary: named("SERVER", root, "tropos-hooks"),
        upstream_url: String::new(),
        token: None,
        extra: variables.map(owned).to_vec(),
    };
    let server = Server::start(settings).await?;
    let address = server.http().authority().parse().map_err(|_| Problem::Failed("no address".to_owned()))?;
    let worker = match side {
        Side::Server => None,
        Side::Edge => {
            let options = WorkerdOptions::new()
                .var("TROPOS_ORIGIN", ORIGIN)
                .var("TROPOS_EDGE_SECRET", SECRET)
                .var("TROPOS_CLIENT_IP_HEADER", CLIENT);
            let options = STORES.iter().fold(options, |options, (name, values)| options.store(name, values));
            Some(options.start(&named("WORKER", root, "worker"), address).await?)
        }
    };
    let client = match &worker {
        None => server.http(),
        Some(worker) => Client::new(&worker.url())?,
    };
    let mut sum = (0, 0);
    let mut hits = 0;
    for table in tables {
        for case in &mut table.cases {
            let problems = hold(&client, side, case, tags, &mut hits, bless).await;
            if problems.is_empty() {
                sum.0 += 1;
            } else {
                sum.1 += 1;
                eprintln!("FAIL {side} {}: {}\n{}", table.path.display(), case.name, problems.join("\n"));
            }
        }
    }
    if let Some(worker) = &worker {
        println!("{side}: {hits} hits in the edge's cache");
        // The origin would give the same answers, by its own hooks: then nothing of this was shown of the edge.
        if hits == 0
            || worker.log().contains("did not run at the edge")
            || server.log().contains("the hooks run here")
        {
            sum.1 += 1;
            eprintln!("FAIL {side}: the hooks ran at the origin");
        }
        if sum.1 > 0 {
            eprintln!("the last lines of workerd:\n{}", worker.log());
        }
    }
    if sum.1 > 0 {
        eprintln!("{}", server.log());
    }
    Ok(sum)
}

/// What does not hold of a case; `hits` counts answers from the edge's cache.
async fn hold(
    client: &Client,
    side: Side,
    case: &mut Case,
    tags: &mut Tags,
    hits: &mut usize,
    bless: bool,
) -> Vec<String> {
    let mut problems = Vec::new();
    let name = case.name.clone();
    for (at, step) in case.steps.iter_mut().enumerate() {
        let page = match client.send(&request(step)).await {
            Ok(page) => page,
            Err(problem) => {
                problems.push(format!("{}: {problem}", step.first));
                continue;
            }
        };
        let (text, tag) = shown(&page, side);
        let status = page.header("cache-status").unwrap_or_default();
        *hits += usize::from(status.contains("tropos-edge; hit"));
        if bless {
            step.expected = text;
            continue;
        }
        let expected = step.at_the_edge.as_ref().filter(|_| side == Side::Edge).unwrap_or(&step.expected);
        problems
            .extend(compare(expected, &text).map(|difference| format!("-> {}\n{difference}", step.first)));
        if let Some(tag) = tag {
            let known = tags.entry((name.clone(), at)).or_insert_with(|| tag.clone());
            if *known != tag {
                problems.push(format!("-> {}\n  the server's ETag is {known}, the edge's {tag}", step.first));
            }
        }
    }
    problems
}

/// A request as a browser sends it, but for what the step says.
fn request(step: &Step) -> Request {
    let (method, target) = step.first.split_once(' ').unwrap_or((step.first.as_str(), "/"));
    let mut request = Request::new(method, target);
    for (name, value) in &step.headers {
        request = request.with(name, &tokens::fill(value));
    }
    let has = |name: &str| step.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    for (name, value) in [("host", "shop.example"), ("user-agent", "Mozilla/5.0")] {
        if !has(name) {
            request = request.with(name, value);
        }
    }
    request.with("connection", "close").body(step.body.clone())
}
