//! `routes!`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Token, parse::Parser, punctuated::Punctuated, spanned::Spanned};

/// What `routes![input]` becomes: the list of routes, and one check a page that none before it has the same path.
pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let pages: Vec<Path> = Punctuated::<Path, Token![,]>::parse_terminated
        .parse2(input)?
        .into_iter()
        .collect();
    let count = pages.len();
    let patterns = pages
        .iter()
        .map(|page| quote_spanned!(page.span()=> <#page as ::tropos::Page>::PATTERN));
    // A panic at compile time takes one ready-made text, so there is one for each page that others can collide with;
    // the other page of the two is where the error points.
    let messages = pages.iter().map(|page| {
        let name = page.to_token_stream().to_string().replace(' ', "");
        format!("two routes with one path: `{name}`, further up in `routes!`, answers the same paths as this page; give one of them another path")
    });
    let checks = pages.iter().enumerate().skip(1).map(|(at, page)| {
        quote_spanned! {page.span()=>
            const _: () = {
                let mut other = 0;
                while other < #at {
                    if ::tropos::__private::same_paths(PATTERNS[other], PATTERNS[#at]) {
                        ::core::panic!("{}", MESSAGES[other]);
                    }
                    other += 1;
                }
            };
        }
    });
    let routes = pages
        .iter()
        .map(|page| quote_spanned!(page.span()=> <#page as ::tropos::Page>::route()));
    Ok(quote! {{
        #[allow(dead_code)]
        const PATTERNS: [&str; #count] = [#(#patterns),*];
        #[allow(dead_code)]
        const MESSAGES: [&str; #count] = [#(#messages),*];
        #(#checks)*
        ::std::vec![#(#routes),*]
    }})
}
