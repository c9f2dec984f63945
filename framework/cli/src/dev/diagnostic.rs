//! From what the compiler says to what the overlay shows.

use super::event::{Problem, Source};
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel, DiagnosticSpan};

/// More errors than anybody reads at once.
const MOST: usize = 20;

/// Collects errors, each once.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds an error; warnings, and errors that only count others, are left out.
    pub(crate) fn add(&mut self, diagnostic: &Diagnostic) {
        if let Some(problem) = problem(diagnostic)
            && self.0.len() < MOST
            && !self.0.iter().any(|other| is_same(other, &problem))
        {
            self.0.push(problem);
        }
    }

    /// The problems; what cargo itself printed, where no source is at fault.
    pub(crate) fn or_else(self, printed: &str) -> Vec<Problem> {
        if !self.0.is_empty() {
            return self.0;
        }
        let first = printed.lines().map(plain).find(|line| !line.trim().is_empty());
        let title = first.map_or_else(
            || "cargo failed, and did not say why".to_owned(),
            |line| line.trim_start_matches("error: ").to_owned(),
        );
        let text = if printed.is_empty() { title.clone() } else { printed.to_owned() };
        vec![Problem {
            source: Source::Compile,
            title,
            text,
            file: None,
            line: None,
            column: None,
            path: None,
        }]
    }
}

/// The same message at the same place, whatever else is said of it.
fn is_same(a: &Problem, b: &Problem) -> bool {
    (&a.title, &a.file, a.line, a.column) == (&b.title, &b.file, b.line, b.column)
}

fn problem(diagnostic: &Diagnostic) -> Option<Problem> {
    let is_error = matches!(diagnostic.level, DiagnosticLevel::Error | DiagnosticLevel::Ice);
    let counts = diagnostic.spans.is_empty() && diagnostic.message.starts_with("aborting due to");
    if !is_error || counts {
        return None;
    }
    let span = diagnostic.spans.iter().find(|span| span.is_primary).map(outermost);
    let code = diagnostic.code.as_ref().map(|code| format!(" [{}]", code.code)).unwrap_or_default();
    Some(Problem {
        source: Source::Compile,
        title: format!("{}{code}", diagnostic.message),
        text: diagnostic.rendered.clone().unwrap_or_else(|| diagnostic.message.clone()),
        file: span.map(|span| span.file_name.clone()),
        line: span.map(|span| span.line_start),
        column: span.map(|span| span.column_start),
        path: None,
    })
}

/// Where a person wrote what a macro made of it.
fn outermost(span: &DiagnosticSpan) -> &DiagnosticSpan {
    let mut span = span;
    // Macros nest: far fewer than this.
    for _ in 0..64 {
        match &span.expansion {
            Some(expansion) if span.file_name.starts_with('<') || span.file_name.contains("/.cargo/") => {
                span = &expansion.span;
            }
            _ => break,
        }
    }
    span
}

/// Text without the codes that colour it.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        let end = after.find(|character: char| character.is_ascii_alphabetic());
        rest = end.and_then(|end| after.get(end + 1..)).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(level: &str, message: &str, line: usize) -> Diagnostic {
        serde_json::from_value(serde_json::json!({
            "message": message,
            "code": { "code": "E0425", "explanation": null },
            "level": level,
            "spans": [{
                "file_name": "src/pages/home.rs", "byte_start": 1, "byte_end": 2, "line_start": line, "line_end": line,
                "column_start": 5, "column_end": 9, "is_primary": true, "text": [], "label": null,
                "suggested_replacement": null, "suggestion_applicability": null, "expansion": null
            }],
            "children": [],
            "rendered": "\u{1b}[1merror\u{1b}[0m: …"
        }))
        .unwrap()
    }

    #[test]
    fn an_error_has_its_place_and_is_there_once() {
        let mut server = Problems::default();
        server.add(&diagnostic("error", "cannot find value `x`", 7));
        server.add(&diagnostic("warning", "unused", 8));
        server.add(&diagnostic("error", "cannot find value `x`", 7));
        server.add(&diagnostic("error", "cannot find value `y`", 9));
        let problems = server.or_else("error: could not compile");
        let places: Vec<_> = problems.iter().map(|problem| (problem.title.as_str(), problem.line)).collect();
        assert_eq!(
            places,
            [("cannot find value `x` [E0425]", Some(7)), ("cannot find value `y` [E0425]", Some(9))]
        );
        assert_eq!(problems[0].file.as_deref(), Some("src/pages/home.rs"));
        assert!(problems[0].text.contains("\u{1b}[1m"));
    }

    #[test]
    fn where_no_source_is_at_fault_cargo_itself_is_quoted() {
        let printed =
            "\u{1b}[31merror\u{1b}[0m: failed to parse manifest at `/a/Cargo.toml`\n\nCaused by:\n  x";
        let problems = Problems::default().or_else(printed);
        assert_eq!(problems[0].title, "failed to parse manifest at `/a/Cargo.toml`");
        assert_eq!(problems[0].text, printed);
        assert_eq!(Problems::default().or_else("")[0].title, "cargo failed, and did not say why");
    }

    #[test]
    fn no_more_errors_than_anybody_reads() {
        let mut problems = Problems::default();
        (0..50).for_each(|line| problems.add(&diagnostic("error", "m", line)));
        assert_eq!(problems.or_else("").len(), MOST);
    }
}
