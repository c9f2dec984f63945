//! From the nonce of a render to the hashes of a stored page.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// A page's hashes are this many at most, so that the header stays below 4 KiB. A page of Tropos has one for islands and one for each resource of theirs.
pub const MOST_HASHES: usize = 64;

/// Hashes of what stands inline in a page, as a policy names them: `sha256-…`. Stored beside the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// Of scripts.
    pub scripts: Vec<String>,
    /// Of styles.
    pub styles: Vec<String>,
}

/// A page for the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The HTML without the nonce.
    pub html: String,
    /// What was inline with the nonce.
    pub hashes: Hashes,
    /// Scripts and styles that browsers will refuse: beyond [`MOST_HASHES`], or with text that browsers read otherwise (`<!--`, NUL).
    pub left_out: usize,
}

/// A nonce, of 128 bits by chance.
pub fn nonce(high: u64, low: u64) -> String {
    BASE64_STANDARD.encode([high.to_be_bytes(), low.to_be_bytes()].concat())
}

/// Takes the nonce out of a page, and gives the hashes of the inline scripts and styles that carried it.
///
/// What has no nonce, or another, is not hashed: a script that somebody smuggled into a text does not know the nonce of the render that
/// it will be part of, and stays refused.
pub fn seal(html: &str, nonce: &str) -> Sealed {
    let mut sealed =
        Sealed { html: String::with_capacity(html.len()), hashes: Hashes::default(), left_out: 0 };
    if nonce.is_empty() || !html.contains(nonce) {
        html.clone_into(&mut sealed.html);
        return sealed;
    }
    let (mut at, mut copied) = (0, 0);
    while let Some(found) = html.get(at..).and_then(|rest| rest.find('<')) {
        at += found;
        let rest = html.get(at..).unwrap_or_default();
        if rest.starts_with("<!--") {
            at += rest.find("-->").map_or(rest.len(), |end| end + 3);
            continue;
        }
        let Some(tag) = Tag::read(rest, nonce) else {
            at += 1;
            continue;
        };
        if let Some(mark) = &tag.mark {
            sealed.html.push_str(html.get(copied..at + mark.start).unwrap_or_default());
            copied = at + mark.end;
        }
        at += tag.end;
        if !RAW.contains(&tag.name.as_str()) {
            continue;
        }
        let text = html.get(at..).unwrap_or_default();
        let text = text.get(..end_of(text, &tag.name)).unwrap_or_default();
        at += text.len();
        match (tag.name.as_str(), tag.mark.is_some() && !tag.has_src) {
            ("script", true) => take(text, &mut sealed.hashes.scripts, &mut sealed.left_out),
            ("style", true) => take(text, &mut sealed.hashes.styles, &mut sealed.left_out),
            _ => {}
        }
    }
    sealed.html.push_str(html.get(copied..).unwrap_or_default());
    sealed
}

fn take(text: &str, into: &mut Vec<String>, left_out: &mut usize) {
    // Browsers read line ends as LF before they hash (HTML §13.2.3.5), and `<!--` may change where a script ends (§13.2.5.20).
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if text.contains("<!--") || text.contains('\0') || into.len() >= MOST_HASHES {
        *left_out += 1;
        return;
    }
    let hash = format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())));
    if !into.contains(&hash) {
        into.push(hash);
    }
}

/// Elements whose content is text alone to a browser that runs scripts (HTML §13.2.6).
const RAW: [&str; 9] =
    ["script", "style", "textarea", "title", "noscript", "iframe", "xmp", "noembed", "noframes"];

/// Where the content of such an element ends.
fn end_of(text: &str, name: &str) -> usize {
    let ends = text.match_indices("</").map(|(at, _)| at);
    let is_end = |at: &usize| {
        let rest = text.as_bytes().get(at + 2..).unwrap_or_default();
        let named = rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
        named
            && rest
                .get(name.len())
                .is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b'>' | b'/'))
    };
    ends.into_iter().find(is_end).unwrap_or(text.len())
}

/// A start tag.
struct Tag {
    name: String,
    has_src: bool,
    /// Where the attribute with the nonce stands, and the space before it.
    mark: Option<Range<usize>>,
    /// Behind its `>`.
    end: usize,
}

impl Tag {
    /// Reads the tag that a text begins with (HTML §13.2.5.8 and on); `None` for what is no start tag.
    fn read(text: &str, nonce: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
        let until = |from: usize, stop: &dyn Fn(&u8) -> bool| {
            bytes.iter().skip(from).position(stop).map(|length| from + length)
        };
        if !bytes.get(1)?.is_ascii_alphabetic() {
            return None;
        }
        let mut at = until(1, &is_end)?;
        let mut tag =
            Self { name: text.get(1..at)?.to_ascii_lowercase(), has_src: false, mark: None, end: 0 };
        loop {
            let space = at;
            at = until(at, &|byte| !byte.is_ascii_whitespace() && *byte != b'/')?;
            if bytes.get(at) == Some(&b'>') {
                return Some(Self { end: at + 1, ..tag });
            }
            let name = at;
            at = until(at + 1, &|byte| is_end(byte) || *byte == b'=')?;
            let name = text.get(name..at)?;
            let behind = until(at, &|byte| !byte.is_ascii_whitespace())?;
            let mut value = "";
            if bytes.get(behind) == Some(&b'=') {
                at = until(behind + 1, &|byte| !byte.is_ascii_whitespace())?;
                let (begin, end) = match bytes.get(at)? {
                    quote @ (b'"' | b'\'') => (at + 1, until(at + 1, &|byte| byte == quote)?),
                    _ => (at, until(at, &|byte| byte.is_ascii_whitespace() || *byte == b'>')?),
                };
                value = text.get(begin..end)?;
                at = if begin == at { end } else { end + 1 };
            }
            tag.has_src |= name.eq_ignore_ascii_case("src");
            if name.eq_ignore_ascii_case("nonce") && value == nonce && tag.mark.is_none() {
                tag.mark = Some(space..at);
            }
        }
    }
}
