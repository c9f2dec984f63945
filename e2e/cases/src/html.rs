//! Finds tags, attributes and text in a page, as far as the fixture's markup needs it.

/// Every start tag of a page: its name, the text within it behind the name, and what follows it.
struct Tags<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tags<'a> {
    type Item = (&'a str, &'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = self.rest.find('<')?;
            let tag = self.rest.get(at + 1..)?;
            if let Some(comment) = tag.strip_prefix("!--") {
                // `<!-->` is a whole comment: the rest of the opening counts for the end.
                let end = if comment.starts_with('>') {
                    1
                } else {
                    comment.find("-->").map_or(comment.len(), |e| e + 3)
                };
                self.rest = comment.get(end..)?;
                continue;
            }
            if !tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
                self.rest = tag;
                continue;
            }
            let end = end_of_tag(tag)?;
            let (inner, after) = (tag.get(..end)?, tag.get(end + 1..)?);
            let (name, attributes) = inner.split_at(inner.find(is_end_of_name).unwrap_or(inner.len()));
            self.rest = after;
            // What a script or a style holds is not markup.
            if let Some(close) = ["script", "style"].into_iter().find(|raw| name.eq_ignore_ascii_case(raw)) {
                let close = format!("</{close}");
                self.rest = after.get(after.find(&close).unwrap_or(after.len())..)?;
            }
            return Some((name, attributes, after));
        }
    }
}

fn is_end_of_name(c: char) -> bool {
    c.is_whitespace() || c == '/'
}

/// The start tags named `name`: the text within each behind the name, and what follows it.
fn tags<'a>(html: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let named = move |(found, inner, after): (&'a str, _, _)| {
        found.eq_ignore_ascii_case(name).then_some((inner, after))
    };
    Tags { rest: html }.filter_map(named)
}

/// The texts of all scripts.
pub fn scripts(html: &str) -> Vec<&str> {
    tags(html, "script")
        .filter_map(|(_, after)| after.get(..after.find("</script").unwrap_or(after.len())))
        .collect()
}

/// The `>` that ends a tag, not one within a quoted value.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

/// The value of an attribute, from the text within a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_whitespace() || c == '=')?;
        let found = rest.get(..end)?;
        rest = rest.get(end..)?.trim_start();
        let Some(value) = rest.strip_prefix('=') else {
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value.get(1..)?.split_once(quote)?,
            _ => value.split_at(value.find(char::is_whitespace).unwrap_or(value.len())),
        };
        if found.eq_ignore_ascii_case(name) {
            return Some(unescape(value));
        }
        rest = after;
    }
}

/// The value of attribute `attribute` on the first tag `tag` that has it.
pub fn attribute_of(html: &str, tag: &str, attribute_name: &str) -> Option<String> {
    tags(html, tag).find_map(|(inner, _)| attribute(inner, attribute_name))
}

/// All values of an attribute on tags of one name.
pub fn attributes_of(html: &str, tag: &str, attribute_name: &str) -> Vec<String> {
    tags(html, tag).filter_map(|(inner, _)| attribute(inner, attribute_name)).collect()
}

/// Whether there is a start tag of that name.
pub fn has_tag(html: &str, tag: &str) -> bool {
    tags(html, tag).next().is_some()
}

/// The text in the first tag `tag` whose `id` is `id`, without comments and inner tags.
pub fn text_of(html: &str, tag: &str, id: &str) -> Option<String> {
    let (_, after) = tags(html, tag).find(|(inner, _)| attribute(inner, "id").as_deref() == Some(id))?;
    let inner = after.get(..after.find(&format!("</{tag}>"))?)?;
    let mut text = String::new();
    let mut rest = inner;
    while let Some(at) = rest.find('<') {
        text.push_str(rest.get(..at)?);
        rest = rest.get(at + end_of_tag(rest.get(at..)?)? + 1..)?;
    }
    text.push_str(rest);
    Some(unescape(&text))
}

/// Undoes the character references that a renderer writes.
pub fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        plain.push_str(before);
        let end = reference.find(';').filter(|end| *end <= 10);
        let character = end.and_then(|end| reference.get(1..end)).and_then(|name| match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            name => {
                let code = name.strip_prefix('#')?;
                let code = match code.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => code.parse().ok()?,
                };
                char::from_u32(code)
            }
        });
        match (character, end) {
            (Some(character), Some(end)) => {
                plain.push(character);
                rest = reference.get(end + 1..).unwrap_or_default();
            }
            _ => {
                plain.push('&');
                rest = reference.get(1..).unwrap_or_default();
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_in_any_order_and_quoting() {
        for html in [
            r#"<mainx data-value="no"><main class='x>y' data-value="a&quot;b&#39;" data-rendered=12>"#,
            r#"<main></main><template><main data-rendered='12' data-value='a"b&apos;'></main>"#,
            r#"<main hidden data-value = "a&#34;b'" data-rendered="12"/>"#,
        ] {
            assert_eq!(attribute_of(html, "main", "data-value").as_deref(), Some("a\"b'"), "{html}");
            assert_eq!(attribute_of(html, "main", "data-rendered").as_deref(), Some("12"), "{html}");
            assert_eq!(attribute_of(html, "main", "value"), None, "{html}");
        }
    }

    #[test]
    fn text_comes_without_comments_and_with_references_undone() {
        let html = r#"<p>x</p><p class="a" id="value"><!--hk-->a &lt;b&gt; <!>&amp;amp;<b>c</b></p>"#;
        assert_eq!(text_of(html, "p", "value").as_deref(), Some("a <b> &amp;c"));
        assert_eq!(text_of(html, "p", "echo"), None);
        assert_eq!(unescape("a & b &c; &#x2028;"), "a & b &c; \u{2028}");
    }

    #[test]
    fn what_stands_in_a_value_a_comment_or_a_script_is_no_tag() {
        for html in [
            r#"<p title="<img><script>x">a</p>"#,
            "<p title='<img>'>",
            "<!-- <img> <script> -->",
            "<!--><!-- <img> --> < img>",
            "<style><img></style>",
        ] {
            assert!(!has_tag(html, "img") && !has_tag(html, "script"), "{html}");
        }
        assert!(!has_tag("<script>'<img>'</script>", "img"));
        assert!(has_tag("<script></script><img>", "img") && has_tag("<!-- a --><IMG/>", "img"));
    }

    #[test]
    fn a_tag_is_known_by_its_whole_name() {
        assert!(has_tag("<script src=a>", "script") && has_tag("<script>", "script"));
        assert!(!has_tag("<scripts> &lt;script>", "script"));
        assert_eq!(scripts("<script>a<b</script><script>c"), ["a<b", "c"]);
        assert_eq!(attributes_of("<script src=a></script><script src='b'>", "script", "src"), ["a", "b"]);
    }
}
