//! What a build came to, as JSON: `docs/reference/command-line.md` says what each key holds.

use super::{Built, budgets::Measure, growth};
use crate::{
    Error,
    export::{Broken, LeftOut},
    terminal::Terminal,
};
use serde_json::{Map, Value, json};
use tropos_core::build::PageFailure;

/// The object at the end of a build that went well.
pub(crate) fn built(built: &Built, terminal: &Terminal) -> Value {
    let routes = built.routes.iter().map(|route| {
        let pages = built.index.routes.get(&route.pattern);
        let since = built.since.as_ref().and_then(|since| since.routes.get(&route.pattern));
        json!({
            "pattern": route.pattern,
            "mode": route.mode,
            "pages": pages.map_or(0, |pages| pages.paths.len()),
            "unmade": pages.map_or(0, |pages| pages.unmade.len()),
            "html_bytes": pages.map_or(0, |pages| pages.html_bytes),
            "script_bytes": pages.map_or(0, |pages| pages.script_bytes),
            "wasm_bytes": pages.map_or(0, |pages| pages.wasm_bytes),
            "grown": since.map(|since| json!({
                "html_bytes": since.html, "script_bytes": since.script, "wasm_bytes": since.wasm,
            })),
        })
    });
    let (script, wasm) = growth::sizes(&built.manifest);
    json!({
        "ok": true,
        "build_id": built.manifest.build_id,
        "out": built.project.out,
        "profile": built.profile,
        "seconds": seconds(terminal),
        "skipped": built.skipped,
        "assets": built.manifest.assets.len(),
        "islands": built.manifest.islands.as_ref().map(|_| json!({
            "script_bytes": script,
            "wasm_bytes": wasm,
        })),
        "routes": routes.collect::<Vec<_>>(),
        "budgets": built.measures.iter().map(measure).collect::<Vec<_>>(),
    })
}

/// The object of one that failed.
pub(crate) fn failed(error: &Error) -> Value {
    let (mut pages, mut budgets): (&[PageFailure], &[Measure]) = (&[], &[]);
    let (mut left_out, mut broken, mut hooked): (&[LeftOut], &[Broken], &[String]) = (&[], &[], &[]);
    match error {
        Error::Pages { failures, .. } => pages = failures,
        Error::Budgets { exceeded, .. } => budgets = exceeded,
        Error::NotStatic(routes) => left_out = routes,
        Error::BrokenLinks(links) => broken = links,
        Error::Hooked(paths) => hooked = paths,
        _ => {}
    }
    json!({
        "ok": false,
        "error": error.to_string(),
        "pages": pages,
        "budgets": budgets.iter().map(measure).collect::<Vec<_>>(),
        "left_out": left_out,
        "broken_links": broken,
        "hooked": hooked,
    })
}

fn measure(measure: &Measure) -> Value {
    json!({
        "route": measure.route,
        "part": measure.part.name(),
        "bytes": measure.bytes,
        "limit": measure.limit,
        "path": measure.path,
    })
}

fn seconds(terminal: &Terminal) -> Value {
    let phases = terminal.phases().into_iter().map(|(name, span)| (name.to_owned(), span));
    let all = phases.chain([("all".to_owned(), terminal.elapsed())]);
    Value::Object(all.map(|(name, span)| (name, json!(span.as_secs_f64()))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_holds_the_pages_and_budgets_that_it_is_about() {
        let failures = vec![PageFailure {
            route: "/a/:b".into(),
            path: "/a/1".into(),
            params: [("b".to_owned(), "1".to_owned())].into(),
            cause: "gone".into(),
        }];
        let value = failed(&Error::Pages { failures, keep_going: true, out: "dist".into() });
        assert_eq!(value["ok"], false);
        assert_eq!(
            value["pages"],
            json!([{ "route": "/a/:b", "path": "/a/1", "params": { "b": "1" }, "cause": "gone" }])
        );
        let exceeded = vec![Measure {
            route: "/a".into(),
            part: crate::build::budgets::Part::Html,
            limit: 1,
            bytes: 2,
            path: "/a".into(),
        }];
        let value = failed(&Error::Budgets { exceeded, out: "dist".into() });
        assert_eq!(
            value["budgets"],
            json!([{ "route": "/a", "part": "html", "bytes": 2, "limit": 1, "path": "/a" }])
        );
        assert!(value["error"].as_str().unwrap().contains("over its budget"));
        let value = failed(&Error::Hooked(vec!["/members".into()]));
        assert_eq!(value["hooked"], json!(["/members"]));
    }
}
