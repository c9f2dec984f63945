//! `routes!`.

use crate::function::{call, ends};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Token, parse::Parser, punctuated::Punctuated};

/// What `routes![input]` becomes: the list of routes, and one check a page that none before it has the same path.
pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let pages: Vec<Path> =
        Punctuated::<Path, Token![,]>::parse_terminated.parse2(input)?.into_iter().collect();
    let count = pages.len();
    let patterns = pages.iter().map(|page| {
        call(page, |span| quote_spanned!(span=> ::tropos::Page), |span| quote_spanned!(span=> PATTERN))
    });
    // A panic at compile time takes one ready-made text, so there is one for each page that others can collide with;
    // the other page of the two is where the error points.
    let messages = pages.iter().map(|page| {
        let name = page.to_token_stream().to_string().replace(' ', "");
        format!("two routes with one path: `{name}`, further up in `routes!`, answers the same paths as this page; give one of them another path")
    });
    let checks = pages.iter().enumerate().skip(1).map(|(at, page)| {
        let (first, last) = ends(page);
        // The panic begins and ends with the page's name, so that the error points there.
        let message = quote_spanned!(last=> ("{}", MESSAGES[other]));
        let panic = quote_spanned!(first=> ::core::panic! #message);
        quote! {
            const _: () = {
                let mut other = 0;
                while other < #at {
                    if ::tropos::__private::same_paths(PATTERNS[other], PATTERNS[#at]) {
                        #panic;
                    }
                    other += 1;
                }
            };
        }
    });
    let routes = pages.iter().map(|page| {
        call(page, |span| quote_spanned!(span=> ::tropos::Page), |span| quote_spanned!(span=> route()))
    });
    Ok(quote! {{
        #[allow(dead_code)]
        const PATTERNS: [&str; #count] = [#(#patterns),*];
        #[allow(dead_code)]
        const MESSAGES: [&str; #count] = [#(#messages),*];
        #(#checks)*
        ::std::vec![#(#routes),*]
    }})
}
