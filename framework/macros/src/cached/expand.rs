//! The code that a cached function becomes.

use super::{args::Declaration, check::Argument};
use crate::{
    function::{Function, call, ends, plain},
    template::{Part, Template},
};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{FnArg, Ident, Pat, ReturnType, Signature};
use tropos_core::{Ages, Revalidate};

/// The function with its body inside, called where no result is kept.
pub(crate) fn function(
    declaration: &Declaration,
    function: &Function,
    arguments: &[Argument<'_>],
) -> TokenStream {
    let Function { attrs, vis, sig, block } = function;
    let outer = outer(sig);
    let inner = Signature { ident: Ident::new("__uncached", sig.ident.span()), ..sig.clone() };
    let name = plain(&sig.ident);
    // Names of our own, which cannot be an argument's.
    let [key, tags, answer] = ["key", "tags", "answer"].map(|name| Ident::new(name, Span::mixed_site()));
    let keys = arguments.iter().map(|Argument { name, ty, by_reference }| {
        let reference = if *by_reference { quote!(#name) } else { quote!(&#name) };
        let add = call(
            ty,
            |span| quote_spanned!(span=> ::tropos::CacheArg),
            |span| quote_spanned!(span=> add_to_key(#reference, &mut #key)),
        );
        quote!(#add;)
    });
    let owned =
        arguments.iter().filter(|argument| argument.by_reference).map(|Argument { name, ty, .. }| {
            let owned = call(
                ty,
                |span| quote_spanned!(span=> ::std::borrow::ToOwned),
                |span| quote_spanned!(span=> to_owned(#name)),
            );
            quote!(let #name = #owned;)
        });
    let passed = arguments.iter().map(|Argument { name, by_reference, .. }| match by_reference {
        true => quote!(&#name),
        false => quote!(#name),
    });
    let ages = ages(declaration);
    let declared = declaration.tags.iter().map(|template| tag(template, arguments));
    let returned: &dyn ToTokens = match &sig.output {
        ReturnType::Type(_, ty) => ty,
        ReturnType::Default => &sig.ident,
    };
    let (first, last) = ends(returned);
    // The result's type is checked within the function, so that an error about it points at the type.
    let uncached = Ident::new("__uncached", first);
    let run = quote_spanned!(last=> #uncached(#(#passed),*).await);
    let run = quote_spanned!(first=> let #answer: ::core::result::Result<_, ::tropos::Failure> = #run;);
    let call = quote! {
        ::tropos::__private::cached(
            ::core::concat!(::core::module_path!(), "::", #name),
            #key.finish(),
            #ages,
            #tags,
            move || async move {
                #run
                #answer
            },
        )
        .await
    };
    quote! {
        #(#attrs)*
        #vis #outer {
            #inner #block

            let mut #key = <::tropos::KeyArgs as ::core::default::Default>::default();
            #(#keys)*
            #[allow(clippy::needless_borrows_for_generic_args, clippy::borrow_deref_ref)]
            let #tags: ::tropos::Tags =
                <::tropos::Tags as ::core::iter::FromIterator<::tropos::Tag>>::from_iter([#(#declared),*]);
            #(#owned)*
            #call
        }
    }
}

/// The signature without `mut`, which only the body needs.
fn outer(sig: &Signature) -> Signature {
    let mut sig = sig.clone();
    for argument in &mut sig.inputs {
        if let FnArg::Typed(argument) = argument
            && let Pat::Ident(pat) = &mut *argument.pat
        {
            pat.mutability = None;
        }
    }
    sig
}

/// The ages, with the default for `expire` worked out. They were checked.
fn ages(Declaration { ttl, expire, .. }: &Declaration) -> TokenStream {
    let revalidate = ttl.as_ref().and_then(|age| age.after).map_or(Revalidate::Never, Revalidate::After);
    let expire = expire.as_ref().and_then(|(_, age)| age.after);
    let ages = Ages::new(revalidate, expire).unwrap_or(Ages::NEVER);
    let millis =
        |age: Option<std::time::Duration>| match age.and_then(|age| u64::try_from(age.as_millis()).ok()) {
            Some(millis) => quote!(::core::option::Option::Some(#millis)),
            None => quote!(::core::option::Option::None),
        };
    let revalidate = millis(match ages.revalidate() {
        Revalidate::Never => None,
        Revalidate::After(age) => Some(age),
    });
    let expire = millis(ages.expire());
    quote!(::tropos::Ages::from_millis(#revalidate, #expire))
}

/// One tag, with what comes from arguments encoded.
fn tag(template: &Template, arguments: &[Argument<'_>]) -> TokenStream {
    let span = template.literal.span();
    let parts = template.parts.iter().map(|part| match part {
        Part::Text(text) => quote_spanned!(span=> ::std::string::String::from(#text)),
        Part::Place(place) => {
            let mut names = place.split('.');
            let first = names.next().unwrap_or(place);
            let argument = arguments.iter().find(|argument| plain(argument.name) == first);
            let argument = argument.map(|argument| argument.name);
            let fields = names.map(|field| Ident::new(field, span));
            quote_spanned!(span=> ::tropos::tag::encode_part(&#argument #(.#fields)*))
        }
    });
    quote_spanned!(span=> <::tropos::Tag as ::core::convert::From<::std::string::String>>::from([#(#parts),*].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cached::args::Declaration,
        subject::{Errors, Subject},
    };
    use syn::parse::Parser;

    #[test]
    fn expire_is_ten_times_ttl_and_at_least_an_hour_where_it_is_left_out() {
        for (source, revalidate, expire) in [
            ("ttl = \"10m\"", "Some (600000u64)", "Some (6000000u64)"),
            ("ttl = \"1s\"", "Some (1000u64)", "Some (3600000u64)"),
            ("ttl = \"1s\", expire = \"2s\"", "Some (1000u64)", "Some (2000u64)"),
            ("ttl = \"never\"", "None", "None"),
            ("ttl = \"never\", expire = \"1d\"", "None", "Some (86400000u64)"),
        ] {
            let mut errors = Errors::default();
            let subject = Subject::new("f");
            let parse = |input: syn::parse::ParseStream<'_>| Declaration::parse(&subject, input, &mut errors);
            let written = ages(&parse.parse_str(source).unwrap()).to_string();
            let option = ":: core :: option :: Option :: ";
            let expected =
                format!(":: tropos :: Ages :: from_millis ({option}{revalidate} , {option}{expire})");
            assert_eq!(written, expected, "{source}");
        }
    }
}
