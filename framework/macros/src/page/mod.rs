//! `#[page]`.

mod args;
mod check;
mod expand;
mod href;

use crate::{function::Function, subject::Errors};
use args::Declaration;
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;

/// What `#[page(args)]` makes of `item`.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let mut all = syn::Error::new(error.span(), "`#[page]` stands on an async function");
            all.combine(error);
            let all = all.into_compile_error();
            return quote!(#all #item);
        }
    };
    let mut errors = Errors::default();
    let parse = |input: syn::parse::ParseStream<'_>| Declaration::parse(input, &mut errors);
    let declaration = parse.parse2(args);
    let Some(declaration) = errors.keep(declaration) else {
        return refused(&function, None, errors);
    };
    check::check(&declaration, &function, &mut errors);
    let addresses = href::parameters(&declaration, &function, &mut errors);
    match errors.is_empty() {
        true => expand::page(&declaration, &function, &addresses),
        false => refused(&function, Some(&declaration), errors),
    }
}

/// The errors, and a page of that name, so that they are not followed by more errors wherever the page is named.
fn refused(function: &Function, declaration: Option<&Declaration>, errors: Errors) -> TokenStream {
    let errors = errors.finish().err().map(syn::Error::into_compile_error);
    let placeholder = expand::placeholder(function, declaration.map(|declaration| &declaration.path));
    quote!(#errors #placeholder)
}
