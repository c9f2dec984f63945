//! Where one tag, comment or text of an HTML text ends and the next begins.
//!
//! This is no parser: it builds no tree and never fails. Any string is cut into pieces that add up to it again, and on
//! well-formed HTML each piece is one whole tag, comment or text node.

/// The pieces of an HTML text, in order.
///
/// ```
/// use tropos_live::html::Pieces;
/// let pieces: Vec<_> = Pieces::of("<p title='a>b'>1 < 2<!---></p>").collect();
/// assert_eq!(pieces, ["<p title='a>b'>", "1 < 2", "<!--->", "</p>"]);
/// ```
#[derive(Debug, Clone)]
pub struct Pieces<'a> {
    rest: &'a str,
    /// The element whose content is text up to its own end tag.
    raw: Option<&'a str>,
}

/// Elements whose content holds no tags.
const RAW_TEXT: [&str; 4] = ["script", "style", "textarea", "title"];

impl<'a> Pieces<'a> {
    /// Cuts `html`.
    pub fn of(html: &'a str) -> Self {
        Self { rest: html, raw: None }
    }

    fn end_of_next(&mut self) -> usize {
        if let Some(name) = self.raw.take() {
            let end = end_of_raw_text(self.rest, name);
            if end > 0 {
                return end;
            }
        }
        if !starts_markup(self.rest) {
            return end_of_text(self.rest);
        }
        if self.rest.starts_with("<!--") {
            return end_of_comment(self.rest);
        }
        if self.rest.starts_with("<!") || self.rest.starts_with("<?") {
            return self.rest.find('>').map_or(self.rest.len(), |at| at + 1);
        }
        let end = end_of_tag(self.rest);
        let tag = self.rest.get(..end).unwrap_or_default();
        self.raw = tag_name(tag).filter(|name| RAW_TEXT.iter().any(|raw| raw.eq_ignore_ascii_case(name)));
        end
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.end_of_next();
        let (piece, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        Some(piece)
    }
}

/// What stands between `<body …>` and `</body>`; the whole text where there is no body.
///
/// ```
/// let page = "<html><body class=a><p>x</p></body></html>";
/// assert_eq!(tropos_live::html::inner_body(page), "<p>x</p>");
/// ```
pub fn inner_body(html: &str) -> &str {
    let mut pieces = Pieces::of(html);
    while !pieces.rest.is_empty() {
        let is_text = pieces.raw.is_some();
        let tag = pieces.next().and_then(tag_name).filter(|_| !is_text);
        if tag.is_some_and(|name| name.eq_ignore_ascii_case("body")) {
            let inner = pieces.rest;
            let is_end =
                |at: &usize| inner.get(at + 2..at + 6).is_some_and(|name| name.eq_ignore_ascii_case("body"));
            let end = inner.rmatch_indices("</").map(|(at, _)| at).find(is_end);
            return inner.get(..end.unwrap_or(inner.len())).unwrap_or(inner);
        }
    }
    html
}

/// The name of a start tag; none for anything else.
fn tag_name(piece: &str) -> Option<&str> {
    let name = piece.strip_prefix('<')?;
    let end = name.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(name.len());
    name.get(..end).filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Whether a tag or comment starts here: a `<` followed by anything else is text.
fn starts_markup(html: &str) -> bool {
    match html.as_bytes() {
        [b'<', b'/', next, ..] | [b'<', next, ..] => {
            next.is_ascii_alphabetic() || matches!(next, b'!' | b'?')
        }
        _ => false,
    }
}

fn end_of_text(html: &str) -> usize {
    html.match_indices('<')
        .map(|(at, _)| at)
        .find(|&at| at > 0 && html.get(at..).is_some_and(starts_markup))
        .unwrap_or(html.len())
}

fn end_of_comment(html: &str) -> usize {
    // `<!-->` and `<!--->` are whole comments too.
    for short in ["<!-->", "<!--->"] {
        if html.starts_with(short) {
            return short.len();
        }
    }
    html.find("-->").map_or(html.len(), |at| at + 3)
}

/// The end of a tag; a `>` within quotes does not end it.
fn end_of_tag(html: &str) -> usize {
    let mut quote = None;
    for (at, byte) in html.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    html.len()
}

fn end_of_raw_text(html: &str, name: &str) -> usize {
    html.match_indices("</")
        .map(|(at, _)| at)
        .find(|&at| {
            html.get(at + 2..at + 2 + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
        })
        .unwrap_or(html.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pieces_are_whole_tags_comments_and_texts() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("text", &["text"]),
            ("<p>a&amp;b</p>", &["<p>", "a&amp;b", "</p>"]),
            ("<a title=\"x > 'y'\">z", &["<a title=\"x > 'y'\">", "z"]),
            ("a < b <c", &["a < b ", "<c"]),
            ("1<2", &["1<2"]),
            ("<>x</>", &["<>x</>"]),
            ("a<!>b<!-- <p> -->c<!---->d", &["a", "<!>", "b", "<!-- <p> -->", "c", "<!---->", "d"]),
            ("<script>if (a<b) '</p>'</script>x", &["<script>", "if (a<b) '</p>'", "</script>", "x"]),
            ("<TEXTAREA><b></textarea>", &["<TEXTAREA>", "<b>", "</textarea>"]),
            ("<style></style>", &["<style>", "</style>"]),
            ("<titlebar><b>", &["<titlebar>", "<b>"]),
            ("<p title='open", &["<p title='open"]),
            ("é<b>𝄞</b>", &["é", "<b>", "𝄞", "</b>"]),
        ];
        for (html, expected) in table {
            assert_eq!(Pieces::of(html).collect::<Vec<_>>(), *expected, "{html}");
        }
    }

    #[test]
    fn the_body_is_found_past_text_that_looks_like_one() {
        let table = [
            ("<p>x</p>", "<p>x</p>"),
            ("<html><head><title><body></title></head><BODY a='>'>x</body></html>", "x"),
            ("<body>a</body>b</body>", "a</body>b"),
            ("<body>open</b>", "open</b>"),
            ("<body>x</BODY></html>", "x"),
        ];
        for (html, expected) in table {
            assert_eq!(inner_body(html), expected, "{html}");
        }
    }

    proptest! {
        #[test]
        fn pieces_of_any_text_add_up_to_it(html in "(<|>|/|!|-|\"|'|script|p| |a|é|𝄞|&|=)*") {
            let pieces: Vec<_> = Pieces::of(&html).collect();
            prop_assert_eq!(pieces.concat(), &*html);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
        }
    }
}
