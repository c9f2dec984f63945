//! A content security policy (CSP level 3), by directive.

use super::{Directive, Hashes, Source};
use http::{HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What of the page's own inline scripts and styles is allowed, beside what the policy names.
#[derive(Debug, Clone, Copy)]
pub enum Inline<'a> {
    /// Nothing.
    None,
    /// What carries this nonce: for a page that is streamed.
    Nonce(&'a str),
    /// What has these hashes: for a page that is stored.
    Hashes(&'a Hashes),
}

/// A policy.
///
/// ```
/// use tropos_edge::ready::security::{Csp, Directive, Inline, Source};
/// let policy = Csp::strict().also(Directive::ImgSrc, Source::host("https://images.example"));
/// let text = policy.render(Inline::Nonce("abc"));
/// assert!(text.contains("img-src 'self' data: https://images.example;"));
/// assert!(text.contains("script-src 'self' 'wasm-unsafe-eval' 'nonce-abc';"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Csp {
    lists: Vec<(Directive, Vec<Source>)>,
    upgrade: bool,
    report_only: bool,
    report_to: Option<String>,
    report_uri: Option<String>,
}

impl Csp {
    /// Nothing is held to anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// What no page of Tropos needs is refused: frames by others, plug-ins, another base.
    pub fn least() -> Self {
        Self::new()
            .set(Directive::ObjectSrc, [Source::None])
            .set(Directive::BaseUri, [Source::Own])
            .set(Directive::FrameAncestors, [Source::Own])
    }

    /// All from this origin, islands and live pages included; images from `data:` too, since small ones stand in styles. Inline scripts and styles by
    /// nonce or hash alone.
    pub fn strict() -> Self {
        Self::least()
            .set(Directive::DefaultSrc, [Source::Own])
            .set(Directive::ScriptSrc, [Source::Own, Source::WasmEval])
            .set(Directive::StyleSrc, [Source::Own])
            .set(Directive::ImgSrc, [Source::Own, Source::scheme("data")])
            .set(Directive::FormAction, [Source::Own])
            .upgrade_insecure_requests()
    }

    /// Gives a directive its sources, in place of those that it has.
    #[must_use]
    pub fn set(mut self, directive: Directive, sources: impl IntoIterator<Item = Source>) -> Self {
        self.lists.retain(|(known, _)| *known != directive);
        self.lists.push((directive, sources.into_iter().collect()));
        self
    }

    /// Gives a directive another source; one that has no list begins with that of `default-src`.
    #[must_use]
    pub fn also(mut self, directive: Directive, source: Source) -> Self {
        let mut sources = self
            .of(directive)
            .or_else(|| self.of(Directive::DefaultSrc))
            .map(<[_]>::to_vec)
            .unwrap_or_default();
        sources.retain(|known| *known != Source::None);
        sources.push(source);
        match self.lists.iter_mut().find(|(known, _)| *known == directive) {
            Some((_, list)) => *list = sources,
            None => self.lists.push((directive, sources)),
        }
        self
    }

    /// Has browsers fetch by `https` what the page names by `http`. Left out where visitors come by `http`.
    #[must_use]
    pub fn upgrade_insecure_requests(mut self) -> Self {
        self.upgrade = true;
        self
    }

    /// Reports what would be refused, and refuses nothing.
    #[must_use]
    pub fn report_only(mut self) -> Self {
        self.report_only = true;
        self
    }

    /// Reports go to the endpoint of this name in `Reporting-Endpoints`.
    #[must_use]
    pub fn report_to(mut self, name: &str) -> Self {
        self.report_to = Some(name.to_owned());
        self
    }

    /// Reports go to this address; for browsers without `report-to`.
    #[must_use]
    pub fn report_uri(mut self, address: &str) -> Self {
        self.report_uri = Some(address.to_owned());
        self
    }

    /// As it is for visitors who come by `http`.
    pub(super) fn over_http(&self) -> Self {
        Self { upgrade: false, ..self.clone() }
    }

    /// The header that carries it.
    pub fn header(&self) -> HeaderName {
        match self.report_only {
            true => header::CONTENT_SECURITY_POLICY_REPORT_ONLY,
            false => header::CONTENT_SECURITY_POLICY,
        }
    }

    /// The header's value, for what a page has inline.
    pub fn render(&self, inline: Inline<'_>) -> String {
        use Directive::{DefaultSrc, ScriptSrc, ScriptSrcElem, StyleSrc, StyleSrcElem};
        let mut out = String::new();
        for (directive, sources) in &self.lists {
            let own = match directive {
                ScriptSrc | ScriptSrcElem => marks(inline, true),
                StyleSrc | StyleSrcElem => marks(inline, false),
                _ => Vec::new(),
            };
            write_list(&mut out, *directive, sources, &own);
        }
        // Who is held by `default-src` alone is given a list of its own, so that nothing else is let in by the marks.
        if let Some(sources) = self.of(DefaultSrc) {
            for (directive, script) in [(ScriptSrc, true), (StyleSrc, false)] {
                let own = marks(inline, script);
                if self.of(directive).is_none() && !own.is_empty() {
                    write_list(&mut out, directive, sources, &own);
                }
            }
        }
        let ends = [
            (self.upgrade && !self.report_only).then(|| "upgrade-insecure-requests".to_owned()),
            self.report_uri.as_ref().map(|address| format!("report-uri {address}")),
            self.report_to.as_ref().map(|name| format!("report-to {name}")),
        ];
        ends.into_iter().flatten().for_each(|end| push(&mut out, &end));
        out
    }

    fn of(&self, directive: Directive) -> Option<&[Source]> {
        self.lists.iter().find(|(known, _)| *known == directive).map(|(_, sources)| sources.as_slice())
    }

    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<String> {
        for (directive, sources) in &self.lists {
            let name = directive.as_str();
            if sources.is_empty() || (sources.contains(&Source::None) && sources.len() > 1) {
                return Some(format!(
                    "`{name}` is empty, or has `'none'` beside others: write one or the other"
                ));
            }
            if let Some(problem) = sources.iter().find_map(Source::problem) {
                return Some(format!("`{name}`: {problem}"));
            }
        }
        let ends = [&self.report_to, &self.report_uri];
        let odd = ends.into_iter().flatten().find(|text| {
            text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b';' | b','))
        });
        if let Some(odd) = odd {
            return Some(format!(
                "reports cannot go to `{odd}`: write the name of an endpoint, or an address"
            ));
        }
        HeaderValue::from_str(&self.render(Inline::None)).err().map(|error| error.to_string())
    }
}

fn marks(inline: Inline<'_>, script: bool) -> Vec<String> {
    match inline {
        Inline::None => Vec::new(),
        Inline::Nonce(nonce) => vec![format!("'nonce-{nonce}'")],
        Inline::Hashes(hashes) => {
            let of = if script { &hashes.scripts } else { &hashes.styles };
            of.iter().map(|hash| format!("'{hash}'")).collect()
        }
    }
}

fn write_list(out: &mut String, directive: Directive, sources: &[Source], own: &[String]) {
    let mut list = directive.as_str().to_owned();
    let own = if sources.contains(&Source::UnsafeInline) { &[] } else { own };
    for source in sources.iter().filter(|source| own.is_empty() || **source != Source::None) {
        list.push(' ');
        source.write(&mut list);
    }
    for mark in own {
        let _ = write!(list, " {mark}");
    }
    push(out, &list);
}

fn push(out: &mut String, text: &str) {
    if !out.is_empty() {
        out.push_str("; ");
    }
    out.push_str(text);
}
