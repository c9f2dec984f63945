//! What goes wrong in the running application: panics and failed renders, as its admin listener tells them.

use super::{
    event::{Problem, Source},
    proxy::{Application, Proxy},
};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, StatusCode};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};

/// An event of `GET /dev/events` of the admin listener.
#[derive(Debug, Deserialize)]
struct Said {
    kind: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    line: Option<usize>,
    #[serde(default)]
    column: Option<usize>,
    #[serde(default)]
    route: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    good: bool,
}

/// An event that is longer is of no use to anybody.
const LONGEST: usize = 256 << 10;

/// Listens to one process for as long as it lives.
pub(crate) async fn follow(proxy: Arc<Proxy>, application: Arc<Application>) {
    let Ok(mut uri) = format!("http://{}/dev/events", application.admin).parse() else { return };
    loop {
        let mut request = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
        *request.uri_mut() = std::mem::take(&mut uri);
        let Ok(response) = application.client.request(request).await else { return };
        // One that knows no such events shows its panics in the terminal alone.
        if response.status() != StatusCode::OK {
            return;
        }
        let mut body = response.into_body();
        let mut held = String::new();
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            held.push_str(&String::from_utf8_lossy(&data));
            while let Some(end) = held.find("\n\n") {
                let event: String = held.drain(..end + 2).collect();
                let is_current = proxy.upstream.current().is_some_and(|it| it.version == application.version);
                if is_current {
                    heard(&proxy, application.version, &event);
                }
            }
            if held.len() > LONGEST {
                held.clear();
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        if proxy.upstream.current().is_none_or(|it| it.version != application.version) {
            return;
        }
        let Ok(again) = format!("http://{}/dev/events", application.admin).parse() else { return };
        uri = again;
    }
}

fn heard(proxy: &Proxy, version: u64, event: &str) {
    let data: String =
        event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
    let Ok(said) = serde_json::from_str::<Said>(&data) else { return };
    if said.kind == "rendered" {
        if said.good {
            proxy.hub.rendered(said.path.as_deref().unwrap_or_default());
        }
    } else if let Some(problem) = problem(said) {
        proxy.hub.add(version, problem);
    }
}

fn problem(said: Said) -> Option<Problem> {
    let (source, what) = match said.kind.as_str() {
        "panic" => (Source::Panic, "panicked"),
        "failed" => (Source::Render, "could not be rendered"),
        _ => return None,
    };
    let which = said.path.clone().or(said.route).unwrap_or_else(|| "the application".to_owned());
    Some(Problem {
        source,
        title: format!("{which} {what}"),
        text: said.text,
        file: said.file,
        line: said.line,
        column: said.column,
        path: said.path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_and_failed_renders_are_problems_until_their_page_is_rendered() {
        let proxy = Proxy::new(Vec::new(), Vec::new(), false);
        let panic = r#"data: {"kind":"panic","text":"index out of bounds","file":"src/a.rs","line":3,"path":"/x","render":7}"#;
        heard(&proxy, 0, panic);
        heard(&proxy, 0, panic);
        heard(&proxy, 0, "data: nonsense");
        heard(&proxy, 0, r#"data: {"kind":"later"}"#);
        let problems = proxy.hub.problems();
        assert_eq!(problems.len(), 1);
        assert_eq!((problems[0].title.as_str(), problems[0].line), ("/x panicked", Some(3)));
        // Its own answer is over, which says so; and another page is fine.
        heard(&proxy, 0, r#"data: {"kind":"rendered","render":7,"path":"/x","good":false}"#);
        heard(&proxy, 0, r#"data: {"kind":"rendered","render":8,"path":"/y","good":true}"#);
        assert_eq!(proxy.hub.problems().len(), 1);
        heard(&proxy, 0, r#"data: {"kind":"rendered","render":9,"path":"/x","good":true}"#);
        assert!(proxy.hub.problems().is_empty());
    }
}
