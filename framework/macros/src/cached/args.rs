//! What stands in `#[cached(...)]`.

use crate::{
    duration::{self, Age},
    options,
    subject::{Errors, Subject},
    template::Template,
};
use proc_macro2::Span;
use syn::parse::ParseStream;

/// How a function's results are kept.
#[derive(Default)]
pub(crate) struct Declaration {
    pub(crate) ttl: Option<Age>,
    pub(crate) expire: Option<(Span, Age)>,
    pub(crate) tags: Vec<Template>,
}

impl Declaration {
    pub(crate) fn parse(subject: &Subject, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Self> {
        let mut given = Self::default();
        options::each(subject, input, errors, |key, input, errors| {
            let name = key.to_string();
            match name.as_str() {
                "ttl" => {
                    options::equals(subject, key, "\"10m\"", input)?;
                    given.ttl = Some(duration::read(subject, &name, true, input)?);
                }
                "expire" => {
                    options::equals(subject, key, "\"1h\"", input)?;
                    given.expire = Some((input.span(), duration::read(subject, &name, false, input)?));
                }
                "tags" => given.tags = options::tags(subject, key, input, errors)?,
                // Pages say it so; the age of a function's result has another name, since nobody waits for its page.
                "revalidate" => {
                    return Err(subject.error(key, "`#[cached]` has no option `revalidate`: write `ttl`"));
                }
                _ => {
                    let known = options::suggestion(&name, ["ttl", "expire", "tags"]);
                    return Err(subject.error(key, format!("`#[cached]` has no option `{name}`: {known}")));
                }
            }
            Ok(())
        })?;
        Ok(given)
    }
}
