//! What a statement does, in a few words, and its text without values. Pure.

use std::borrow::Cow;

/// A summary is at most so long, in bytes.
const MOST: usize = 120;

/// Operation and table, such as `SELECT product`: few different ones, so that metrics may be grouped by them
/// (`db.query.summary` of OpenTelemetry's conventions).
///
/// Found by looking at words, not by parsing: what is not plain is summed up by its first word alone.
///
/// ```
/// # use tropos_db::summary;
/// assert_eq!(summary("select name from product where id = $1"), "SELECT product");
/// assert_eq!(summary("insert into basket (visitor) values ($1)"), "INSERT basket");
/// assert_eq!(summary("with a as (select 1) select * from a"), "WITH");
/// ```
pub fn summary(sql: &str) -> String {
    let mut words = words(sql);
    let Some(first) = words.next() else { return String::new() };
    let operation = first.to_ascii_uppercase();
    let before_table: &[&str] = match operation.as_str() {
        "SELECT" | "DELETE" => &["FROM"],
        "INSERT" | "REPLACE" | "MERGE" => &["INTO"],
        "UPDATE" => &[],
        _ => return cut(operation),
    };
    if !before_table.is_empty()
        && !words.any(|word| before_table.iter().any(|end| word.eq_ignore_ascii_case(end)))
    {
        return cut(operation);
    }
    match words.find(|word| !word.eq_ignore_ascii_case("only")) {
        Some(table) if table.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '"') => {
            cut(format!("{operation} {}", table.trim_matches('"')))
        }
        _ => cut(operation),
    }
}

/// Words and quoted names, without what stands in quotation marks or comments.
fn words(sql: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';');
    sql.lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(move |line| line.split(separates))
        .filter(|word| !word.is_empty())
}

fn cut(mut text: String) -> String {
    let end = (0..=MOST.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text
}

/// The text of a statement with `?` for every string and number that is written into it.
///
/// ```
/// # use tropos_db::without_values;
/// assert_eq!(without_values("select * from a1 where b = 'x''y' and c > 1.5 and d = $2"), "select * from a1 where b = ? and c > ? and d = $2");
/// ```
pub fn without_values(sql: &str) -> Cow<'_, str> {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        match c {
            '\'' => {
                // Two in a row stand for one within.
                loop {
                    match rest.next() {
                        Some('\'') if rest.peek() == Some(&'\'') => drop(rest.next()),
                        Some('\'') | None => break,
                        // With E'' a backslash may hide a quotation mark; without, hiding one more is harmless.
                        Some('\\') => drop(rest.next()),
                        Some(_) => {}
                    }
                }
                text.push('?');
                before = '?';
                continue;
            }
            '0'..='9' if !is_name(before) => {
                while rest.peek().is_some_and(|c| c.is_ascii_alphanumeric() || *c == '.') {
                    rest.next();
                }
                text.push('?');
                before = '?';
                continue;
            }
            '$' if rest.peek().is_some_and(|c| !c.is_ascii_digit()) && !is_name(before) => {
                // Dollar quotes: the tag, what is within, the tag again.
                let tag: String = std::iter::from_fn(|| rest.next_if(|c| *c != '$')).collect();
                let end = format!("${tag}$");
                rest.next();
                let mut within = String::new();
                while !within.ends_with(&end) {
                    match rest.next() {
                        Some(c) => within.push(c),
                        None => break,
                    }
                }
                text.push('?');
                before = '?';
                continue;
            }
            _ => {}
        }
        text.push(c);
        before = c;
    }
    if text == sql { Cow::Borrowed(sql) } else { Cow::Owned(text) }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || c == '"'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn operation_and_table_are_found_where_they_are_plain() {
        for (sql, expected) in [
            ("SELECT 1", "SELECT"),
            ("select a, b from \"Order\" o join c on 1 = 1", "SELECT Order"),
            ("  update product set a = 1", "UPDATE product"),
            ("update only product set a = 1", "UPDATE product"),
            ("delete from kv where key = $1", "DELETE kv"),
            ("select x from (select 1) y", "SELECT select"),
            ("-- why\nselect a from b", "SELECT b"),
            ("create table t (a int)", "CREATE"),
            ("", ""),
        ] {
            // What is in parentheses is not looked into: its first word is taken.
            assert_eq!(summary(sql), expected, "{sql}");
        }
    }

    #[test]
    fn no_value_is_left() {
        for (sql, expected) in [
            ("select 'secret'", "select ?"),
            ("select E'a\\'secret'", "select E?"),
            ("select $$secret$$, $tag$secret$tag$", "select ?, ?"),
            ("where a=1e5 and b2=-3", "where a=? and b2=-?"),
            ("select 'open", "select ?"),
            ("limit $1 offset $12", "limit $1 offset $12"),
        ] {
            assert_eq!(without_values(sql), expected, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(sql in ".{0,300}") {
            prop_assert!(summary(&sql).len() <= MOST);
            without_values(&sql);
        }

        #[test]
        fn what_is_quoted_never_shows(secret in "[a-z]{8,20}") {
            let sql = format!("select a from b where c = '{secret}'");
            prop_assert!(!without_values(&sql).contains(&secret));
        }
    }
}
