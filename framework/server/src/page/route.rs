//! A page's declaration: path, mode, ages, tags.

use super::{PageCx, PageResult, inputs::Inputs, listing::Listing};
use crate::Error;
use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};
use tropos_core::{Ages, Mode, Params, Pattern, Tag, Tags, tag};

/// A page, as `#[page]` makes it of a function.
pub trait Page {
    /// The path, such as `/products/:id`.
    const PATTERN: &'static str;
    /// The mode.
    const MODE: Mode;
    /// The whole declaration.
    fn route() -> Route;
}

/// What a page function became: reads what it takes from the context, and runs.
pub type Handler = fn(PageCx) -> BoxFuture<'static, PageResult>;

/// Reads a declared query from its text and gives it again in its one spelling; `Err` where it cannot be read.
pub type CanonicalQuery = fn(&str) -> Result<String, String>;

/// What was chosen of the declared variants, as it stands in the key.
pub type DeclaredVariants = fn(&tropos_edge::Variants) -> String;

/// What `#[page]` was told, checked by the macro.
#[doc(hidden)]
#[allow(missing_docs, reason = "written by the macro, field by field as its attribute documents them")]
pub struct RouteSpec {
    pub name: &'static str,
    pub module: &'static str,
    pub file: &'static str,
    pub line: u32,
    pub package: &'static str,
    pub pattern: &'static str,
    pub mode: Mode,
    pub revalidate_ms: Option<u64>,
    pub expire_ms: Option<u64>,
    pub negative_ms: u64,
    pub closed: bool,
    pub tags: &'static [&'static str],
    pub prerender: Option<Listing>,
    pub query: Option<CanonicalQuery>,
    pub variants: Option<DeclaredVariants>,
    pub handler: Handler,
}

/// A route of an application.
#[derive(Clone)]
pub struct Route {
    pub(crate) spec: Arc<RouteSpec>,
    pub(crate) ages: Ages,
}

impl Route {
    /// A route by what its page declares.
    #[doc(hidden)]
    pub fn new(spec: RouteSpec) -> Self {
        let revalidate = spec.revalidate_ms;
        let expire = match (revalidate, spec.expire_ms) {
            (Some(revalidate), None) => {
                Ages::new(tropos_core::Revalidate::After(Duration::from_millis(revalidate)), None)
                    .ok()
                    .and_then(|ages| ages.expire())
                    .and_then(|expire| u64::try_from(expire.as_millis()).ok())
            }
            (_, expire) => expire,
        };
        Self { ages: Ages::from_millis(revalidate, expire), spec: Arc::new(spec) }
    }

    /// The name of the page function.
    pub fn name(&self) -> &'static str {
        self.spec.name
    }

    /// The path as it was declared.
    pub fn pattern(&self) -> &'static str {
        self.spec.pattern
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.spec.mode
    }

    /// The ages; [`Ages::NEVER`] but for `isr`.
    pub fn ages(&self) -> Ages {
        self.ages
    }

    /// The age after which a "not found" is asked again.
    pub fn negative(&self) -> Duration {
        Duration::from_millis(self.spec.negative_ms)
    }

    /// Whether parameters that were not listed at build are "not found".
    pub fn is_closed(&self) -> bool {
        self.spec.closed || self.spec.mode == Mode::Ssg
    }

    /// The tags as they were declared, with `{parameter}` in them.
    pub fn tag_templates(&self) -> &'static [&'static str] {
        self.spec.tags
    }

    /// The tags that an entry of this route carries whatever it reads: the declared ones, and those of its path.
    pub(crate) fn tags(&self, path: &str, params: &Params) -> Tags {
        let declared = self.spec.tags.iter().map(|template| fill(template, params));
        Tag::of_path(path).into_iter().chain(declared).collect()
    }

    /// The part of a query that is in the key: in its one spelling where one is declared, else nothing.
    ///
    /// # Errors
    /// What is wrong with a query that cannot be read as it is declared.
    pub(crate) fn canonical_query(&self, query: &str) -> Result<String, String> {
        self.spec.query.map_or_else(|| Ok(String::new()), |canonical| canonical(query))
    }

    /// What the entry is keyed by besides its path.
    ///
    /// # Errors
    /// As [`Route::canonical_query`].
    pub(crate) fn inputs(&self, query: &str, chosen: &tropos_edge::Variants) -> Result<Inputs, String> {
        Ok(Inputs { query: self.canonical_query(query)?, variants: self.variants(chosen) })
    }

    /// What was chosen of the variants that the page declares, as it stands in the key; empty where it declares none.
    pub(crate) fn variants(&self, chosen: &tropos_edge::Variants) -> String {
        self.spec.variants.map(|key| key(chosen)).unwrap_or_default()
    }

    /// The inputs under which a build makes the pages of this route: those of a plain link, and the variants that count
    /// where none was chosen.
    pub(crate) fn inputs_of_build(&self) -> Inputs {
        self.inputs("", &Default::default()).unwrap_or_default()
    }

    pub(crate) fn parsed_pattern(&self) -> Result<Pattern, Error> {
        Ok(Pattern::parse(self.spec.pattern)?)
    }
}

/// Fills `{parameter}` of a tag's template.
fn fill(template: &str, params: &Params) -> Tag {
    let mut name = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        name.push_str(before);
        let (parameter, after) = after.split_once('}').unwrap_or((after, ""));
        name.push_str(&tag::encode_part(params.get(parameter).unwrap_or_default()));
        rest = after;
    }
    name.push_str(rest);
    Tag::from(name)
}

/// The canonical form of a declared query: read as `Q`, unknown keys ignored, and written again.
pub fn declared_query<Q: Serialize + DeserializeOwned>() -> CanonicalQuery {
    |text| {
        let query: Q = serde_urlencoded::from_str(text).map_err(|error| error.to_string())?;
        serde_urlencoded::to_string(&query).map_err(|error| error.to_string())
    }
}

/// The part of a key that tells the declared variants.
pub fn declared_variants<V: tropos_edge::variant::Declared>() -> DeclaredVariants {
    V::key
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use tropos_core::CanonicalPath;

    #[test]
    fn tags_take_path_parameters_encoded() {
        let pattern = Pattern::parse("/isr/:key").unwrap();
        let params = pattern.matches(&CanonicalPath::parse("/isr/a%20b").unwrap()).unwrap();
        assert_eq!(fill("isr-{key}", &params).as_str(), "isr-a%20b");
        assert_eq!(fill("isr", &params).as_str(), "isr");
    }

    #[test]
    fn a_declared_query_has_one_spelling_and_ignores_what_was_not_declared() {
        #[derive(Serialize, Deserialize)]
        struct Paging {
            #[serde(default)]
            page: u32,
        }
        let canonical = declared_query::<Paging>();
        for text in ["", "page=0", "page=00", "utm=x&page=0", "other=1"] {
            assert_eq!(canonical(text).as_deref(), Ok("page=0"), "{text}");
        }
        assert!(canonical("page=x").is_err());
    }
}
