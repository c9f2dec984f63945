//! An answer as the table has it, and what of it may differ.
//!
//! What the two sides cannot have alike, and is therefore not compared:
//!
//! | what | why |
//! |---|---|
//! | `connection`, `transfer-encoding`, `content-length`, `keep-alive`, `date` | of the connection, which is another one at the edge |
//! | several lines of one name as one | RFC 9110 §5.3 has them mean the same, and a Worker's `Headers` holds them as one; lines of `set-cookie` stay apart |
//! | `tropos-edge; hit` in `Cache-Status` | RFC 9211 has each cache speak for itself; it stands for the server's own `hit` |
//! | `age` of a page of the build | the server has it since the build and says nothing; a cache says how long it has kept it (RFC 9111 §5.1) |
//!
//! What differs from run to run is replaced by its name in braces: names by chance, signed tokens, `ETag` (which the runner compares
//! between the two sides), and seconds that pass, which are rounded to tens: those that are left up, those that are over down.

use std::fmt;
use tropos_cases::page::Page;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Server,
    Edge,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "axum",
            Self::Edge => "workerd",
        })
    }
}

const OF_THE_CONNECTION: [&str; 5] =
    ["connection", "content-length", "date", "keep-alive", "transfer-encoding"];

/// The answer as text, and its `ETag`.
pub fn shown(page: &Page, side: Side) -> (String, Option<String>) {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in &page.headers {
        let name = name.to_ascii_lowercase();
        let joined = headers.iter_mut().find(|(known, _)| *known == name && name != "set-cookie");
        match joined {
            Some((_, known)) => known.push_str(&format!(", {value}")),
            None => headers.push((name, value.clone())),
        }
    }
    headers.retain(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str()));
    let has =
        |name: &str, part: &str| headers.iter().any(|(known, value)| known == name && value.contains(part));
    if side == Side::Edge && has("cache-status", "tropos-edge; hit; ttl=31") {
        headers.retain(|(name, _)| name != "age");
    }
    let tag = headers.iter().find(|(name, _)| name == "etag").map(|(_, value)| value.clone());
    // Cookies stay in the order in which they came.
    headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut out = page.status.to_string();
    for (name, value) in &headers {
        out.push_str(&format!("\n{name}: {}", normal(name, value, side)));
    }
    let body = String::from_utf8_lossy(&page.body);
    let body = saw(&body).unwrap_or_else(|| body.trim_end().to_owned());
    if !body.is_empty() {
        out.push_str(&format!("\n\n{}", chance(&body)));
    }
    (out, tag)
}

fn normal(name: &str, value: &str, side: Side) -> String {
    match name {
        "etag" => "{etag}".to_owned(),
        "age" => tens(value, Round::Down),
        "cache-status" => {
            let edge = value.split(", ").find(|member| member.starts_with("tropos-edge; hit"));
            match edge.filter(|_| side == Side::Edge) {
                Some(hit) => tens(&hit.replace("tropos-edge", "tropos"), Round::Up),
                None => tens(value, Round::Up),
            }
        }
        "ratelimit" | "retry-after" => tens(value, Round::Up),
        _ => chance(value),
    }
}

/// Where a number goes that a slow machine has moved: back to what it was at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// What is left, and falls.
    Up,
    /// What is over, and grows.
    Down,
}

/// Numbers rounded to tens, but for those behind `r=`, which count.
fn tens(text: &str, round: Round) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for character in text.chars().chain(['\0']) {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        if let Ok(number) = digits.parse::<u64>() {
            let rounded = match round {
                _ if out.ends_with("r=") => number,
                Round::Up => number.div_ceil(10) * 10,
                Round::Down => number / 10 * 10,
            };
            out.push_str(&rounded.to_string());
        }
        digits.clear();
        if character != '\0' {
            out.push(character);
        }
    }
    out
}

/// What is made by chance or of the time: 32 digits of a visitor's name, and tokens, `v1.….…` and `eyJ….….…`.
fn chance(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for character in text.chars().chain(['\0']) {
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_') {
            word.push(character);
            continue;
        }
        let is_name = word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_token = (word.starts_with("v1.") || word.starts_with("eyJ")) && word.len() > 60;
        out.push_str(if is_name {
            "{random}"
        } else if is_token {
            "{token}"
        } else {
            &word
        });
        word.clear();
        if character != '\0' {
            out.push(character);
        }
    }
    out
}

/// What a page of the application saw; nothing where it is none.
fn saw(body: &str) -> Option<String> {
    let (_, rest) = body.split_once("id=\"saw\">")?;
    let (text, _) = rest.split_once("</pre>")?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)))
}

/// The lines that differ.
pub fn compare(expected: &str, actual: &str) -> Option<String> {
    let clean = |text: &str| -> Vec<String> {
        let mut lines = text.trim_end().lines().map(str::to_owned);
        let first = lines.next().map(|first| first.split(" #").next().unwrap_or_default().to_owned());
        first.into_iter().chain(lines).collect()
    };
    let (expected, actual) = (clean(expected), clean(actual));
    if expected == actual {
        return None;
    }
    let only = |sign: &str, of: &[String], other: &[String]| -> Vec<String> {
        of.iter().filter(|line| !other.contains(line)).map(|line| format!("  {sign} {line}")).collect()
    };
    let mut lines = only("-", &expected, &actual);
    lines.extend(only("+", &actual, &expected));
    if lines.is_empty() {
        lines.push("  the same lines in another order".to_owned());
    }
    Some(lines.join("\n"))
}
