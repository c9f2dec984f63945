//! The list of options within an attribute.

use crate::{
    subject::{Errors, Subject},
    template::Template,
};
use proc_macro2::{Span, TokenTree};
use syn::{Ident, LitStr, Token, bracketed, ext::IdentExt, parse::ParseStream, punctuated::Punctuated};

/// Passes over one value, up to the next comma; the span of its beginning.
pub(crate) fn skip_value(input: ParseStream<'_>) -> Span {
    let start = input.span();
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            break;
        }
    }
    start
}

/// Walks `key = value, flag, ...`, and calls `option` at each value. An option that was read wrongly is noted and
/// passed over, so that one mistake does not hide the next.
pub(crate) fn each(
    subject: &Subject,
    input: ParseStream<'_>,
    errors: &mut Errors,
    mut option: impl FnMut(&Ident, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) -> syn::Result<()> {
    let mut seen: Vec<Ident> = Vec::new();
    while !input.is_empty() {
        let key = input.call(Ident::parse_any)?;
        if seen.contains(&key) {
            errors.add(subject.error(&key, format!("`{key}` is given twice: keep one of them")));
        }
        let read = option(&key, input, errors);
        errors.keep(read);
        skip_value(input);
        seen.push(key);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

/// The `=` of an option that has a value.
pub(crate) fn equals(
    subject: &Subject,
    key: &Ident,
    example: &str,
    input: ParseStream<'_>,
) -> syn::Result<()> {
    match input.parse::<Option<Token![=]>>()? {
        Some(_) => Ok(()),
        None => Err(subject.error(key, format!("`{key}` has a value: write `{key} = {example}`"))),
    }
}

/// `["a", "x-{key}"]`.
pub(crate) fn tags(
    subject: &Subject,
    key: &Ident,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> syn::Result<Vec<Template>> {
    equals(subject, key, r#"["products"]"#, input)?;
    if !input.peek(syn::token::Bracket) {
        let written = skip_value(input);
        return Err(subject
            .error_at(written, format!("`{key}` is a list of strings: write `{key} = [\"products\"]`")));
    }
    let list;
    bracketed!(list in input);
    let list = Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?;
    Ok(list.into_iter().filter_map(|tag| errors.keep(Template::parse(subject, tag))).collect())
}

/// `"did you mean ..."` or the list of what there is.
pub(crate) fn suggestion<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let nearest = known.clone().into_iter().min_by_key(|candidate| distance(written, candidate));
    match nearest {
        // Up to a third of the letters wrong reads as a slip; more is another word.
        Some(nearest) if distance(written, nearest) <= written.len().max(3) / 3 => {
            format!("did you mean `{nearest}`?")
        }
        _ => {
            let known: Vec<String> = known.into_iter().map(|known| format!("`{known}`")).collect();
            match known.as_slice() {
                [only] => format!("its only option is {only}"),
                _ => format!("its options are {}", known.join(", ")),
            }
        }
    }
}

/// How many letters must be put in, taken out or replaced to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((to, above), pair) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            next.push((pair + usize::from(from != *to)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_option_is_named_where_one_is_near() {
        let known = ["revalidate", "expire", "negative", "tags"];
        for (written, expected) in [
            ("revalidat", "did you mean `revalidate`?"),
            ("revaldiate", "did you mean `revalidate`?"),
            ("expires", "did you mean `expire`?"),
            ("tag", "did you mean `tags`?"),
            ("ttl", "its options are `revalidate`, `expire`, `negative`, `tags`"),
        ] {
            assert_eq!(suggestion(written, known), expected, "{written}");
        }
        assert_eq!(suggestion("age", ["tags"]), "its only option is `tags`");
    }
}
