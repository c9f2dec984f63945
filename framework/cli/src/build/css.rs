//! References from stylesheets to other files.
//!
//! Found are `url(...)`, quoted or not, and the string of an `@import`, outside comments and other strings. A reference
//! that is written with CSS escapes is left as it is.

use percent_encoding::percent_decode_str;
use std::ops::Range;

/// Where a stylesheet refers to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// The bytes of the address, without quotes.
    pub(crate) at: Range<usize>,
    /// The address as written.
    pub(crate) text: &'a str,
}

/// All references, in the order of the text.
pub(crate) fn references(css: &str) -> Vec<Reference<'_>> {
    let bytes = css.as_bytes();
    let mut found = Vec::new();
    let mut add = |at: Range<usize>| {
        if let Some(text) = css.get(at.clone()).filter(|text| !text.is_empty() && !text.contains('\\')) {
            found.push(Reference { at, text });
        }
    };
    let mut importing = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        match byte {
            b'/' if rest.starts_with(b"/*") => at = comment_end(css, at),
            b'"' | b'\'' => {
                let end = string_end(bytes, at);
                if importing {
                    add(at + 1..end);
                    importing = false;
                }
                at = end + 1;
            }
            b'@' if starts_with_word(rest, b"@import") => {
                importing = true;
                at += 7;
            }
            b';' => {
                importing = false;
                at += 1;
            }
            b'u' | b'U' if starts_with_word(rest, b"url(") && !follows_word(bytes, at) => {
                let start = at + 4 + spaces(bytes, at + 4);
                let end = match bytes.get(start) {
                    Some(b'"' | b'\'') => {
                        let end = string_end(bytes, start);
                        add(start + 1..end);
                        end
                    }
                    _ => {
                        let length =
                            rest_of(bytes, start).iter().position(|b| *b == b')' || b.is_ascii_whitespace());
                        let end = length.map_or(bytes.len(), |length| start + length);
                        add(start..end);
                        end
                    }
                };
                importing = false;
                at = end.max(at + 4);
                // A quoted address ends with its quote, which would open a string otherwise.
                at += usize::from(matches!(bytes.get(at), Some(b'"' | b'\'')));
            }
            _ => at += 1,
        }
    }
    found
}

/// The stylesheet with each reference replaced for which there is something else to say.
pub(crate) fn rewrite(css: &str, mut replace: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(css.len() + 64);
    let mut done = 0;
    for reference in references(css) {
        if let Some(text) = replace(reference.text) {
            out.push_str(css.get(done..reference.at.start).unwrap_or_default());
            out.push_str(&text);
            done = reference.at.end;
        }
    }
    out.push_str(css.get(done..).unwrap_or_default());
    out
}

/// The file within `public/` that a reference in the stylesheet `base` means, and what follows it (`?…#…`); `None` for
/// another site, data in place, a fragment, or a way out of `public/`.
pub(crate) fn resolve(base: &str, reference: &str) -> Option<(String, String)> {
    let cut = reference.find(['?', '#']).unwrap_or(reference.len());
    let (path, suffix) = reference.split_at(cut);
    let has_scheme = path.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('/'));
    if path.is_empty() || has_scheme || path.starts_with("//") {
        return None;
    }
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let (mut segments, path) = match path.strip_prefix('/') {
        Some(absolute) => (Vec::new(), absolute),
        None => {
            let mut directory: Vec<&str> = base.split('/').collect();
            directory.pop();
            (directory, &*path)
        }
    };
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            name => segments.push(name),
        }
    }
    Some((segments.join("/"), suffix.to_owned()))
}

fn rest_of(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

fn spaces(bytes: &[u8], at: usize) -> usize {
    rest_of(bytes, at).iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

fn starts_with_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Whether a name goes on here, so that `curl(` is not taken for `url(`.
fn follows_word(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| bytes.get(at));
    before.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || *byte >= 0x80)
}

fn comment_end(css: &str, at: usize) -> usize {
    let inside = at + 2;
    css.get(inside..).and_then(|rest| rest.find("*/")).map_or(css.len(), |length| inside + length + 2)
}

/// Where the quote is that closes the string opened at `at`; the end of the text if none does.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let Some(quote) = bytes.get(at) else {
        return bytes.len();
    };
    let mut end = at + 1;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'\\' => end += 2,
            byte if byte == quote => return end,
            _ => end += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(css: &str) -> Vec<&str> {
        references(css).into_iter().map(|reference| reference.text).collect()
    }

    #[test]
    fn references_are_found_where_css_has_them() {
        for (name, css, expected) in [
            ("bare", "a{background:url(x.png)}", &["x.png"] as &[_]),
            ("quoted", "a{b:url( \"x y.png\" )} c{d:url('z.png')}", &["x y.png", "z.png"]),
            ("spaces", "a{b:url(  x.png  )}", &["x.png"]),
            ("upper case", "a{b:URL(x.png)}", &["x.png"]),
            ("several", "@font-face{src:url(a.woff2) format(\"woff2\"),url(a.woff)}", &["a.woff2", "a.woff"]),
            ("import", "@import \"base.css\" screen; @import url(more.css);", &["base.css", "more.css"]),
            ("comment", "/* url(x.png) */ a{b:url(y.png)}", &["y.png"]),
            ("open comment", "/* url(x.png)", &[]),
            ("string", "a::before{content:\"url(x.png)\"} b{c:url(y.png)}", &["y.png"]),
            ("escaped quote", r#"a{content:"\"url(x.png)"} b{c:url(y.png)}"#, &["y.png"]),
            ("other function", "a{b:curl(x.png) my-url(y.png)}", &[]),
            (
                "data with a quote after",
                "a{b:url(\"data:image/svg+xml;x'\") url(y.png)}",
                &["data:image/svg+xml;x'", "y.png"],
            ),
            ("empty", "a{b:url()}", &[]),
            ("escape", r"a{b:url(x\).png)}", &[]),
            ("cut off", "a{b:url(x.png", &["x.png"]),
            ("cut off in a quote", "a{b:url(\"x.png", &["x.png"]),
            ("cut off after an escape", "a{b:url(\"x\\", &[]),
            ("not ASCII", "a::before{content:\"ä\"} b{c:url(ö.png)}", &["ö.png"]),
        ] {
            assert_eq!(texts(css), expected, "{name}");
        }
    }

    #[test]
    fn only_what_is_replaced_changes() {
        let css = "a{b:url(x.png)} /* url(x.png) */ c{d:url(\"y.png\")}";
        let new = rewrite(css, |text| (text == "x.png").then(|| "/X".into()));
        assert_eq!(new, "a{b:url(/X)} /* url(x.png) */ c{d:url(\"y.png\")}");
    }

    #[test]
    fn a_reference_resolves_as_a_browser_would() {
        for (base, reference, expected) in [
            ("style.css", "x.png", Some(("x.png", ""))),
            ("css/site.css", "x.png", Some(("css/x.png", ""))),
            ("css/site.css", "../img/./x.png", Some(("img/x.png", ""))),
            ("css/site.css", "/x.png", Some(("x.png", ""))),
            ("style.css", "a.eot?#iefix", Some(("a.eot", "?#iefix"))),
            ("style.css", "a%20b.png", Some(("a b.png", ""))),
            ("style.css", "../x.png", None),
            ("style.css", "#filter", None),
            ("style.css", "data:image/png;base64,AA", None),
            ("style.css", "https://example.com/x.png", None),
            ("style.css", "//example.com/x.png", None),
            ("style.css", "", None),
        ] {
            let expected = expected.map(|(path, suffix)| (path.to_owned(), suffix.to_owned()));
            assert_eq!(resolve(base, reference), expected, "{base} {reference}");
        }
    }
}
