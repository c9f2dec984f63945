//! What pages refer to, and whether it is there.
//!
//! The HTML is that which Leptos wrote, so reading it takes no parser of everything that browsers forgive: tags, their
//! attributes, comments, and the text of scripts and styles, which is skipped.

use super::layout::Files;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use std::fmt;

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Broken {
    /// The address of the page.
    page: String,
    /// The attribute that holds it.
    attribute: String,
    /// Where it leads.
    to: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { page, attribute, to } = self;
        write!(f, "{page}: {attribute}=\"{to}\" leads nowhere")?;
        match attribute.as_str() {
            "action" | "formaction" => f.write_str(", since a form needs a server"),
            _ => Ok(()),
        }
    }
}

/// Attributes that hold one address.
const ADDRESSES: [&str; 8] =
    ["href", "src", "poster", "action", "formaction", "data", "data-script", "data-wasm"];

/// The references of pages, as (address, HTML), that no file answers: each once for a page.
pub(super) fn broken(pages: &[(String, String)], files: &Files) -> Vec<Broken> {
    let mut broken = Vec::new();
    for (page, html) in pages {
        for (attribute, to) in references(html) {
            if path_of(page, &to).is_some_and(|path| !files.answers(&path)) {
                broken.push(Broken { page: page.clone(), attribute, to });
            }
        }
    }
    broken.sort();
    broken.dedup();
    broken
}

/// The decoded path that a reference on a page leads to, without its leading slash; `None` where it leads out of the site
/// or stays on the page.
fn path_of(page: &str, to: &str) -> Option<String> {
    let to = to.trim();
    let path = to.split(['?', '#']).next().unwrap_or_default();
    let has_scheme = path.split('/').next().is_some_and(|first| first.contains(':'));
    if path.is_empty() || path.starts_with("//") || has_scheme {
        return None;
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let whole = match decoded.starts_with('/') {
        true => decoded,
        false => format!("{}{decoded}", page.get(..=page.rfind('/').unwrap_or(0)).unwrap_or("/")),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Attributes and addresses of a text.
fn references(html: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let (name, after) = split_while(rest, |c| !c.is_ascii_whitespace() && c != '>' && c != '/');
        rest = attributes(after, &mut found);
        if matches!(name.to_ascii_lowercase().as_str(), "script" | "style" | "textarea" | "title") {
            let end = format!("</{name}");
            rest = rest.find(&end).and_then(|at| rest.get(at..)).unwrap_or_default();
        }
    }
    found
}

/// Reads the attributes of a tag; returns what follows it.
fn attributes<'a>(mut rest: &'a str, found: &mut Vec<(String, String)>) -> &'a str {
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            return rest.get(1..).unwrap_or_default();
        }
        let (name, after) = split_while(rest, |c| !c.is_ascii_whitespace() && !"=>/".contains(c));
        if name.is_empty() {
            // A `=` where a name should be.
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start) else {
            rest = after;
            continue;
        };
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = value.get(1..).unwrap_or_default();
                inner.split_once(quote).unwrap_or((inner, ""))
            }
            _ => split_while(value, |c| !c.is_ascii_whitespace() && c != '>'),
        };
        rest = after;
        note(&name.to_ascii_lowercase(), &unescape(value), found);
    }
}

fn note(name: &str, value: &str, found: &mut Vec<(String, String)>) {
    if ADDRESSES.contains(&name) {
        found.push((name.to_owned(), value.to_owned()));
    } else if name == "srcset" || name == "imagesrcset" {
        let addresses = value.split(", ").filter_map(|part| part.split_whitespace().next());
        found.extend(addresses.map(|address| (name.to_owned(), address.trim_end_matches(',').to_owned())));
    }
}

fn split_while(text: &str, is_part: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

fn unescape(value: &str) -> String {
    let known =
        [("&quot;", "\""), ("&#x27;", "'"), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    known.iter().fold(value.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_in_tags_alone() {
        let html = r#"<!DOCTYPE html><!-- <a href="/comment"> --><html><head><title><a href="/title"></title>
            <link rel=stylesheet href=/style.css><script src='/a.js' data-wasm="/a.wasm">x = "<a href='/script'>"</script>
            </head><body><a class="x" HREF = "/a?b=1&amp;c=2#d">a > b</a><img alt='>' src="p.png"
            srcset="p.png 1x, /q.png 2x"/><form action="/do" method="post"><button disabled>1 < 2</button></form></body>"#;
        let found: Vec<_> = references(html).into_iter().map(|(name, to)| format!("{name} {to}")).collect();
        assert_eq!(
            found,
            [
                "href /style.css",
                "src /a.js",
                "data-wasm /a.wasm",
                "href /a?b=1&c=2#d",
                "src p.png",
                "srcset p.png",
                "srcset /q.png",
                "action /do"
            ]
        );
    }

    #[test]
    fn what_is_cut_off_ends_the_reading() {
        for html in ["<", "<a", "<a href", "<a href=", "<a href=\"x", "<a =>", "<!-- ", "<script>", "é<é"] {
            references(html);
        }
    }

    #[test]
    fn a_reference_leads_from_where_the_page_is_shown() {
        for (page, to, expected) in [
            ("/a/b/", "/c", Some("c")),
            ("/a/b/", "c", Some("a/b/c")),
            ("/a/b/", "../c/", Some("a/c")),
            ("/old.html", "c", Some("c")),
            ("/", "../../c", Some("c")),
            ("/", "/caf%C3%A9?x#y", Some("café")),
            ("/a/", "/", Some("")),
            ("/a/", "#top", None),
            ("/a/", "?page=2", None),
            ("/a/", "https://example.com/x", None),
            ("/a/", "//example.com/x", None),
            ("/a/", "mailto:a@example.com", None),
            ("/a/", "data:,", None),
        ] {
            assert_eq!(path_of(page, to).as_deref(), expected, "{to} on {page}");
        }
    }

    #[test]
    fn what_no_file_answers_is_named_once_with_its_page() {
        let mut files = Files::default();
        for file in ["index.html", "a/index.html"] {
            files.add(file.to_owned(), Vec::new()).unwrap();
        }
        let html = r#"<a href="/a">1</a><a href="/b">2</a><a href="/b">3</a><form action="/send">"#;
        let broken: Vec<_> =
            broken(&[("/a/".to_owned(), html.to_owned())], &files).iter().map(ToString::to_string).collect();
        assert_eq!(
            broken,
            [
                "/a/: action=\"/send\" leads nowhere, since a form needs a server",
                "/a/: href=\"/b\" leads nowhere"
            ]
        );
    }
}
