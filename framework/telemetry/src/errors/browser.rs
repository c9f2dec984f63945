//! What islands and scripts report of a reader's browser, through the server. Nothing in it is believed: it is bounded,
//! read strictly, and becomes a report whose texts are scrubbed as all others.

use super::report::{ErrorReport, Frame, Kind, MOST_FRAMES, cut};
use crate::trace::SpanContext;
use serde::Deserialize;
use tropos_core::UnixMillis;

/// The longest report of a browser, in bytes. A stack of a hundred calls fits in.
pub const LONGEST_BROWSER_ERROR: usize = 16 * 1024;

/// The longest function or file of a frame.
const LONGEST_NAME: usize = 512;

/// What the script of islands sends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrowserError {
    /// What sort of error: `TypeError`, `RuntimeError`, `panic`.
    name: String,
    /// What it says.
    message: String,
    /// The stack as the browser writes it.
    #[serde(default)]
    stack: String,
    /// The path of the open page, without its query.
    path: String,
    /// The span of the answer that the browser shows, as its `Server-Timing` named it (W3C Trace Context §3.2); empty where it did not.
    #[serde(default)]
    traceparent: String,
    /// Whether nothing had caught it: `error`, `rejection`, `panic`, or `island` for one that failed to start.
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Error,
    Rejection,
    Panic,
    Island,
}

impl BrowserError {
    /// Reads what was sent.
    ///
    /// # Errors
    /// What is wrong with it, for who sent it.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        if body.len() > LONGEST_BROWSER_ERROR {
            return Err(format!("longer than {LONGEST_BROWSER_ERROR} bytes"));
        }
        let error: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        match () {
            () if !error.path.starts_with('/') => Err("`path` does not begin with `/`".to_owned()),
            () if error.name.is_empty() || !error.name.bytes().all(is_of_a_name) => {
                Err("`name` is no name of an error".to_owned())
            }
            () => Ok(error),
        }
    }

    /// The path of the page that was open: to find its route by, and for nothing else.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The span of the answer that was open, where the browser knows it.
    pub fn trace(&self) -> Option<SpanContext> {
        SpanContext::parse(self.traceparent.as_bytes())
    }

    /// The report of it.
    pub fn into_report(self, at: UnixMillis) -> ErrorReport {
        let name = match self.source {
            Source::Panic => "panic".to_owned(),
            _ => self.name,
        };
        let frames = frames(&self.stack);
        ErrorReport::new(Kind::Browser, name, self.message, at).with_frames(frames)
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'-')
}

/// Frames, in the notation of V8 (`    at name (URL:LINE:COLUMN)`) or of Gecko and WebKit (`name@URL:LINE:COLUMN`).
fn frames(stack: &str) -> Vec<Frame> {
    let lines = stack.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.filter_map(frame).take(MOST_FRAMES).collect()
}

fn frame(line: &str) -> Option<Frame> {
    let (function, place) = match line.strip_prefix("at ") {
        Some(rest) => match rest.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")) {
            Some((function, place)) => (function, place),
            None => ("", rest),
        },
        None => line.split_once('@')?,
    };
    let (file, line, column) = place_of(place);
    let name = |text: &str| Some(cut(text.to_owned(), LONGEST_NAME)).filter(|text| !text.is_empty());
    Some(Frame { function: name(function), file: name(file), line, column, in_app: true })
}

/// `URL:LINE:COLUMN`; of wasm `URL:wasm-function[NUMBER]:0xOFFSET`, whose offset is what tools ask for.
fn place_of(place: &str) -> (&str, Option<u32>, Option<u32>) {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    let Some((rest, last)) = place.rsplit_once(':') else { return (place, None, None) };
    let Some(last) = number(last) else { return (place, None, None) };
    match rest.rsplit_once(':').and_then(|(file, line)| Some((file, number(line)?))) {
        Some((file, line)) => (file, Some(line), Some(last)),
        None => (rest, Some(last), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"name":"TypeError","message":"x is undefined","path":"/products/3","source":"error","stack":"TypeError: x is undefined\n    at show (https://shop.example/_tropos/a.js:2:31)\n    at https://shop.example/a.js:9:1"}"#;

    #[test]
    fn stacks_of_all_engines_are_read() {
        for (line, function, file, at, column) in [
            ("    at show (https://s/a.js:2:31)", Some("show"), "https://s/a.js", Some(2), Some(31)),
            ("    at https://s/a.js:9:1", None, "https://s/a.js", Some(9), Some(1)),
            ("show@https://s/a.js:2:31", Some("show"), "https://s/a.js", Some(2), Some(31)),
            ("@https://s/a.js:2:31", None, "https://s/a.js", Some(2), Some(31)),
            (
                "    at app.Counter (https://s/a.wasm:wasm-function[12]:0x1f4)",
                Some("app.Counter"),
                "https://s/a.wasm:wasm-function[12]",
                Some(500),
                None,
            ),
            ("    at native", None, "native", None, None),
        ] {
            let frame = frame(line.trim()).unwrap();
            assert_eq!((frame.function.as_deref(), frame.file.as_deref()), (function, Some(file)), "{line}");
            assert_eq!((frame.line, frame.column), (at, column), "{line}");
        }
        let report = BrowserError::read(GOOD.as_bytes()).unwrap().into_report(7);
        assert_eq!(
            (report.kind, report.type_name.as_str(), report.frames.len()),
            (Kind::Browser, "TypeError", 2)
        );
    }

    #[test]
    fn the_trace_of_the_page_is_taken_where_it_is_one() {
        let with = |traceparent: &str| {
            let body = GOOD.replace(r#""source""#, &format!(r#""traceparent":"{traceparent}","source""#));
            BrowserError::read(body.as_bytes()).unwrap().trace().map(|context| context.to_string())
        };
        let own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(with(own).as_deref(), Some(own));
        assert_eq!((with(""), with("00-x")), (None, None));
        assert_eq!(BrowserError::read(GOOD.as_bytes()).unwrap().trace(), None);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let with = |from: &str, to: &str| GOOD.replace(from, to);
        let cases = [
            ("no JSON", "x".to_owned()),
            ("a list", "[]".to_owned()),
            ("an unknown field", with(r#""name""#, r#""cookie":"a","name""#)),
            ("a field missing", with(r#""message":"x is undefined","#, "")),
            ("a number for a text", with(r#""/products/3""#, "3")),
            ("an address for a path", with("/products/3", "https://evil/")),
            ("a source that is none", with(r#""source":"error""#, r#""source":"x""#)),
            ("a name that is none", with("\"TypeError\"", r#""<script>""#)),
            ("too long", with("x is undefined", &"x".repeat(LONGEST_BROWSER_ERROR))),
        ];
        for (name, body) in cases {
            assert!(BrowserError::read(body.as_bytes()).is_err(), "{name}");
        }
        assert!(BrowserError::read(GOOD.as_bytes()).is_ok());
    }

    #[test]
    fn however_deep_a_stack_is_its_report_is_bounded() {
        let stack = "\\nf@https://s/a.js:1:1".repeat(400);
        let body = GOOD.replace("    at show (https://shop.example/_tropos/a.js:2:31)", &stack);
        let report = BrowserError::read(body.as_bytes()).unwrap().into_report(0);
        assert_eq!(report.frames.len(), MOST_FRAMES);
    }
}
