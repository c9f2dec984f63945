//! Which language a visitor is shown.

mod accept;

pub use accept::{LONGEST_ACCEPT, MOST_RANGES, Range, ranges, wanted};

use super::{is_name, may_be_a_page, wrong};
use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, VariantName, Verdict, edits::ContextValue};
use serde::{Deserialize, Serialize};
use tropos_core::CanonicalPath;

/// Chooses the language: that of the path's first segment, else of a cookie, else of `Accept-Language`, else the first.
///
/// What comes of it:
///
/// | | path names a language | path names none |
/// |---|---|---|
/// | [`redirect`](Self::redirect) | goes on | 307 to the same path below the language, for `GET` and `HEAD` |
/// | [`rewrite`](Self::rewrite) | goes on | goes on as the same path below the language; the address stays |
/// | [`variant`](Self::variant) | | chooses the variant's value of the language's name |
///
/// - An answer of a choice by cookie or header carries `Vary: Accept-Language, Cookie`, and its page is not public. A path that names its
///   language is the same for all, and stays public.
/// - `Content-Language` is set on what goes on, and [`Locale`] is left for `server` and `live` pages.
/// - Server functions, files and Tropos's own paths are left alone.
/// - With [`plain_default`](Self::plain_default), the first language has no segment: `/about` is English, `/de/about` German, and
///   nobody who names no language is sent anywhere but by their cookie or header.
///
/// ```
/// use tropos_edge::{Hooks, ready::locale::Locales};
/// let hooks = Hooks::new().hook(Locales::redirect(["en", "de", "pt-BR"]).cookie("lang"));
/// # hooks.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Locales {
    tags: Vec<String>,
    how: How,
    cookie: String,
    plain: bool,
    except: Vec<String>,
}

#[derive(Debug, Clone)]
enum How {
    Redirect,
    Rewrite,
    Variant { name: &'static str, choose: fn(&mut Edits, usize) },
}

/// The language of the page, as the site writes it. Left by [`Locales`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locale(pub String);

impl ContextValue for Locale {
    const NAME: &'static str = "locale";
}

/// What a choice by the visitor's own words depends on.
const VARY: &str = "accept-language, cookie";

impl Locales {
    /// Sends visitors to paths that name the language. The first is the default.
    pub fn redirect<S: Into<String>>(tags: impl IntoIterator<Item = S>) -> Self {
        Self::of(tags, How::Redirect)
    }

    /// Goes on as paths that name the language, below addresses that do not. The first is the default.
    pub fn rewrite<S: Into<String>>(tags: impl IntoIterator<Item = S>) -> Self {
        Self::of(tags, How::Rewrite)
    }

    /// Chooses the value of a variant whose values are languages. Paths do not name them.
    pub fn variant<V: VariantName>() -> Self {
        let choose = |edits: &mut Edits, at| edits.choose(V::at(at));
        Self::of(V::VALUES.iter().copied(), How::Variant { name: V::NAME, choose })
    }

    fn of<S: Into<String>>(tags: impl IntoIterator<Item = S>, how: How) -> Self {
        let tags = tags.into_iter().map(Into::into).collect();
        Self { tags, how, cookie: "locale".to_owned(), plain: false, except: Vec::new() }
    }

    /// The cookie that keeps what the visitor chose by hand. The page that offers the choice sets it.
    #[must_use]
    pub fn cookie(mut self, name: &str) -> Self {
        name.clone_into(&mut self.cookie);
        self
    }

    /// Pages of the first language have no language in their path.
    #[must_use]
    pub fn plain_default(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Leaves a path and all below it alone.
    #[must_use]
    pub fn except(mut self, path: &str) -> Self {
        self.except.push(path.to_owned());
        self
    }

    /// What the visitor asks for by cookie or header; the first language where they ask for none of the site's.
    fn asked(&self, request: &EdgeRequest<'_>, edits: &mut Edits) -> usize {
        edits.depends_on_visitor();
        edits.response_headers().append("vary", VARY);
        let kept = request.cookie(&self.cookie);
        let kept = kept.and_then(|kept| self.tags.iter().position(|tag| tag.eq_ignore_ascii_case(kept)));
        // Several lines are one list (RFC 9110 §5.3), of which the first has what is wanted most.
        kept.or_else(|| wanted(request.header("accept-language")?, &self.tags)).unwrap_or(0)
    }

    fn leaves_alone(&self, path: &CanonicalPath) -> bool {
        let path_text = path.as_str();
        let below = |except: &String| {
            path_text
                .strip_prefix(except.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !may_be_a_page(path) || self.except.iter().any(below)
    }

    fn go_on(&self, at: usize, edits: &mut Edits) -> Verdict<'static> {
        if let Some(tag) = self.tags.get(at) {
            edits.response_headers().set("content-language", tag);
            edits.context(&Locale(tag.clone()));
        }
        Decision::Next.into()
    }

    fn choose(&self, request: &EdgeRequest<'_>, edits: &mut Edits) -> Verdict<'static> {
        let path = request.path();
        let named = path.segments().next().and_then(|first| self.tags.iter().position(|tag| tag == first));
        match (&self.how, named) {
            (How::Variant { choose, .. }, _) => {
                let at = self.asked(request, edits);
                choose(edits, at);
                return self.go_on(at, edits);
            }
            // After a rewrite, what was decided by cookie or header stays decided by them.
            (_, Some(at)) => return self.go_on(at, edits),
            (_, None) => {}
        }
        let at = self.asked(request, edits);
        let Some(tag) = self.tags.get(at).filter(|_| !(self.plain && at == 0)) else {
            return self.go_on(0, edits);
        };
        let rest = if path.as_str() == "/" { "" } else { path.as_str() };
        let target = format!("/{tag}{rest}");
        match self.how {
            How::Rewrite => Decision::rewrite(&target).into(),
            _ if !matches!(request.method().as_str(), "GET" | "HEAD") => self.go_on(at, edits),
            _ => {
                let query = request.query();
                let mark = if query.is_empty() { "" } else { "?" };
                Decision::redirect(&format!("{target}{mark}{query}"))
                    // A query of what no address may hold is left behind.
                    .or_else(|_| Decision::redirect(&target))
                    .into()
            }
        }
    }
}

impl Hook for Locales {
    fn name(&self) -> &str {
        "locales"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        if self.leaves_alone(request.path()) {
            return Decision::Next.into();
        }
        self.choose(request, edits)
    }

    /// A path that names its language, or is left alone, is the same for all; other choices say so themselves.
    fn depends_on_visitor(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        let problem = |problem: String| Err(wrong("locales", problem));
        if self.tags.is_empty() || self.tags.len() > 200 {
            return problem("name between 1 and 200 languages, the default first".to_owned());
        }
        if let Some(odd) = self.tags.iter().find(|tag| !accept::is_tag(tag)) {
            let name = match self.how {
                How::Variant { name, .. } => format!(", a value of the variant `{name}`,"),
                _ => String::new(),
            };
            return problem(format!(
                "`{odd}`{name} is no language: write a tag such as `de` or `pt-BR` (BCP 47)"
            ));
        }
        let twice = self
            .tags
            .iter()
            .enumerate()
            .find(|(at, tag)| self.tags.iter().take(*at).any(|other| other.eq_ignore_ascii_case(tag)));
        if let Some((_, twice)) = twice {
            return problem(format!("`{twice}` is named twice"));
        }
        if !is_name(&self.cookie) {
            return problem("a cookie's name is 1 to 64 letters, digits, `-`, `_` and `.`".to_owned());
        }
        let odd = self.except.iter().find(|path| {
            CanonicalPath::parse(path).ok().is_none_or(|known| known.as_str() != path.as_str())
                || path.as_str() == "/"
        });
        odd.map_or(Ok(()), |odd| {
            problem(format!("`except(\"{odd}\")`: write a path such as `/feeds`, without a slash at its end"))
        })
    }
}
