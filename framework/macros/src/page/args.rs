//! What stands in `#[page(...)]`.

use crate::{
    duration::{self, Age},
    options,
    subject::{Errors, Subject},
    template::Template,
};
use proc_macro2::Span;
use syn::{ExprPath, Ident, LitStr, Token, Type, ext::IdentExt, parenthesized, parse::ParseStream};
use tropos_core::{Mode, Pattern};

/// The modes by the words that declare them.
const MODES: [Mode; 4] = [Mode::Ssg, Mode::Isr, Mode::Server, Mode::Live];

/// The options, each with the modes that have it.
const OPTIONS: [(&str, &[Mode]); 8] = [
    ("revalidate", &[Mode::Isr]),
    ("expire", &[Mode::Isr]),
    ("negative", &[Mode::Isr]),
    ("prerender", &[Mode::Ssg, Mode::Isr]),
    ("closed", &[Mode::Isr]),
    ("query", &[Mode::Isr]),
    ("variants", &[Mode::Isr]),
    ("tags", &MODES),
];

/// A route as it is declared.
pub(crate) struct Declaration {
    pub(crate) subject: Subject,
    pub(crate) path: LitStr,
    /// `None` where the path is malformed, which was reported.
    pub(crate) pattern: Option<Pattern>,
    pub(crate) mode: Mode,
    pub(crate) mode_word: Ident,
    pub(crate) options: Options,
}

/// The options that are given.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) revalidate: Option<Age>,
    pub(crate) expire: Option<(Span, Age)>,
    pub(crate) negative: Option<Age>,
    pub(crate) prerender: Option<ExprPath>,
    pub(crate) closed: Option<Ident>,
    pub(crate) query: Option<Type>,
    pub(crate) variants: Option<Type>,
    pub(crate) tags: Vec<Template>,
    /// All keys that are given, also those whose value was refused.
    pub(crate) given: Vec<String>,
}

impl Declaration {
    /// Reads the attribute; `Err` where it is too broken to go on, else what is wrong is in `errors`.
    pub(crate) fn parse(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Self> {
        if !input.peek(LitStr) {
            let how = "`#[page]` begins with the route's path: write `#[page(\"/products/:id\", server)]`";
            return Err(syn::Error::new(input.span(), how));
        }
        let path: LitStr = input.parse()?;
        let subject = Subject::new(path.value());
        let pattern = Pattern::parse(&path.value()).map_err(|error| syn::Error::new(path.span(), error));
        let pattern = errors.keep(pattern);
        let comma: Option<Token![,]> = input.parse()?;
        if comma.is_none() || input.is_empty() {
            let how = "has no mode: every route declares one of `ssg`, `isr`, `server`, `live`";
            return Err(subject.error(&path, format!("{how}, as in `#[page(\"{}\", server)]`", path.value())));
        }
        let mode_word = input.call(Ident::parse_any)?;
        let word = mode_word.to_string();
        let Some(mode) = MODES.into_iter().find(|mode| mode.as_str() == word) else {
            let how = "the modes are `ssg` (made at build), `isr` (made once for many requests, and again when stale \
                       or invalidated), `server` (made for every request) and `live` (the same, and pushed into the \
                       open page whenever what it read changes)";
            return Err(subject.error(&mode_word, format!("`{word}` is no mode: {how}")));
        };
        let mut declaration = Self { subject, path, pattern, mode, mode_word, options: Options::default() };
        if input.peek(syn::token::Paren) {
            let list;
            parenthesized!(list in input);
            declaration.parse_options(&list, errors)?;
        }
        input.parse::<Option<Token![,]>>()?;
        match input.is_empty() {
            true => Ok(declaration),
            false => {
                let how = format!(
                    "goes on behind its mode: options stand in the mode's parentheses, `{mode}(...)`"
                );
                Err(declaration.subject.error_at(input.span(), how))
            }
        }
    }

    fn parse_options(&mut self, list: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        let (subject, mode, given) = (&self.subject, self.mode, &mut self.options);
        options::each(subject, list, errors, |key, input, errors| {
            let name = key.to_string();
            if let Some(refusal) = refusal(&name, mode) {
                return Err(subject.error(key, refusal));
            }
            given.given.push(name.clone());
            let equals = |example| options::equals(subject, key, example, input);
            match name.as_str() {
                "revalidate" => {
                    equals("\"60s\"")?;
                    given.revalidate = Some(duration::read(subject, &name, true, input)?);
                }
                "expire" => {
                    equals("\"1h\"")?;
                    given.expire = Some((input.span(), duration::read(subject, &name, false, input)?));
                }
                "negative" => {
                    equals("\"10s\"")?;
                    given.negative = Some(duration::read(subject, &name, false, input)?);
                }
                "prerender" => {
                    equals("best_sellers")?;
                    given.prerender = Some(input.parse().map_err(|error: syn::Error| {
                        subject.error_at(
                            error.span(),
                            "`prerender` names a function: write `prerender = best_sellers`",
                        )
                    })?);
                }
                "query" => {
                    equals("Paging")?;
                    given.query = Some(input.parse()?);
                }
                "variants" => {
                    equals("Button")?;
                    given.variants = Some(input.parse()?);
                }
                "tags" => given.tags = options::tags(subject, key, input, errors)?,
                // `refusal` lets nothing else pass.
                _ if input.is_empty() || input.peek(Token![,]) => given.closed = Some(key.clone()),
                _ => return Err(subject.error(key, "`closed` has no value: write `closed`, or leave it out")),
            }
            Ok(())
        })
    }
}

/// Why `mode` does not have the option `key`; `None` where it has.
fn refusal(key: &str, mode: Mode) -> Option<String> {
    let modes = OPTIONS.iter().find(|(name, _)| *name == key).map(|(_, modes)| *modes);
    match modes {
        Some(modes) if modes.contains(&mode) => None,
        Some(modes) => {
            let modes: Vec<_> = modes.iter().map(|mode| format!("`{mode}`")).collect();
            let why = match mode {
                Mode::Ssg => "its pages are made at build alone",
                _ => "its pages are not stored",
            };
            Some(format!(
                "`{key}` is an option of {}; `{mode}` does not have it, since {why}",
                modes.join(" and ")
            ))
        }
        None => {
            let known = OPTIONS.into_iter().filter(|(_, modes)| modes.contains(&mode)).map(|(name, _)| name);
            Some(format!("`{mode}` has no option `{key}`: {}", options::suggestion(key, known)))
        }
    }
}
