//! What the dev server tells the open pages.

use serde::Serialize;
use tropos_dev::views::{Renamed, ViewPatch};

/// One message to the browser: the `data:` of an event, as JSON.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Event {
    /// Something is being compiled; `done` of `total` packages are.
    Building { what: What, done: usize, total: usize },
    /// A process answers. Pages that an older one served load again where `reload` says so.
    /// Pages that stay open call their views by the new names.
    Ready {
        version: u64,
        reload: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        renamed: Vec<Renamed>,
    },
    /// Shown until the next `Ready` or `Cleared`.
    Errors { errors: Vec<Problem> },
    /// What was wrong no longer is.
    Cleared,
    /// Style sheets changed.
    Styles { files: Vec<String> },
    /// Other files of `public/` changed.
    Files { files: Vec<String> },
    /// Views changed in a way that needs no compiler.
    Patch { views: Vec<ViewPatch> },
}

/// What is being compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    Server,
    Islands,
    Both,
}

/// Where a problem comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// The compiler, or cargo.
    Compile,
    /// A panic in the running application.
    Panic,
    /// A render that failed.
    Render,
    /// The application ended before it answered.
    Start,
    /// The configuration.
    Config,
}

/// Something that is wrong, for the overlay.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Problem {
    pub(crate) source: Source,
    /// One line.
    pub(crate) title: String,
    /// What the tool or the application printed, with the codes of its colours.
    pub(crate) text: String,
    pub(crate) file: Option<String>,
    /// From 1.
    pub(crate) line: Option<usize>,
    /// From 1.
    pub(crate) column: Option<usize>,
    /// The page that it concerns alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_form_that_the_browser_reads() {
        let problem = Problem {
            source: Source::Compile,
            title: "t".into(),
            text: "x".into(),
            file: Some("src/a.rs".into()),
            line: Some(1),
            column: None,
            path: None,
        };
        for (event, json) in [
            (
                Event::Building { what: What::Both, done: 1, total: 2 },
                r#"{"kind":"building","what":"both","done":1,"total":2}"#,
            ),
            (
                Event::Ready { version: 3, reload: true, renamed: Vec::new() },
                r#"{"kind":"ready","version":3,"reload":true}"#,
            ),
            (
                Event::Errors { errors: vec![problem] },
                r#"{"kind":"errors","errors":[{"source":"compile","title":"t","text":"x","file":"src/a.rs","line":1,"column":null}]}"#,
            ),
            (Event::Cleared, r#"{"kind":"cleared"}"#),
            (Event::Styles { files: vec!["/a.css".into()] }, r#"{"kind":"styles","files":["/a.css"]}"#),
        ] {
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
        }
    }
}
