//! The function that an attribute stands on.

use crate::subject::{Errors, Subject};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{
    Attribute, Ident, Signature, Type, Visibility,
    parse::{Parse, ParseStream},
};

/// A function whose body was not looked at: a syntax error in it is the compiler's to report, at its place, and an
/// editor can complete in a body that is not finished.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) block: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attrs: input.call(Attribute::parse_outer)?,
            vis: input.parse()?,
            sig: input.parse()?,
            block: input.parse()?,
        })
    }
}

impl Function {
    /// Reports what neither a page nor a cached function can be. `what` is one of the two, with its article.
    pub(crate) fn check(&self, subject: &Subject, what: &str, errors: &mut Errors) {
        let Signature { asyncness, fn_token, generics, ident, .. } = &self.sig;
        if asyncness.is_none() {
            errors.add(subject.error(fn_token, format!("{what} is async: write `async fn {ident}`")));
        }
        if !generics.params.is_empty() {
            let why = "is one function of one type: leave out the type parameters and lifetimes";
            errors.add(subject.error(&generics.params, format!("{what} {why}")));
        }
        if let Some(where_clause) = &generics.where_clause {
            errors.add(subject.error(where_clause, format!("{what} has no generics, and so no `where`")));
        }
        if let Some(receiver) = self.sig.receiver() {
            let why = "is a free function, so it has no `self`: take what it needs as arguments";
            errors.add(subject.error(receiver, format!("{what} {why}")));
        }
    }

    /// The attributes that decide whether the function exists, and so whether anything made from it does.
    pub(crate) fn cfgs(&self) -> Vec<&Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect()
    }
}

/// The spans of the first token and of the last. On stable Rust a span cannot be made of two; but the compiler does
/// so itself, where code begins with one and ends with the other.
pub(crate) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut tokens = tokens.into_token_stream().into_iter();
    let first = tokens.next().map_or_else(Span::call_site, |token| token.span());
    (first, tokens.last().map_or(first, |token| token.span()))
}

/// `<ty as implemented>::method`, in such spans that what is wrong with `ty` is said once, and at `ty`.
pub(crate) fn call(
    ty: impl ToTokens,
    implemented: impl FnOnce(Span) -> TokenStream,
    method: impl FnOnce(Span) -> TokenStream,
) -> TokenStream {
    let (first, last) = ends(&ty);
    let (implemented, method) = (implemented(first), method(last));
    quote_spanned!(first=> <#ty as #implemented>::#method)
}

/// The function's name, as people write it.
pub(crate) fn plain(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

/// A type as people write it, for messages.
pub(crate) fn shown(ty: &Type) -> String {
    let mut out = String::new();
    let text = ty.to_token_stream().to_string();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        // Token streams have blanks between all tokens.
        let tight_before = matches!(chars.peek(), Some('<' | '>' | ',' | ':' | ')' | ']' | ';'));
        let tight_after = matches!(out.chars().last(), Some('<' | ':' | '(' | '[' | '&') | None);
        if !(c == ' ' && (tight_before || tight_after)) {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_shown_as_people_write_them() {
        for text in ["Db", "Option<Product>", "a::B<(C, D), E>", "&str", "&[u8]", "[u8; 4]"] {
            assert_eq!(shown(&syn::parse_str(text).unwrap()), text);
        }
    }
}
