//! What a change outdates: names of tags with `{columns}` in them.

use std::collections::HashMap;
use tropos_core::{Tag, tag::encode_part};

/// The name of a tag, such as `product-{id}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template<'a>(Vec<Part<'a>>);

#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    /// Stands for itself.
    Text(&'a str),
    /// Stands for the value of a column.
    Column(&'a str),
}

impl<'a> Template<'a> {
    /// Reads what `tropos.watch` has let through; nothing where a brace lacks its other, or nothing is named.
    pub(super) fn parse(template: &'a str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((before, from)) = rest.find(['{', '}']).and_then(|at| rest.split_at_checked(at)) {
            if !before.is_empty() {
                parts.push(Part::Text(before));
            }
            let (column, after) = from.strip_prefix('{')?.split_once('}')?;
            if column.is_empty() || column.contains('{') {
                return None;
            }
            parts.push(Part::Column(column));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest));
        }
        (!parts.is_empty()).then_some(Self(parts))
    }

    /// The tag of a row, made as `#[cached]` makes its own: what is data is encoded, then the whole is read as a name.
    /// `None` where a column is missing or null.
    pub(super) fn tag(&self, columns: &HashMap<String, Option<String>>) -> Option<Tag> {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => Some((*text).to_owned()),
            Part::Column(column) => columns.get(*column)?.as_deref().map(encode_part),
        });
        parts.collect::<Option<String>>().map(Tag::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag(template: &str, columns: &[(&str, &str)]) -> Option<String> {
        crate::bridge::tag_of(template, columns).map(|tag| tag.as_str().to_owned())
    }

    #[test]
    fn a_template_is_filled_with_encoded_values() {
        for (template, columns, expected) in [
            ("products", &[][..], Some("products")),
            ("product-{id}", &[("id", "42")], Some("product-42")),
            ("{a}-{b}{a}", &[("a", "1"), ("b", "%")], Some("1-%251")),
            ("a b-{the column}", &[("the column", "ö/é")], Some("a%20b-%C3%B6/%C3%A9")),
            ("product-{id}", &[], None),
            ("{id}", &[("id", "")], Some("-")),
            ("", &[], None),
            ("a-{", &[], None),
            ("a-}", &[], None),
            ("a-{}", &[("", "x")], None),
            ("a-{b{c}}", &[("b{c", "x")], None),
        ] {
            assert_eq!(tag(template, columns).as_deref(), expected, "{template}");
        }
    }

    #[test]
    fn null_makes_no_tag() {
        let columns = HashMap::from([("id".to_owned(), None)]);
        assert_eq!(Template::parse("product-{id}").unwrap().tag(&columns), None);
    }

    proptest! {
        #[test]
        fn any_value_makes_the_tag_of_its_kind(kind in "[a-z]{1,10}", value in ".{0,300}") {
            let made = crate::bridge::tag_of(&format!("{kind}-{{value}}"), &[("value", &value)]);
            prop_assert_eq!(made, Some(Tag::from((kind.as_str(), &value))));
        }

        #[test]
        fn no_template_is_too_strange_to_be_read(template in "[{}a-]{0,12}") {
            drop(Template::parse(&template));
        }
    }
}
