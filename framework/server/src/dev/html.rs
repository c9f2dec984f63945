//! Islands in HTML, and the hash of a body. Pure.

use super::record::Islands;
use memchr::memmem;
use xxhash_rust::xxh3::Xxh3;

/// The islands of a page, by name, in the order of their first occurrence.
pub(super) fn islands(html: &str) -> Vec<Islands> {
    const TAG: &str = "<leptos-island";
    let mut found: Vec<Islands> = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once(TAG) {
        let tag = end_of_tag(after);
        let name = attribute(tag, "data-component").unwrap_or_default();
        // The compiler puts a number behind the function's name.
        let name = name.rsplit_once('_').map_or(name, |(name, _)| name).trim_start_matches("__");
        let props = attribute(tag, "data-props").map_or(0, str::len);
        match found.iter_mut().find(|known| known.name == name) {
            Some(known) => {
                known.count += 1;
                known.props_bytes += props;
            }
            None => found.push(Islands { name: name.to_owned(), count: 1, props_bytes: props }),
        }
        rest = after;
    }
    found
}

/// The inside of a tag. Values are quoted, and may hold what would end it.
fn end_of_tag(after: &str) -> &str {
    let mut quoted = false;
    let end = after.find(|c| {
        quoted ^= c == '"';
        c == '>' && !quoted
    });
    after.get(..end.unwrap_or(after.len())).unwrap_or_default()
}

fn attribute<'h>(tag: &'h str, name: &str) -> Option<&'h str> {
    let (_, after) = tag.split_once(name)?;
    after.strip_prefix("=\"")?.split('"').next()
}

/// The hash of a body without what changes in each answer by its nature: nonces of a content security policy.
pub(super) fn hash(status: u16, body: &[u8]) -> u64 {
    const NONCE: &[u8] = b" nonce=\"";
    let mut hash = Xxh3::new();
    hash.update(&status.to_le_bytes());
    let mut rest = body;
    while let Some(at) = memmem::find(rest, NONCE) {
        let (before, after) = rest.split_at(at + NONCE.len());
        hash.update(before);
        let end = memchr::memchr(b'"', after).unwrap_or(0);
        rest = after.get(end..).unwrap_or_default();
    }
    hash.update(rest);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn islands_are_counted_with_the_bytes_of_their_props() {
        let html = r#"<p></p><leptos-island data-component="Counter_12" data-props="{&quot;a>b&quot;:1}"><b></b></leptos-island>
            <leptos-island data-component="Counter_12" data-props="12345"></leptos-island>
            <leptos-island data-component="Search_box_3"></leptos-island>"#;
        let named = |name: &str, count, props_bytes| Islands { name: name.into(), count, props_bytes };
        assert_eq!(islands(html), [named("Counter", 2, 19 + 5), named("Search_box", 1, 0)]);
        assert!(islands("<p>").is_empty());
    }

    #[test]
    fn a_body_is_the_same_whatever_its_nonce() {
        let with = |nonce: &str| format!(r#"<script nonce="{nonce}">a</script><p nonce="{nonce}x">b</p>"#);
        assert_eq!(hash(200, with("1").as_bytes()), hash(200, with("22").as_bytes()));
        assert_ne!(hash(200, b"a"), hash(200, b"b"));
        assert_ne!(hash(200, b"a"), hash(404, b"a"));
        assert_ne!(hash(200, br#"<p nonce="1">a</p>"#), hash(200, br#"<p nonce="1">b</p>"#));
    }
}
