//! What a statement does, in a few words, and its text without values. Pure.

use super::token::{Token, Tokens, tokens};
use crate::backend::Kind;
use std::borrow::Cow;

/// A summary is at most so long, in bytes.
const MOST: usize = 120;

/// Operation and table, such as `SELECT product`: few different ones, so that metrics may be grouped by them
/// (`db.query.summary` of OpenTelemetry's conventions).
///
/// Found by looking at words, not by parsing: what is not plain is summed up by its first word alone. Literals and comments
/// are not looked at, by the rules of the database.
///
/// ```
/// # use tropos_db::{Kind, summary};
/// assert_eq!(summary("select name from product where id = $1", Kind::Postgres), "SELECT product");
/// assert_eq!(summary("insert into basket (visitor) values ($1)", Kind::Sqlite), "INSERT basket");
/// assert_eq!(summary("with a as (select 1) select * from a", Kind::Sqlite), "WITH");
/// ```
pub fn summary(sql: &str, kind: Kind) -> String {
    let mut rest = tokens(sql, kind);
    let Some(first) = rest.find_map(word) else { return String::new() };
    let operation = first.to_ascii_uppercase();
    let before_table = match operation.as_str() {
        "SELECT" | "DELETE" => Some("from"),
        "INSERT" | "REPLACE" | "MERGE" => Some("into"),
        "UPDATE" => None,
        _ => return cut(operation),
    };
    if let Some(before) = before_table
        && !rest.by_ref().filter_map(word).any(|word| word.eq_ignore_ascii_case(before))
    {
        return cut(operation);
    }
    match table(rest) {
        Some(table) => cut(format!("{operation} {table}")),
        None => cut(operation),
    }
}

fn word<'s>(token: Token<'s>) -> Option<&'s str> {
    match token {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

/// The name that comes next, with the schema's before it where there is one, and without quotation marks.
fn table(rest: Tokens<'_>) -> Option<String> {
    let mut table = String::new();
    for token in rest {
        match token {
            Token::Word(only) if only.eq_ignore_ascii_case("only") && table.is_empty() => {}
            Token::Word(name) if is_open(&table) => table.push_str(name),
            Token::Name(name) if is_open(&table) => {
                let mut within = name.chars();
                within.next();
                within.next_back();
                table.push_str(within.as_str());
            }
            Token::Other(".") if !is_open(&table) => table.push('.'),
            // In parentheses there is another statement, of which the first word is taken.
            Token::Other(gap) if table.is_empty() && (gap == "(" || gap.trim().is_empty()) => {}
            Token::LineComment | Token::BlockComment if table.is_empty() => {}
            _ => break,
        }
    }
    Some(table).filter(|table| !table.is_empty())
}

/// Whether a name may come here.
fn is_open(table: &str) -> bool {
    table.is_empty() || table.ends_with('.')
}

fn cut(mut text: String) -> String {
    let end = (0..=MOST.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text
}

/// The text of a statement with `?` for every string and number that is written into it, and without comments, by the
/// rules of the database. Names in quotation marks are kept whole; SQLite takes one that names nothing for a string, so
/// values belong between apostrophes there too, or better into parameters.
///
/// ```
/// # use tropos_db::{Kind, without_values};
/// let sql = "select * from a1 /* why */ where b = 'x''y' and c > 1.5 and d = $2";
/// assert_eq!(without_values(sql, Kind::Postgres), "select * from a1   where b = ? and c > ? and d = $2");
/// ```
pub fn without_values(sql: &str, kind: Kind) -> Cow<'_, str> {
    let mut text = String::with_capacity(sql.len());
    for token in tokens(sql, kind) {
        match token {
            Token::Word(kept) | Token::Name(kept) | Token::Other(kept) => text.push_str(kept),
            Token::Value => text.push('?'),
            Token::LineComment => {}
            // What stood apart goes on to stand apart.
            Token::BlockComment => text.push(' '),
        }
    }
    if text == sql { Cow::Borrowed(sql) } else { Cow::Owned(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: [Kind; 2] = [Kind::Postgres, Kind::Sqlite];

    #[test]
    fn operation_and_table_are_found_where_they_are_plain() {
        for (sql, expected) in [
            ("SELECT 1", "SELECT"),
            ("select a, b from \"Order\" o join c on 1 = 1", "SELECT Order"),
            ("select a from shop.\"Order item\"", "SELECT shop.Order item"),
            ("  update product set a = 1", "UPDATE product"),
            ("update only product set a = 1", "UPDATE product"),
            ("delete from kv where key = $1", "DELETE kv"),
            ("insert into kv(key) values ('a')", "INSERT kv"),
            // What is in parentheses is not looked into: its first word is taken.
            ("select x from (select 1) y", "SELECT select"),
            ("-- why\nselect a from b", "SELECT b"),
            ("/* it's from a */ select a from /* not c */ b", "SELECT b"),
            ("create table t (a int)", "CREATE"),
            ("select 'a from secretword b'", "SELECT"),
            ("select 'a from secretword b' from c", "SELECT c"),
            ("select \"from\" from c", "SELECT c"),
            ("update 'secretword'", "UPDATE"),
            ("'secretword'", ""),
            ("", ""),
        ] {
            for kind in BOTH {
                assert_eq!(summary(sql, kind), expected, "{kind:?}: {sql}");
            }
        }
    }

    #[test]
    fn no_value_is_left() {
        for (sql, expected) in [
            ("select 'secret'", "select ?"),
            (r"where path = 'C:\' and token = 'secret'", "where path = ? and token = ?"),
            ("select a -- it's\nfrom b where c = 'secret'", "select a \nfrom b where c = ?"),
            ("select a/* it's 'secret' */from b", "select a from b"),
            ("where \"it's\" = 'secret'", "where \"it's\" = ?"),
            ("where a=1e5 and b2=-3", "where a=? and b2=-?"),
            ("where a = 1_000", "where a = ?"),
            ("where a = x'5ec2e7'", "where a = x?"),
            ("select 'open", "select ?"),
            ("limit $1 offset $12", "limit $1 offset $12"),
        ] {
            for kind in BOTH {
                assert_eq!(without_values(sql, kind), expected, "{kind:?}: {sql}");
            }
        }
        for (sql, expected) in
            [("select E'a\\'secret'", "select E?"), ("select $$secret$$, $tag$secret$tag$", "select ?, ?")]
        {
            assert_eq!(without_values(sql, Kind::Postgres), expected, "{sql}");
        }
    }

    #[test]
    fn what_has_no_values_is_not_copied() {
        let sql = "select a from b where c = $1";
        assert!(BOTH.iter().all(|kind| matches!(without_values(sql, *kind), Cow::Borrowed(_))));
    }

    /// Text with apostrophes in it that begin and end nothing.
    fn distraction() -> impl Strategy<Value = (&'static str, Option<Kind>)> {
        prop_oneof![
            Just(("-- it's\n", None)),
            Just(("/* it's */", None)),
            Just(("/*'*/ -- '' ' \n", None)),
            Just(("\"it's\" = $1 and ", None)),
            Just((r"path = 'C:\' and ", None)),
            Just(("note = 'it''s' and ", None)),
            Just(("/* /* it's */ ' */", Some(Kind::Postgres))),
            Just((r"e = E'it\'s' and ", Some(Kind::Postgres))),
            Just(("f = $f$it's$f$ and ", Some(Kind::Postgres))),
            Just(("/* /* it's */", Some(Kind::Sqlite))),
            Just(("[it's] = `it's` and ", Some(Kind::Sqlite))),
        ]
    }

    /// How a value may be written; `S` stands for it.
    fn literal() -> impl Strategy<Value = (&'static str, Option<Kind>)> {
        prop_oneof![
            Just(("'S'", None)),
            Just(("'a from S'", None)),
            Just(("'it''s S'", None)),
            Just((r"'C:\S\'", None)),
            Just(("'-- S /* S'", None)),
            Just(("/* it's from S */ 'S' -- from S, it's\n", None)),
            Just((r"E'it\'s from S'", Some(Kind::Postgres))),
            Just(("E'a'\n  'it\\'s S'", Some(Kind::Postgres))),
            Just(("$$it's from S$$", Some(Kind::Postgres))),
            Just(("$t$it's $$ from S$t$", Some(Kind::Postgres))),
            Just(("/* /* S */ it's from S */ 'S'", Some(Kind::Postgres))),
        ]
    }

    proptest! {
        #[test]
        fn any_text_is_taken(sql in ".{0,300}") {
            for kind in BOTH {
                prop_assert!(summary(&sql, kind).len() <= MOST);
                without_values(&sql, kind);
            }
        }

        #[test]
        fn what_is_quoted_never_shows_and_what_follows_does(
            secret in "[a-z]{8,20}",
            before in prop::collection::vec(distraction(), 0..4),
            (literal, of) in literal(),
        ) {
            for kind in BOTH {
                let suits = |of: Option<Kind>| of.is_none_or(|of| of == kind);
                if !suits(of) {
                    continue;
                }
                let before: String = before.iter().filter(|(_, of)| suits(*of)).map(|(text, _)| *text).collect();
                let literal = literal.replace('S', &secret);
                for sql in [
                    format!("select a from b where {before} c = {literal} and last = $2"),
                    format!("select {literal}, {before} last = $2 from b"),
                ] {
                    let text = without_values(&sql, kind);
                    prop_assert!(!text.contains(&secret), "{kind:?}: {sql}: {text}");
                    prop_assert!(text.contains("last = $2"), "{kind:?}: {sql}: {text}");
                    prop_assert_eq!(summary(&sql, kind), "SELECT b");
                }
            }
        }
    }
}
