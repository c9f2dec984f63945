//! Where the values of a statement stand, by the lexical rules of each database. Pure.
//!
//! Not a parser: it tells literals, comments and quoted names from the rest. What has a beginning and no end is taken for a
//! literal up to the end of the text, so that a doubtful text shows too little and not too much.

use crate::backend::Kind;

/// A piece of a statement. All pieces in a row are the statement, less what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'s> {
    /// A keyword, or a name without quotation marks.
    Word(&'s str),
    /// A name within its quotation marks.
    Name(&'s str),
    /// A literal: what it says is not kept.
    Value,
    /// A comment up to the end of its line, without that end.
    LineComment,
    /// A comment with an end of its own.
    BlockComment,
    /// Anything else: white space, operators, parameters.
    Other(&'s str),
}

/// The pieces of a statement.
pub(super) fn tokens(sql: &str, kind: Kind) -> Tokens<'_> {
    Tokens { rest: sql, kind, after_e: false }
}

/// An iterator over the pieces of a statement.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'s> {
    rest: &'s str,
    kind: Kind,
    /// Whether the word `E` has come last, by which PostgreSQL takes backslashes of a string for escapes.
    after_e: bool,
}

#[derive(Clone, Copy)]
enum Sort {
    Word,
    Name,
    Value,
    LineComment,
    BlockComment,
    Other,
}

impl<'s> Iterator for Tokens<'s> {
    type Item = Token<'s>;

    fn next(&mut self) -> Option<Token<'s>> {
        let first = self.rest.chars().next()?;
        let (sort, length) = self.measure(first);
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.after_e =
            self.kind == Kind::Postgres && matches!(sort, Sort::Word) && text.eq_ignore_ascii_case("e");
        Some(match sort {
            Sort::Word => Token::Word(text),
            Sort::Name => Token::Name(text),
            Sort::Value => Token::Value,
            Sort::LineComment => Token::LineComment,
            Sort::BlockComment => Token::BlockComment,
            Sort::Other => Token::Other(text),
        })
    }
}

impl Tokens<'_> {
    /// What begins here with this character, and its length in bytes.
    fn measure(&self, first: char) -> (Sort, usize) {
        let text = self.rest;
        let name = |end: Option<usize>| match end {
            Some(end) => (Sort::Name, end),
            None => (Sort::Value, text.len()),
        };
        match (first, self.kind) {
            ('\'', _) => (Sort::Value, string(text, self.kind, self.after_e)),
            ('"', _) | ('`', Kind::Sqlite) => name(quoted(text, first, false)),
            ('[', Kind::Sqlite) => name(text.find(']').map(|end| end + 1)),
            ('-', _) if text.starts_with("--") => (Sort::LineComment, line(text, self.kind)),
            ('/', _) if text.starts_with("/*") => (Sort::BlockComment, block(text, self.kind)),
            ('0'..='9', _) => {
                (Sort::Value, span(text, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_')))
            }
            ('$', Kind::Postgres) => dollar(text),
            ('?' | '$' | '@' | ':' | '#', Kind::Sqlite) => variable(text, first),
            (c, _) if begins_word(c) => (Sort::Word, span(text, in_word)),
            (c, _) => (Sort::Other, c.len_utf8()),
        }
    }
}

/// Both databases take all that is not ASCII for letters.
fn begins_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn in_word(c: char) -> bool {
    begins_word(c) || c.is_ascii_digit() || c == '$'
}

fn span(text: &str, within: impl Fn(char) -> bool) -> usize {
    text.find(|c| !within(c)).unwrap_or(text.len())
}

/// The length of what stands between two of a mark, of which two in a row stand for one within; `None` without an end.
fn quoted(text: &str, mark: char, escapes: bool) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == mark && chars.next_if(|(_, next)| *next == mark).is_none() {
            return Some(at + mark.len_utf8());
        }
    }
    None
}

/// The length of a string. PostgreSQL goes on with it, by the rules of its first part, where the next line begins with
/// another quotation mark.
fn string(text: &str, kind: Kind, escapes: bool) -> usize {
    let mut end = 0;
    while let Some(part) = text.get(end..) {
        let Some(length) = quoted(part, '\'', escapes) else { return text.len() };
        end += length;
        let goes_on = (kind == Kind::Postgres).then(|| text.get(end..).and_then(next_part)).flatten();
        let Some(gap) = goes_on else { break };
        end += gap;
    }
    end
}

/// How far away the next part of a string is: after white space with the end of a line in it, and comments.
fn next_part(text: &str) -> Option<usize> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
        if !rest.starts_with("--") {
            break;
        }
        rest = rest.get(line(rest, Kind::Postgres)..)?;
    }
    let gap = text.len() - rest.len();
    let has_line_end = text.get(..gap)?.contains(['\n', '\r']);
    (has_line_end && rest.starts_with('\'')).then_some(gap)
}

/// The length of a comment up to the end of its line.
fn line(text: &str, kind: Kind) -> usize {
    match kind {
        Kind::Postgres => span(text, |c| !matches!(c, '\n' | '\r')),
        Kind::Sqlite => span(text, |c| c != '\n'),
    }
}

/// The length of a comment with an end of its own. Those of PostgreSQL nest.
fn block(text: &str, kind: Kind) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") && (depth == 0 || kind == Kind::Postgres) {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// PostgreSQL's `$1`, or `$$…$$`, or `$tag$…$tag$`.
fn dollar(text: &str) -> (Sort, usize) {
    let after = text.get(1..).unwrap_or_default();
    if after.starts_with(|c: char| c.is_ascii_digit()) {
        return (Sort::Other, 1 + span(after, |c| c.is_ascii_digit()));
    }
    let tag = span(after, |c| in_word(c) && c != '$');
    match text.split_at_checked(tag + 2) {
        Some((mark, within)) if mark.ends_with('$') => {
            (Sort::Value, within.find(mark).map_or(text.len(), |end| 2 * mark.len() + end))
        }
        _ => (Sort::Other, 1),
    }
}

/// SQLite's parameters: `?`, `?1`, `:name`, `@name`, `$name`, and `$name::more(text)` of Tcl, of which the text may be
/// anything and is not kept.
fn variable(text: &str, first: char) -> (Sort, usize) {
    let after = text.get(1..).unwrap_or_default();
    if first == '?' {
        return (Sort::Other, 1 + span(after, |c| c.is_ascii_digit()));
    }
    let end = 1 + span(after, |c| in_word(c) || c == ':');
    match text.get(end..).filter(|more| end > 1 && more.starts_with('(')) {
        Some(more) => (Sort::Value, end + span(more, |c| c != ')' && !c.is_ascii_whitespace())),
        None => (Sort::Other, end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The pieces that are shown, joined, with marks for the others.
    fn shown(sql: &str, kind: Kind) -> String {
        tokens(sql, kind)
            .map(|token| match token {
                Token::Word(text) | Token::Name(text) | Token::Other(text) => text,
                Token::Value => "<v>",
                Token::LineComment | Token::BlockComment => "<c>",
            })
            .collect()
    }

    #[test]
    fn each_database_has_rules_of_its_own() {
        for (sql, postgres, sqlite) in [
            (r"'C:\' x", "<v> x", "<v> x"),
            (r"E'a\' x' y", "E<v> y", "E<v> x<v>"),
            (r"name'a\' x", "name<v> x", "name<v> x"),
            ("e'a'\n -- c\n 'b\\' c' d", "e<v> d", "e<v>\n <c>\n <v> c<v>"),
            ("'a' 'b'", "<v> <v>", "<v> <v>"),
            ("/* /* */ 'a' */ b", "<c> b", "<c> <v> */ b"),
            ("/*/ it's */ b", "<c> b", "<c> b"),
            ("-- it's\r'a'\nb", "<c>\r<v>\nb", "<c>\nb"),
            ("$$a$$ b", "<v> b", "$$a$$ b"),
            ("$t$ ' $$ $t$ b", "<v> b", "$t$ <v>"),
            ("a$$b$$", "a$$b$$", "a$$b$$"),
            ("$1$$a$$", "$1<v>", "$1$$a$$"),
            ("$ 'a'", "$ <v>", "$ <v>"),
            ("\"it's\"\"\" 'a'", "\"it's\"\"\" <v>", "\"it's\"\"\" <v>"),
            ("[it's] b", "[it<v>", "[it's] b"),
            ("`it's` b", "`it<v>", "`it's` b"),
            ("x = ?1 and y = :y", "x = ?<v> and y = :y", "x = ?1 and y = :y"),
            ("$a(') 'b'", "$a(<v>b<v>", "<v>) <v>"),
            ("1_000.5e9 a1", "<v> a1", "<v> a1"),
            ("'open", "<v>", "<v>"),
            ("\"open 'a", "<v>", "<v>"),
            ("/* open", "<c>", "<c>"),
            ("$$open", "<v>", "$$open"),
        ] {
            assert_eq!(shown(sql, Kind::Postgres), postgres, "PostgreSQL: {sql}");
            assert_eq!(shown(sql, Kind::Sqlite), sqlite, "SQLite: {sql}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_to_an_end(sql in ".{0,300}", dense in "[-'\"$/*eE\\\\\n\\[\\](?:1a ]{0,300}") {
            for kind in [Kind::Postgres, Kind::Sqlite] {
                for sql in [&sql, &dense] {
                    prop_assert!(tokens(sql, kind).count() <= sql.len());
                }
            }
        }
    }
}
