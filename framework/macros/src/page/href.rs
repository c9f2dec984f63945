//! The address of a page, made of its parameters.

use super::args::Declaration;
use crate::{function::Function, subject::Errors};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{FnArg, GenericArgument, Ident, PathArguments, Type, spanned::Spanned};

/// One parameter of `href`.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    /// As it stands in the signature.
    pub(crate) ty: TokenStream,
    /// As the path has it, not encoded: a `String`.
    pub(crate) text: TokenStream,
}

/// The parameters of `href`, one for each of the pattern; their types from the argument that takes
/// them. `None` where they cannot be told.
pub(crate) fn parameters(
    declaration: &Declaration,
    function: &Function,
    errors: &mut Errors,
) -> Option<Vec<Parameter>> {
    let names: Vec<&str> = declaration.pattern.as_ref()?.names().collect();
    let Some((whole, inner)) = path_argument(function) else {
        return Some(names.into_iter().enumerate().map(|(at, name)| parameter(at, name, None)).collect());
    };
    let subject = &declaration.subject;
    let types: Vec<&Type> = match inner {
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        one => vec![one],
    };
    if types.len() != names.len() {
        let listed: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let message = match names.len() {
            0 => "the path has no parameters to take: leave out `Path`, or write a `:name` into the path"
                .to_owned(),
            1 => format!("the path has one parameter, {}: write `Path<T>`", listed.join(", ")),
            count => {
                let tuple = vec!["_"; count].join(", ");
                format!(
                    "the path has {count} parameters, {}: take them as `Path<({tuple})>`",
                    listed.join(", ")
                )
            }
        };
        errors.add(subject.error(whole, message));
        return None;
    }
    Some(
        names
            .into_iter()
            .zip(types)
            .enumerate()
            .map(|(at, (name, ty))| parameter(at, name, Some(ty)))
            .collect(),
    )
}

fn parameter(at: usize, name: &str, ty: Option<&Type>) -> Parameter {
    let name = identifier(at, name);
    let (declared, value, at) = match ty {
        None => (quote!(impl ::core::fmt::Display), quote!(#name), Span::call_site()),
        // With `impl Into<u64>`, a plain `42` would be an `i32`, and refused.
        Some(ty) if is_primitive(ty) => (quote!(#ty), quote!(#name), ty.span()),
        Some(ty) => {
            let value = quote!(::core::convert::Into::<#ty>::into(#name));
            (quote!(impl ::core::convert::Into<#ty>), value, ty.span())
        }
    };
    // At the type, so that the error about one that does not display points there.
    let text = quote_spanned!(at=> ::std::string::ToString::to_string(&#value));
    Parameter { name, ty: declared, text }
}

/// A parameter may be called what no argument can be, such as `type` or `1`.
fn identifier(at: usize, name: &str) -> Ident {
    syn::parse_str::<Ident>(name)
        .or_else(|_| syn::parse_str::<Ident>(&format!("r#{name}")))
        .unwrap_or_else(|_| Ident::new(&format!("parameter{at}"), Span::call_site()))
}

fn is_primitive(ty: &Type) -> bool {
    const PRIMITIVES: [&str; 14] = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "bool",
        "char",
    ];
    matches!(ty, Type::Path(path) if PRIMITIVES.iter().any(|name| path.path.is_ident(name)))
}

/// The argument `Path<T>`, and its `T`.
fn path_argument(function: &Function) -> Option<(&Type, &Type)> {
    function.sig.inputs.iter().find_map(|argument| {
        let FnArg::Typed(argument) = argument else {
            return None;
        };
        let Type::Path(path) = &*argument.ty else {
            return None;
        };
        let last = path.path.segments.last().filter(|segment| segment.ident == "Path")?;
        let PathArguments::AngleBracketed(arguments) = &last.arguments else {
            return None;
        };
        match arguments.args.first() {
            Some(GenericArgument::Type(inner)) => Some((&*argument.ty, inner)),
            _ => None,
        }
    })
}
