//! Which crate may depend on which, and who alone knows what: `docs/internals/architecture.md` in a form that a machine
//! holds the crates to.

use crate::{
    Error,
    steps::{Steps, ask},
};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// The crates of the workspace that each may depend on, but for its tests. Every crate may use `tropos-core`.
const EDGES: &[(&str, &[&str])] = &[
    ("tropos-core", &[]),
    ("tropos-cache", &[]),
    // Reads in a scope must have seen what its tags were invalidated by.
    ("tropos-db", &["tropos-cache"]),
    ("tropos-edge", &[]),
    ("tropos-live", &[]),
    ("tropos-telemetry", &[]),
    ("tropos-fetch", &["tropos-cache"]),
    (
        "tropos-server",
        &["tropos-cache", "tropos-db", "tropos-edge", "tropos-fetch", "tropos-live", "tropos-telemetry"],
    ),
    ("tropos-macros", &[]),
    // The facade hands on what an application names, so it sees what it hands on.
    (
        "tropos",
        &[
            "tropos-server",
            "tropos-macros",
            "tropos-cache",
            "tropos-db",
            "tropos-edge",
            "tropos-fetch",
            "tropos-live",
        ],
    ),
    // Shipped to users, and above everything: only dev-dependencies lead to it.
    (
        "tropos-testing",
        &[
            "tropos",
            "tropos-cache",
            "tropos-db",
            "tropos-edge",
            "tropos-fetch",
            "tropos-live",
            "tropos-server",
            "tropos-telemetry",
        ],
    ),
    // Text in, text out.
    ("tropos-dev", &[]),
    ("cargo-tropos", &["tropos-dev"]),
    ("xtask", &[]),
    // Applications see the facade alone.
    ("tropos-fixture", &["tropos"]),
    ("tropos-hooks", &["tropos"]),
    ("storefront", &["tropos"]),
    // Real programs for tests: the crates of the framework may use it in theirs.
    ("tropos-parts", &[]),
    // Sees what any client sees.
    ("tropos-cases", &["tropos-parts"]),
    // Starts what the cases start, serves a page behind hooks, and measures the data layer, in scopes of the cache, beside
    // plain sqlx.
    (
        "tropos-bench",
        &[
            "tropos",
            "tropos-cache",
            "tropos-cases",
            "tropos-db",
            "tropos-parts",
            "tropos-server",
            "tropos-telemetry",
        ],
    ),
    // The cache layer in a proxy that is no Tropos application.
    ("tropos-cache-suite", &["tropos-cache"]),
    // Runs the engine alone, by a clock that it turns.
    ("tropos-soak", &["tropos-cache"]),
];

/// The crate that all may use.
const SHARED: &str = "tropos-core";
/// Crates that may not even use that one: they share no mistake with Tropos, or know it through the facade alone.
const APART: &[&str] = &["tropos-cases", "tropos-parts", "tropos-fixture", "tropos-hooks", "storefront"];

/// Dependencies that are the matter of some crates only, but for tests. A name that ends with `*` stands for all that
/// begin so; the first entry that fits a dependency decides.
const KNOWN_BY: &[(&str, &[&str])] = &[
    // The kit serves an upstream of its own. An application with an API gives it as a router.
    ("axum*", &["tropos-server", "tropos-testing", "tropos-cache-suite", "tropos-fixture", "tropos-hooks"]),
    // The dev server is a proxy.
    ("hyper*", &["tropos-server", "tropos-testing", "tropos-cache-suite", "cargo-tropos"]),
    // The two traits, by which the HTTP cache is a layer of any application, and nothing of Tower besides.
    ("tower-layer", &["tropos-cache", "tropos-server", "tropos-testing", "tropos-cache-suite"]),
    ("tower-service", &["tropos-cache", "tropos-server", "tropos-testing", "tropos-cache-suite"]),
    ("tower*", &["tropos-server", "tropos-testing"]),
    // The facade hands Leptos on to applications, which name it in their islands; only the server renders with it.
    ("leptos*", &["tropos-server", "tropos", "tropos-bench", "tropos-fixture", "tropos-hooks", "storefront"]),
    ("server_fn", &["tropos-server", "tropos"]),
    // An application writes plain sqlx queries; the bench measures them.
    ("sqlx*", &["tropos-db", "tropos-bench", "tropos-fixture", "storefront"]),
    ("redis", &["tropos-cache"]),
    ("fred", &["tropos-cache"]),
    ("opentelemetry*", &["tropos-telemetry"]),
    ("sentry*", &["tropos-telemetry"]),
    // Collectors are not fetched from: their answers are nobody's data.
    ("reqwest", &["tropos-fetch", "tropos-telemetry"]),
    ("tonic*", &["tropos-telemetry"]),
    ("prost*", &["tropos-telemetry"]),
    ("maxminddb", &["tropos-edge"]),
    // Signatures of tokens are checked in one place.
    ("crypto-bigint", &["tropos-edge"]),
    ("ed25519-dalek", &["tropos-edge"]),
    ("p256", &["tropos-edge"]),
    ("wasm-bindgen-cli-support", &["cargo-tropos"]),
];

/// What may be compiled for the browser: everything else may hold a secret.
const IN_THE_BROWSER: &[&str] = &["tropos", "tropos-core", "tropos-edge", "tropos-macros"];

/// A dependency that a crate names in its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    for_tests: bool,
}

/// What is wrong with the dependencies.
///
/// # Errors
/// Where cargo cannot say.
pub(crate) fn check(steps: &Steps) -> Result<Vec<String>, Error> {
    let metadata = MetadataCommand::new().manifest_path(steps.root.join("Cargo.toml")).no_deps().exec()?;
    let mut problems = judge(&members(&metadata), &edges(&metadata));
    let mut tree = steps.cargo();
    tree.args([
        "tree",
        "--package",
        "tropos",
        "--no-default-features",
        "--features",
        "hydrate",
        "--target",
        "wasm32-unknown-unknown",
    ]);
    tree.args(["--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    match ask(&mut tree) {
        Some(text) => problems.extend(judge_browser(&members(&metadata), &text)),
        None => problems
            .push("`cargo tree` cannot say what `tropos` with the feature `hydrate` depends on".into()),
    }
    Ok(problems)
}

fn members(metadata: &Metadata) -> Vec<String> {
    metadata.workspace_packages().into_iter().map(|package| package.name.to_string()).collect()
}

fn edges(metadata: &Metadata) -> Vec<Edge> {
    let packages = metadata.workspace_packages().into_iter();
    let edges = packages.flat_map(|package| {
        package.dependencies.iter().map(|dependency| Edge {
            from: package.name.to_string(),
            to: dependency.name.clone(),
            for_tests: dependency.kind == DependencyKind::Development,
        })
    });
    edges.collect()
}

fn judge(members: &[String], edges: &[Edge]) -> Vec<String> {
    let mut problems = Vec::new();
    for member in members.iter().filter(|member| allowed(member).is_none()) {
        problems.push(format!(
            "{member} is a new crate: say in tidy/edges.rs and in architecture.md what it may depend on"
        ));
    }
    for edge in edges.iter().filter(|edge| !edge.for_tests) {
        let Edge { from, to, .. } = edge;
        if members.contains(to) && !may_depend(from, to) {
            problems.push(format!("{from} may not depend on {to}"));
        }
        if let Some((_, knowing)) = KNOWN_BY.iter().find(|(name, _)| matches(name, to))
            && !knowing.contains(&from.as_str())
        {
            problems.push(format!("{from} may not know {to}: only {} may", knowing.join(", ")));
        }
    }
    problems
}

fn allowed(member: &str) -> Option<&'static [&'static str]> {
    EDGES.iter().find(|(name, _)| *name == member).map(|(_, allowed)| *allowed)
}

fn may_depend(from: &str, to: &str) -> bool {
    let shared = to == SHARED && !APART.contains(&from);
    shared || allowed(from).is_some_and(|allowed| allowed.contains(&to))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// Lines such as `tropos-core v0.1.0 (…)`, of all that is compiled for the browser.
fn judge_browser(members: &[String], tree: &str) -> Vec<String> {
    let mut found: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| members.iter().any(|member| member == name) && !IN_THE_BROWSER.contains(name))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
        .into_iter()
        .map(|name| format!("{name} would be compiled for the browser, through `tropos` with `hydrate`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, for_tests: bool) -> Edge {
        Edge { from: from.into(), to: to.into(), for_tests }
    }

    fn all() -> Vec<String> {
        EDGES.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    #[test]
    fn edges_are_judged_by_the_table() {
        for (from, to, for_tests, fine) in [
            ("tropos-cache", "tropos-core", false, true),
            ("tropos-core", "tropos-cache", false, false),
            ("tropos-fetch", "tropos-cache", false, true),
            ("tropos-cache", "tropos-fetch", false, false),
            ("tropos-live", "tropos-cache", false, false),
            ("cargo-tropos", "tropos-server", false, false),
            ("tropos-server", "tropos-testing", false, false),
            ("tropos-server", "tropos-testing", true, true),
            ("storefront", "tropos", false, true),
            ("storefront", "tropos-db", false, false),
            ("tropos-cases", "tropos-core", false, false),
            ("tropos-cases", "tropos-parts", false, true),
            ("tropos-parts", "tropos-core", false, false),
            ("tropos-cache", "tropos-parts", false, false),
            ("tropos-cache", "tropos-parts", true, true),
            ("tropos-fetch", "sqlx", false, false),
            ("tropos-server", "axum", false, true),
            ("tropos-fetch", "axum", false, false),
            ("tropos-fetch", "axum", true, true),
            ("tropos-live", "leptos_meta", false, false),
            ("storefront", "sqlx", false, true),
            ("storefront", "axum", false, false),
            ("tropos-fixture", "axum", false, true),
            ("tropos-cache", "serde", false, true),
            ("tropos-cache", "tower-layer", false, true),
            ("tropos-cache", "tower-service", false, true),
            ("tropos-cache", "tower", false, false),
            ("tropos-cache", "tower-http", false, false),
            ("tropos-fetch", "tower-service", false, false),
            ("tropos-cache-suite", "tropos-cache", false, true),
            ("tropos-cache-suite", "tropos-server", false, false),
        ] {
            let problems = judge(&all(), &[edge(from, to, for_tests)]);
            assert_eq!(problems.is_empty(), fine, "{from} → {to}: {problems:?}");
        }
    }

    #[test]
    fn a_new_crate_must_be_placed() {
        let problems = judge(&["tropos-new".to_owned()], &[]);
        assert!(
            matches!(problems.as_slice(), [one] if one.contains("tropos-new is a new crate")),
            "{problems:?}"
        );
    }

    #[test]
    fn nothing_that_may_hold_a_secret_reaches_the_browser() {
        let tree = "tropos v0.1.0 (x)\ntropos-core v0.1.0 (x)\nserde v1.0.0\ntropos-db v0.1.0 (x)\ntropos-db v0.1.0 (x) (*)";
        assert_eq!(
            judge_browser(&all(), tree),
            ["tropos-db would be compiled for the browser, through `tropos` with `hydrate`"]
        );
    }
}
