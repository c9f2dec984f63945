//! What parts of a declaration must hold to each other.

use super::args::Declaration;
use crate::{
    function::{Function, shown},
    subject::{Errors, Subject},
};
use syn::{FnArg, ReturnType, Type};
use tropos_core::{Mode, Pattern};

/// Reports what is wrong with the options of a route.
pub(crate) fn declaration(declaration: &Declaration, errors: &mut Errors) {
    ages(declaration, errors);
    if let Some(pattern) = &declaration.pattern {
        listing(declaration, pattern, errors);
        tags(declaration, pattern, errors);
    }
}

fn ages(Declaration { subject, options, mode, mode_word, .. }: &Declaration, errors: &mut Errors) {
    // Where an option was refused, it may be this one, written otherwise.
    if *mode == Mode::Isr && errors.is_empty() && options.revalidate.is_none() {
        let how =
            "write `isr(revalidate = \"60s\")`, or `\"never\"` where only an invalidation makes it stale";
        errors.add(subject.error(
            mode_word,
            format!("`isr` needs `revalidate`, the age after which a page is stale: {how}"),
        ));
    }
    if let (Some(revalidate), Some((span, expire))) = (&options.revalidate, &options.expire)
        && let (Some(stale), Some(gone)) = (revalidate.after, expire.after)
        && gone < stale
    {
        let (expire, revalidate) = (&expire.text, &revalidate.text);
        let why = "an entry would end before it is stale; make `expire` at least as long";
        let message =
            format!("`expire = \"{expire}\"` is shorter than `revalidate = \"{revalidate}\"`: {why}");
        errors.add(subject.error_at(*span, message));
    }
}

fn listing(declaration: &Declaration, pattern: &Pattern, errors: &mut Errors) {
    let Declaration { subject, options, mode, mode_word, .. } = declaration;
    let has_parameters = pattern.names().next().is_some();
    let given = |key: &str| options.given.iter().any(|given| given == key);
    match (&options.prerender, &options.closed) {
        (Some(prerender), _) if !has_parameters => {
            let why = "`prerender` lists the parameters of a path, and this path has none; the page is made at build anyway";
            errors.add(subject.error(prerender, why));
        }
        (_, Some(closed)) if !has_parameters => {
            errors.add(
                subject.error(closed, "`closed` is about the parameters of a path, and this path has none"),
            );
        }
        (None, Some(closed)) if !given("prerender") => {
            let how = "add `prerender = function`, which lists them, or leave `closed` out";
            errors.add(
                subject.error(closed, format!("`closed` answers only to parameters that are listed: {how}")),
            );
        }
        _ => {}
    }
    if *mode == Mode::Ssg && has_parameters && !given("prerender") {
        let how = "write `ssg(prerender = function)`; its function lists the parameters, and any others are not found";
        errors.add(
            subject.error(mode_word, format!("`ssg` makes its pages at build, and must know which: {how}")),
        );
    }
}

fn tags(Declaration { subject, options, .. }: &Declaration, pattern: &Pattern, errors: &mut Errors) {
    let names: Vec<&str> = pattern.names().collect();
    for tag in &options.tags {
        for unknown in tag.places().filter(|place| !names.contains(place)) {
            let has = match names.as_slice() {
                [] => "the path has no parameters".to_owned(),
                names => {
                    let names: Vec<_> = names.iter().map(|name| format!("`{{{name}}}`")).collect();
                    format!("the path has {}", names.join(", "))
                }
            };
            let text = tag.literal.value();
            let message = format!("the tag `{text}` names `{{{unknown}}}`, which is no parameter: {has}");
            errors.add(subject.error(&tag.literal, message));
        }
    }
}

/// Reports what is wrong with the function.
pub(crate) fn signature(subject: &Subject, function: &Function, errors: &mut Errors) {
    function.check(subject, "a page", errors);
    if let ReturnType::Default = function.sig.output {
        errors.add(subject.error(&function.sig.ident, "a page returns `PageResult`: write `-> PageResult`"));
    }
    for argument in &function.sig.inputs {
        let FnArg::Typed(argument) = argument else {
            continue;
        };
        match &*argument.ty {
            Type::Reference(reference) => {
                let owned = shown(&reference.elem);
                errors.add(subject.error(reference, format!("a page owns what it takes: write `{owned}`")));
            }
            Type::ImplTrait(_) => {
                errors.add(subject.error(&argument.ty, "a page's argument has a type of its own: name it"));
            }
            _ => {}
        }
    }
}
