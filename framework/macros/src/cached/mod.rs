//! `#[cached]`.

mod args;
mod check;
mod expand;

use crate::{
    function::{Function, plain},
    subject::{Errors, Subject},
};
use args::Declaration;
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;

/// What `#[cached(args)]` makes of `item`.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let refusal =
                syn::Error::new(error.span(), "`#[cached]` stands on an async function").into_compile_error();
            return quote!(#refusal #item);
        }
    };
    let subject = Subject::new(plain(&function.sig.ident));
    let mut errors = Errors::default();
    let parse = |input: syn::parse::ParseStream<'_>| Declaration::parse(&subject, input, &mut errors);
    let declaration = parse.parse2(args);
    let declaration = errors.keep(declaration);
    let arguments = check::arguments(&subject, &function, &mut errors);
    if let Some(declaration) = &declaration {
        check::check(&subject, declaration, &function, &arguments, &mut errors);
    }
    match (declaration, errors.finish()) {
        (Some(declaration), Ok(())) => expand::function(&declaration, &function, &arguments),
        (_, errors) => {
            // The function as it was written, so that its callers compile.
            let errors = errors.err().map(syn::Error::into_compile_error);
            quote!(#errors #item)
        }
    }
}
