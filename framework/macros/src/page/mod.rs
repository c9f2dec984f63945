//! `#[page]`.

mod args;
mod check;
mod expand;
mod href;

use crate::{
    function::Function,
    subject::{Errors, Subject},
};
use args::Declaration;
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;

/// What `#[page(args)]` makes of `item`.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let refusal =
                syn::Error::new(error.span(), "`#[page]` stands on an async function").into_compile_error();
            return quote!(#refusal #item);
        }
    };
    let mut errors = Errors::default();
    let parse = |input: syn::parse::ParseStream<'_>| Declaration::parse(input, &mut errors);
    let declaration = parse.parse2(args);
    let declaration = errors.keep(declaration);
    let subject = declaration.as_ref().map_or_else(|| Subject::new("#[page]"), |known| known.subject.clone());
    let mut signature = Errors::default();
    check::signature(&subject, &function, &mut signature);
    let compiles = signature.is_empty();
    if let Some(declaration) = &declaration {
        check::declaration(declaration, &mut errors);
    }
    errors.append(signature);
    let addresses = declaration.as_ref().and_then(|known| href::parameters(known, &function, &mut errors));
    match (&declaration, &addresses, errors.finish()) {
        (Some(declaration), Some(addresses), Ok(())) => expand::page(declaration, &function, addresses),
        (declaration, addresses, errors) => {
            // A page of that name all the same, so that no more errors follow wherever the page is named.
            let placeholder = expand::placeholder(&expand::Refused {
                function: &function,
                declaration: declaration.as_ref(),
                addresses: addresses.as_deref(),
                compiles,
            });
            let errors = errors.err().map(syn::Error::into_compile_error);
            quote!(#errors #placeholder)
        }
    }
}
