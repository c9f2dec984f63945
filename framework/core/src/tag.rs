//! Names for data.
//!
//! A cached read carries tags, a page inherits those of all that it read, and an invalidation names them. So that any
//! value can be a part of a name, every character outside `[A-Za-z0-9._:/-]` is percent-encoded, and a name of more
//! than 128 characters is replaced by a hash that keeps its beginning; both the same way everywhere.

use crate::Error;
use std::{borrow::Borrow, fmt, sync::Arc};

/// The longest name; longer ones are hashed. Bounds headers such as `Surrogate-Key` as well as memory.
pub const LONGEST: usize = 128;

/// A name for data.
///
/// ```
/// use tropos_core::Tag;
/// assert_eq!(Tag::from(("product", 42)).as_str(), "product-42");
/// assert_eq!(Tag::from(("author", "Ursula K. Le Guin")).as_str(), "author-Ursula%20K.%20Le%20Guin");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// A tag by its name as a person would write it; characters that a name cannot hold are encoded, and `%` is kept
    /// where it begins an encoded character already.
    ///
    /// # Errors
    /// [`Error::EmptyTag`].
    pub fn named(name: &str) -> Result<Self, Error> {
        if name.is_empty() {
            return Err(Error::EmptyTag);
        }
        let mut out = String::with_capacity(name.len());
        let bytes = name.as_bytes();
        for (at, &byte) in bytes.iter().enumerate() {
            let encodes = byte == b'%'
                && matches!(bytes.get(at + 1..at + 3), Some(hex) if hex.iter().all(u8::is_ascii_hexdigit));
            if encodes { out.push('%') } else { push(&mut out, byte) }
        }
        Ok(Self::bounded(out))
    }

    /// A tag for a page path: every entry of that path carries it.
    pub fn path(path: &str) -> Self {
        Self::from(format!("_path:{path}"))
    }

    /// A tag for all paths at or beneath `prefix`, by whole segments.
    pub fn prefix(prefix: &str) -> Self {
        Self::from(format!("_beneath:{}", prefix.trim_end_matches('/')))
    }

    /// The tags by which a path, and every prefix of it, can be invalidated. `path` is canonical.
    pub fn of_path(path: &str) -> Vec<Self> {
        let mut tags = vec![Self::path(path), Self::prefix("/")];
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
        tags.extend(ends.filter(|end| *end > 1).filter_map(|end| path.get(..end)).map(Self::prefix));
        tags
    }

    /// The name, encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether Tropos made the tag by itself, for a path or a prefix.
    pub fn is_internal(&self) -> bool {
        self.0.starts_with('_')
    }

    fn bounded(mut name: String) -> Self {
        if name.len() > LONGEST {
            let hash = blake3::hash(name.as_bytes()).to_hex();
            // 32 hexadecimal digits are 128 bits: nobody can make two names meet.
            name.truncate(LONGEST - 33); // the name is ASCII by now
            // Half an encoded character would be encoded again when the tag is read by its name.
            if let Some(cut) = name.rfind('%').filter(|at| at + 3 > name.len()) {
                name.truncate(cut);
            }
            name.push(':');
            name.extend(hash.chars().take(32));
        }
        Self(name.into())
    }
}

fn push(out: &mut String, byte: u8) {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'/' | b'-' => {
            out.push(char::from(byte))
        }
        _ => {
            const HEX: [char; 16] =
                ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
            out.push('%');
            out.extend(HEX.get(usize::from(byte >> 4)));
            out.extend(HEX.get(usize::from(byte & 15)));
        }
    }
}

/// Encodes a part of a name that comes from data, `%` included.
pub fn encode_part(part: impl fmt::Display) -> String {
    let part = part.to_string();
    let mut out = String::with_capacity(part.len());
    part.bytes().for_each(|byte| push(&mut out, byte));
    out
}

impl From<&str> for Tag {
    /// As [`Tag::named`]; an empty name becomes `-`.
    fn from(name: &str) -> Self {
        Self::named(name).unwrap_or_else(|_| Self("-".into()))
    }
}

impl From<String> for Tag {
    fn from(name: String) -> Self {
        name.as_str().into()
    }
}

impl From<&String> for Tag {
    fn from(name: &String) -> Self {
        name.as_str().into()
    }
}

impl From<&Tag> for Tag {
    fn from(tag: &Tag) -> Self {
        tag.clone()
    }
}

impl<A: fmt::Display> From<(&str, A)> for Tag {
    /// A kind and an identity: `("product", 42)` is `product-42`.
    fn from((kind, id): (&str, A)) -> Self {
        Self::bounded(format!("{}-{}", encode_part(kind), encode_part(id)))
    }
}

impl<A: fmt::Display, B: fmt::Display> From<(&str, A, B)> for Tag {
    fn from((kind, a, b): (&str, A, B)) -> Self {
        Self::bounded(format!("{}-{}-{}", encode_part(kind), encode_part(a), encode_part(b)))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Some tags, sorted and without repetition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// No tags.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one, where it is not among them yet.
    pub fn add(&mut self, tag: Tag) {
        if let Err(at) = self.0.binary_search(&tag) {
            self.0.insert(at, tag);
        }
    }

    /// The tags in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Tag> {
        self.0.iter()
    }

    /// The tags in order.
    pub fn as_slice(&self) -> &[Tag] {
        &self.0
    }
}

impl<T: Into<Tag>> FromIterator<T> for Tags {
    fn from_iter<I: IntoIterator<Item = T>>(tags: I) -> Self {
        let mut tags: Vec<Tag> = tags.into_iter().map(Into::into).collect();
        tags.sort();
        tags.dedup();
        Self(tags)
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = &'a Tag;
    type IntoIter = std::slice::Iter<'a, Tag>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_carries_a_tag_for_itself_and_one_for_each_prefix() {
        let names = |path| Tag::of_path(path).iter().map(|t| t.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(names("/blog/a"), ["_path:/blog/a", "_beneath:", "_beneath:/blog", "_beneath:/blog/a"]);
        assert_eq!(names("/"), ["_path:/", "_beneath:"]);
        assert!(!Tag::of_path("/blogs").contains(&Tag::prefix("/blog")));
        assert!(Tag::of_path("/blog").contains(&Tag::prefix("/blog/")));
    }

    #[test]
    fn a_name_written_encoded_is_the_same_tag_as_the_data_it_came_from() {
        assert_eq!(Tag::named("isr-a b").unwrap(), Tag::from(("isr", "a b")));
        assert_eq!(Tag::named("isr-a%20b").unwrap(), Tag::from(("isr", "a b")));
        assert_eq!(Tag::named("100%").unwrap().as_str(), "100%25");
        assert_eq!(Tag::named(""), Err(Error::EmptyTag));
    }

    proptest! {
        #[test]
        fn any_value_makes_a_valid_tag(value in ".*") {
            let tag = Tag::from(("kind", &value));
            prop_assert!(tag.as_str().len() <= LONGEST);
            prop_assert!(tag.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/-%".contains(&b)));
            prop_assert_eq!(Tag::named(tag.as_str()).unwrap(), tag);
        }

        #[test]
        fn the_tags_of_a_path_are_read_by_their_names_as_they_were(path in "(/[a-z!$&'()*+,=:@~%é-]{1,60}){1,4}") {
            for tag in Tag::of_path(&path) {
                prop_assert_eq!(Tag::named(tag.as_str()).unwrap(), tag);
            }
        }

        #[test]
        fn different_values_make_different_tags(a in ".{0,200}", b in ".{0,200}") {
            prop_assert_eq!(Tag::from(("k", &a)) == Tag::from(("k", &b)), a == b);
        }
    }
}
