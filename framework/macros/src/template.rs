//! Names of tags with `{placeholders}` in them.

use crate::subject::Subject;
use syn::LitStr;

/// One piece of a [`Template`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Stands for itself.
    Text(String),
    /// `{name}` or `{name.field}`, without the braces.
    Place(String),
}

/// The name of a tag, such as `product-{id}`.
pub(crate) struct Template {
    pub(crate) literal: LitStr,
    pub(crate) parts: Vec<Part>,
}

impl Template {
    /// Reads a name.
    pub(crate) fn parse(subject: &Subject, literal: LitStr) -> syn::Result<Self> {
        let text = literal.value();
        match parts(&text) {
            Ok(parts) => Ok(Self { literal, parts }),
            Err(problem) => Err(subject.error(&literal, format!("the tag `{text}` {problem}"))),
        }
    }

    /// What stands between braces.
    pub(crate) fn places(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Place(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    if text.is_empty() {
        return Err("has no name: name the data, such as `products`".to_owned());
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let inner = from.strip_prefix('{').ok_or("has a `}` without its `{`")?;
        let (name, after) = inner.split_once('}').ok_or("has a `{` without its `}`")?;
        let is_name = |part: &str| syn::parse_str::<syn::Ident>(part).is_ok();
        if !name.split('.').all(is_name) {
            return Err(format!(
                "has `{{{name}}}`: between braces stands a name alone, without format or expression"
            ));
        }
        parts.push(Part::Place(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_text_and_names() {
        let text = |text: &str| Part::Text(text.to_owned());
        let place = |name: &str| Part::Place(name.to_owned());
        for (template, expected) in [
            ("products", vec![text("products")]),
            ("product-{id}", vec![text("product-"), place("id")]),
            ("{a}{b.c}-x", vec![place("a"), place("b.c"), text("-x")]),
        ] {
            assert_eq!(parts(template), Ok(expected), "{template}");
        }
    }

    #[test]
    fn a_malformed_template_says_what_is_wrong() {
        for (template, problem) in [
            ("", "has no name"),
            ("a-{", "`{` without its `}`"),
            ("a-}", "`}` without its `{`"),
            ("a-{}", "a name alone"),
            ("a-{id:?}", "a name alone"),
            ("a-{{id}}", "a name alone"),
            ("a-{id.}", "a name alone"),
        ] {
            let message = parts(template).unwrap_err();
            assert!(message.contains(problem), "{template}: {message}");
        }
    }
}
