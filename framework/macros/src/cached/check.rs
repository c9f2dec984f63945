//! What a cached function must be.

use super::args::Declaration;
use crate::{
    function::{Function, plain, shown},
    subject::{Errors, Subject},
};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, Ident, Pat, ReturnType, Type};

/// An argument.
pub(crate) struct Argument<'a> {
    pub(crate) name: &'a Ident,
    /// The type; without its `&`, where it has one.
    pub(crate) ty: &'a Type,
    pub(crate) by_reference: bool,
}

/// The arguments; those of which a key cannot be made are reported.
pub(crate) fn arguments<'a>(
    subject: &Subject,
    function: &'a Function,
    errors: &mut Errors,
) -> Vec<Argument<'a>> {
    let typed = function.sig.inputs.iter().filter_map(|argument| match argument {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(_) => None,
    });
    let read = typed.map(|argument| {
        let name = match &*argument.pat {
            Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => &pat.ident,
            pattern => {
                let how = "an argument of a cached function has a name: take it apart in the body";
                return Err(subject.error(pattern, how));
            }
        };
        let (ty, by_reference) = match &*argument.ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                let how = format!("has no effect on its caller's values: take `&{}`", shown(&reference.elem));
                return Err(subject.error(&argument.ty, format!("a cached function may not run at all, so it {how}")));
            }
            Type::Reference(reference) => (&*reference.elem, true),
            Type::ImplTrait(_) => {
                return Err(subject.error(&argument.ty, "an argument of a cached function has a type of its own: name it"));
            }
            ty => (ty, false),
        };
        match borrows(ty.to_token_stream()) {
            true => {
                let how = "the function may go on when its caller has left, so it owns what it takes, or has it behind \
                           one `&`";
                Err(subject.error(&argument.ty, format!("`{}` borrows within: {how}", shown(&argument.ty))))
            }
            false => Ok(Argument { name, ty, by_reference }),
        }
    });
    read.filter_map(|argument| errors.keep(argument)).collect()
}

/// Whether a type holds a reference or a lifetime other than `'static`.
fn borrows(tokens: TokenStream) -> bool {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let found = match (&token, tokens.peek()) {
            // A reference without a lifetime is as short as its caller's borrow.
            (TokenTree::Punct(and), next) if and.as_char() == '&' => {
                !matches!(next, Some(TokenTree::Punct(quote)) if quote.as_char() == '\'')
            }
            (TokenTree::Punct(quote), Some(TokenTree::Ident(name))) if quote.as_char() == '\'' => {
                name != "static"
            }
            (TokenTree::Group(group), _) => borrows(group.stream()),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}

/// Reports all else that is wrong.
pub(crate) fn check(
    subject: &Subject,
    declaration: &Declaration,
    function: &Function,
    arguments: &[Argument<'_>],
    errors: &mut Errors,
) {
    // Where an option was refused, it may be this one, written otherwise.
    if errors.is_empty() && declaration.ttl.is_none() {
        let how =
            "write `#[cached(ttl = \"10m\")]`, or `\"never\"` where only an invalidation makes it stale";
        let message = format!("`#[cached]` needs `ttl`, the age after which a result is stale: {how}");
        errors.add(subject.error_at(Span::call_site(), message));
    }
    function.check(subject, "a cached function", errors);
    if let ReturnType::Default = function.sig.output {
        let how = "a cached function returns `Result<T>`, with a `T` that serializes";
        errors.add(subject.error(&function.sig.ident, how));
    }

    if let (Some(ttl), Some((span, expire))) = (&declaration.ttl, &declaration.expire)
        && let (Some(stale), Some(gone)) = (ttl.after, expire.after)
        && gone < stale
    {
        let why = "a result would end before it is stale; make `expire` at least as long";
        let message =
            format!("`expire = \"{}\"` is shorter than `ttl = \"{}\"`: {why}", expire.text, ttl.text);
        errors.add(subject.error_at(*span, message));
    }
    let names: Vec<String> = arguments.iter().map(|argument| plain(argument.name)).collect();
    for tag in &declaration.tags {
        for place in tag.places() {
            let name = place.split('.').next().unwrap_or(place);
            if names.iter().all(|known| known != name) {
                let has = match names.as_slice() {
                    [] => "the function has no arguments".to_owned(),
                    names => {
                        let names: Vec<_> = names.iter().map(|name| format!("`{{{name}}}`")).collect();
                        format!("the function has {}", names.join(", "))
                    }
                };
                let text = tag.literal.value();
                let message = format!("the tag `{text}` names `{{{name}}}`, which is no argument: {has}");
                errors.add(subject.error(&tag.literal, message));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lifetimes_other_than_static_borrow() {
        for (ty, expected) in [
            ("u64", false),
            ("Option<String>", false),
            ("&'static str", false),
            ("Cow<'static, str>", false),
            ("Cow<'_, str>", true),
            ("Option<&'a str>", true),
            ("Option<&str>", true),
            ("&str", true),
            ("(u8, [&str; 2])", true),
        ] {
            let ty: Type = syn::parse_str(ty).unwrap();
            assert_eq!(borrows(ty.to_token_stream()), expected, "{}", shown(&ty));
        }
    }
}
