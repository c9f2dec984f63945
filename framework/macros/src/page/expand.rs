//! The code that a page becomes.

use super::{args::Declaration, href::Parameter};
use crate::function::{Function, call, ends, plain};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Attribute, FnArg, Ident, ReturnType, Type, spanned::Spanned};
use tropos_core::Mode;

/// The page as a type: its address and its route.
pub(crate) fn page(declaration: &Declaration, function: &Function, addresses: &[Parameter]) -> TokenStream {
    let name = &function.sig.ident;
    let cfgs = function.cfgs();
    let structure = structure(function);
    let href = href(declaration, function, addresses);
    let path = &declaration.path;
    let mode = mode(declaration.mode);
    let spec = spec(declaration, function);
    quote! {
        #structure
        #href

        #(#cfgs)*
        impl ::tropos::Page for #name {
            const PATTERN: &'static str = #path;
            const MODE: ::tropos::Mode = #mode;
            fn route() -> ::tropos::Route {
                ::tropos::Route::new(#spec)
            }
        }
    }
}

/// What is known of a page that was refused.
pub(crate) struct Refused<'a> {
    pub(crate) function: &'a Function,
    pub(crate) declaration: Option<&'a Declaration>,
    /// `None` where the parameters are a part of what is wrong.
    pub(crate) addresses: Option<&'a [Parameter]>,
    /// Whether the function by itself is in order.
    pub(crate) compiles: bool,
}

/// A page that is enough for other code to name it, and for the names in its body to be in use; only ever compiled
/// beside an error.
pub(crate) fn placeholder(refused: &Refused<'_>) -> TokenStream {
    let Function { sig, block, .. } = refused.function;
    let name = &sig.ident;
    let cfgs = refused.function.cfgs();
    let structure = structure(refused.function);
    let href = match (refused.declaration, refused.addresses) {
        (Some(declaration), Some(addresses)) => Some(href(declaration, refused.function, addresses)),
        _ => None,
    };
    // Two pages with broken paths must not be told that their paths are the same.
    let path = refused.declaration.map_or_else(|| format!("/{}", plain(name)), |known| known.path.value());
    let body = refused.compiles.then(|| quote!(#[allow(non_snake_case, dead_code)] #sig #block));
    quote! {
        #structure
        #href

        #(#cfgs)*
        impl ::tropos::Page for #name {
            const PATTERN: &'static str = #path;
            const MODE: ::tropos::Mode = ::tropos::Mode::Server;
            fn route() -> ::tropos::Route {
                #body
                loop {}
            }
        }
    }
}

fn href(declaration: &Declaration, function: &Function, addresses: &[Parameter]) -> TokenStream {
    let Function { vis, sig, .. } = function;
    let name = &sig.ident;
    let cfgs = function.cfgs();
    let path = &declaration.path;
    let arguments = addresses.iter().map(|Parameter { name, ty, .. }| quote!(#name: #ty));
    let texts = addresses.iter().map(|parameter| &parameter.text);
    quote! {
        #(#cfgs)*
        #[allow(dead_code)]
        impl #name {
            /// The address of this page.
            #[must_use]
            #vis fn href(#(#arguments),*) -> ::tropos::Href {
                ::tropos::Href::fill(#path, &[#(#texts),*])
            }
        }
    }
}

fn structure(function: &Function) -> TokenStream {
    let Function { attrs, vis, sig, .. } = function;
    let name = &sig.ident;
    let attrs = attrs.iter().filter(|attr| is_about_the_item(attr));
    quote! {
        #(#attrs)*
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #name;
    }
}

/// Whether an attribute describes the page to others. Of the levels of lints, all but `expect` hold for the page and
/// its body both; what is expected happens once.
fn is_about_the_item(attr: &Attribute) -> bool {
    ["doc", "cfg", "deprecated"].iter().any(|name| attr.path().is_ident(name)) || is_lint_level(attr)
}

fn is_about_the_body(attr: &Attribute) -> bool {
    !is_about_the_item(attr) && !attr.path().is_ident("must_use") || is_lint_level(attr)
}

fn is_lint_level(attr: &Attribute) -> bool {
    ["allow", "warn", "deny", "forbid"].iter().any(|name| attr.path().is_ident(name))
}

fn spec(declaration: &Declaration, function: &Function) -> TokenStream {
    let options = &declaration.options;
    let name = plain(&function.sig.ident);
    let revalidate = optional(options.revalidate.as_ref().and_then(|age| age.millis()));
    let expire = optional(options.expire.as_ref().and_then(|(_, age)| age.millis()));
    // What is not there is asked for again soon, since it may have been made in the meantime.
    let negative = options.negative.as_ref().and_then(|age| age.millis()).unwrap_or(10_000);
    let closed = options.closed.is_some();
    let tags = options.tags.iter().map(|tag| &tag.literal);
    let prerender = some(
        options
            .prerender
            .as_ref()
            .map(|listing| quote_spanned!(listing.span()=> ::tropos::__private::listing(#listing))),
    );
    let query = some(
        options
            .query
            .as_ref()
            .map(|query| quote_spanned!(query.span()=> ::tropos::__private::declared_query::<#query>())),
    );
    let variants = some(options.variants.as_ref().map(
        |variants| quote_spanned!(variants.span()=> ::tropos::__private::declared_variants::<#variants>()),
    ));
    let handler = handler(declaration, function);
    quote! {
        ::tropos::__private::RouteSpec {
            name: #name,
            module: ::core::module_path!(),
            file: ::core::file!(),
            line: ::core::line!(),
            package: ::core::concat!(::core::env!("CARGO_PKG_NAME"), "@", ::core::env!("CARGO_PKG_VERSION")),
            pattern: <Self as ::tropos::Page>::PATTERN,
            mode: <Self as ::tropos::Page>::MODE,
            revalidate_ms: #revalidate,
            expire_ms: #expire,
            negative_ms: #negative,
            closed: #closed,
            tags: &[#(#tags),*],
            prerender: #prerender,
            query: #query,
            variants: #variants,
            handler: #handler,
        }
    }
}

/// A closure that takes each argument from the request's context and runs the body, which stays as it was written.
fn handler(declaration: &Declaration, function: &Function) -> TokenStream {
    let Function { attrs, sig, block, .. } = function;
    let name = &sig.ident;
    let attrs = attrs.iter().filter(|attr| is_about_the_body(attr));
    let marker = marker(declaration);
    // Names of our own, which the page cannot see.
    let [cx, answer] = ["cx", "answer"].map(|name| Ident::new(name, Span::mixed_site()));
    let types: Vec<&Type> = sig.inputs.iter().filter_map(argument_type).collect();
    let values: Vec<Ident> =
        (0..types.len()).map(|at| format_ident!("a{at}", span = Span::mixed_site())).collect();
    let extracted = types.iter().zip(&values).map(|(ty, value)| {
        let taken = call(
            ty,
            |span| quote_spanned!(span=> ::tropos::FromPage<#marker, _>),
            |span| quote_spanned!(span=> from_page(&#cx).await?),
        );
        quote!(let #value = #taken;)
    });
    let returned: &dyn ToTokens = match &sig.output {
        ReturnType::Type(_, ty) => ty,
        ReturnType::Default => name,
    };
    let (first, last) = ends(returned);
    let mut called = name.clone();
    called.set_span(first);
    let run = quote_spanned!(last=> #called(#(#values),*).await);
    let run = quote_spanned! {first=>
        let #answer: ::core::result::Result<::tropos::PageView, ::tropos::PageError> = #run;
    };
    quote! {
        {
            #(#attrs)*
            #[allow(non_snake_case)]
            #sig #block

            |#cx| ::std::boxed::Box::pin(async move {
                #(#extracted)*
                #run
                #answer
            })
        }
    }
}

fn argument_type(argument: &FnArg) -> Option<&Type> {
    match argument {
        FnArg::Typed(argument) => Some(&argument.ty),
        FnArg::Receiver(_) => None,
    }
}

/// The mode as a value.
fn mode(mode: Mode) -> TokenStream {
    match mode {
        Mode::Ssg => quote!(::tropos::Mode::Ssg),
        Mode::Isr => quote!(::tropos::Mode::Isr),
        Mode::Server => quote!(::tropos::Mode::Server),
        Mode::Live => quote!(::tropos::Mode::Live),
    }
}

/// The mode as a type.
fn marker(declaration: &Declaration) -> TokenStream {
    let options = &declaration.options;
    match (declaration.mode, &options.query, &options.variants) {
        (Mode::Ssg, ..) => quote!(::tropos::mode::Ssg),
        (Mode::Isr, None, None) => quote!(::tropos::mode::Isr),
        (Mode::Isr, Some(query), None) => quote!(::tropos::mode::Isr<#query>),
        (Mode::Isr, None, Some(variants)) => quote!(::tropos::mode::Isr<::tropos::mode::NoQuery, #variants>),
        (Mode::Isr, Some(query), Some(variants)) => quote!(::tropos::mode::Isr<#query, #variants>),
        (Mode::Server, ..) => quote!(::tropos::mode::Server),
        (Mode::Live, ..) => quote!(::tropos::mode::Live),
    }
}

fn optional(millis: Option<u64>) -> TokenStream {
    some(millis.map(|millis| quote!(#millis)))
}

fn some(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
