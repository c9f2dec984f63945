//! What the browser's console says, in the terminal.

use crate::terminal;
use serde::Deserialize;

/// A line of the browser's console.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    /// `error`, `warn`, `log` and so on.
    #[serde(default)]
    level: String,
    #[serde(default, alias = "message")]
    text: String,
    /// The page, or the script.
    #[serde(default, alias = "page")]
    url: Option<String>,
    #[serde(default)]
    line: Option<u32>,
}

/// Prints it.
pub(crate) fn print(line: &Line) {
    terminal::say(&shown(line));
}

/// As text of one terminal line and its continuations, without anything by which a page could steer the terminal.
fn shown(line: &Line) -> String {
    let level = match line.level.as_str() {
        "" => "error",
        level => level,
    };
    let mut text = format!("     browser {level}: {}", line.text);
    if let Some(url) = line.url.as_deref().filter(|url| !url.is_empty()) {
        text.push_str(&format!(" ({url}"));
        if let Some(number) = line.line {
            text.push_str(&format!(":{number}"));
        }
        text.push(')');
    }
    text.chars().filter(|character| !character.is_control() || matches!(character, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_it_is_from_and_cannot_steer_the_terminal() {
        let line: Line = serde_json::from_str(
            r#"{"level":"warn","text":"a\u001b[2J\nb","url":"http://localhost/x","line":7,"more":1}"#,
        )
        .unwrap();
        assert_eq!(shown(&line), "     browser warn: a[2J\nb (http://localhost/x:7)");
        assert_eq!(shown(&serde_json::from_str("{}").unwrap()), "     browser error: ");
    }
}
