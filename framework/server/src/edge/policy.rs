//! The content security policy that a hook leaves, completed by what stands inline in the answer.
//!
//! Every render has a nonce, on each script that is written inline. A page that is streamed is sent with it, in the policy's
//! header too. A page that is stored would show it to all who read it: so it is taken out, and the hashes of what carried it are
//! kept with the page. A header made of them goes out with each answer from it, of whatever status.

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use std::sync::Arc;
use tropos_cache::{StoredPage, page::Inlined};
use tropos_edge::ready::security::{Csp, Hashes, Inline, seal};

/// Policies of which the header for what has nothing inline is kept ready; a site has one or two.
const MOST_READY: usize = 8;

/// What is inline in an answer: among its extensions, until the policy is completed by it.
#[derive(Debug, Clone)]
pub(crate) enum Inlines {
    /// What carries the nonce of the render that goes out.
    Nonce(Arc<str>),
    /// What was noted when the page was stored.
    Stored(Arc<Inlined>),
}

/// A nonce of 128 bits, for one render.
pub(crate) fn new_nonce() -> Arc<str> {
    tropos_edge::ready::security::nonce(rand::random(), rand::random()).into()
}

/// A page for the store: without its nonce, and with the hashes of what carried it.
pub(crate) fn sealed(status: StatusCode, html: &str, nonce: &str) -> StoredPage {
    let sealed = seal(html, nonce);
    if sealed.left_out > 0 {
        tracing::warn!(
            left_out = sealed.left_out,
            "inline scripts or styles of a stored page have no place in its policy: a page has 64 of each at most, and none with `<!--` in it"
        );
    }
    let Hashes { scripts, styles } = sealed.hashes;
    StoredPage::new(status, vec![(header::CONTENT_TYPE, crate::statics::HTML)], sealed.html.into())
        .with_inlined(Inlined::new(scripts, styles))
}

/// The same text whatever its nonce, to be compared with that of another render.
pub(crate) fn without_nonce(html: String, nonce: &str) -> String {
    match html.contains(nonce) {
        false => html,
        true => seal(&html, nonce).html.replace(nonce, ""),
    }
}

/// An answer that goes out as it is rendered, and with its nonce.
pub(crate) fn of_render<B>(body: B, nonce: Arc<str>) -> Response<B> {
    let mut response = Response::new(body);
    response.extensions_mut().insert(Inlines::Nonce(nonce));
    response
}

/// Notes on an answer from a stored page what is inline in it.
pub(crate) fn note<B>(response: &mut Response<B>, page: &StoredPage) {
    if let Some(inlined) = page.inlined() {
        response.extensions_mut().insert(Inlines::Stored(inlined.clone()));
    }
}

/// Headers that were made once.
pub(crate) struct Policies(ArcSwap<Vec<(Arc<Csp>, HeaderValue)>>);

impl Policies {
    pub(crate) fn new() -> Self {
        Self(ArcSwap::from_pointee(Vec::new()))
    }

    /// Completes the policy by what is inline, and sets its header, in place of one that the page itself has set.
    pub(super) fn set(&self, policy: &Arc<Csp>, inlines: Option<&Inlines>, headers: &mut HeaderMap) {
        if let Some(value) = self.value(policy, inlines) {
            headers.insert(policy.header(), value);
        }
    }

    fn value(&self, policy: &Arc<Csp>, inlines: Option<&Inlines>) -> Option<HeaderValue> {
        match inlines {
            Some(Inlines::Nonce(nonce)) => rendered(policy, Inline::Nonce(nonce)),
            Some(Inlines::Stored(inlined)) => self.of_stored(policy, Some(inlined)),
            None => self.of_stored(policy, None),
        }
    }

    /// The header of an answer from a stored page.
    pub(crate) fn of_stored(&self, policy: &Arc<Csp>, inlined: Option<&Arc<Inlined>>) -> Option<HeaderValue> {
        let Some(inlined) = inlined else { return self.plain(policy) };
        inlined.header(policy, |inlined| {
            let hashes = Hashes { scripts: inlined.scripts().to_vec(), styles: inlined.styles().to_vec() };
            rendered(policy, Inline::Hashes(&hashes))
        })
    }

    /// The header of what has nothing inline.
    fn plain(&self, policy: &Arc<Csp>) -> Option<HeaderValue> {
        let ready = self.0.load();
        let known = ready.iter().find(|(known, _)| Arc::ptr_eq(known, policy) || known == policy);
        if let Some((_, value)) = known {
            return Some(value.clone());
        }
        let value = rendered(policy, Inline::None)?;
        if ready.len() < MOST_READY {
            // Another thread may have added one meanwhile; what is lost by it is made again.
            let more = ready.iter().cloned().chain([(policy.clone(), value.clone())]).collect();
            self.0.store(Arc::new(more));
        }
        Some(value)
    }
}

fn rendered(policy: &Csp, inline: Inline<'_>) -> Option<HeaderValue> {
    let value = HeaderValue::try_from(policy.render(inline));
    if let Err(error) = &value {
        tracing::error!(%error, "a content security policy is no header value, and was not sent: a hook made one of its own");
    }
    value.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_edge::ready::security::{Directive, Source};

    fn policy() -> Arc<Csp> {
        Arc::new(Csp::new().set(Directive::ScriptSrc, [Source::Own]))
    }

    fn text(policies: &Policies, inlines: Option<&Inlines>) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("the page's own"));
        policies.set(&policy(), inlines, &mut headers);
        headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_policy_is_completed_by_what_is_inline() {
        let policies = Policies::new();
        let page = sealed(StatusCode::OK, "<script nonce=\"N\">a</script><script>b</script>", "N");
        assert_eq!(
            &*page.body(tropos_cache::http::Coding::Identity).bytes,
            b"<script>a</script><script>b</script>"
        );
        let stored = Inlines::Stored(page.inlined().unwrap().clone());
        for _ in 0..2 {
            assert_eq!(text(&policies, None), "script-src 'self'");
            assert_eq!(text(&policies, Some(&Inlines::Nonce("N".into()))), "script-src 'self' 'nonce-N'");
            assert_eq!(
                text(&policies, Some(&stored)),
                "script-src 'self' 'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='"
            );
        }
        assert_eq!(policies.0.load().len(), 1, "equal ones are one");
    }

    #[test]
    fn no_more_than_a_few_are_kept() {
        let policies = Policies::new();
        for at in 0..2 * MOST_READY {
            let host = format!("https://{at}.example");
            let policy = Arc::new(Csp::new().set(Directive::ImgSrc, [Source::host(&host)]));
            assert_eq!(policies.plain(&policy).unwrap(), format!("img-src {host}").as_str());
        }
        assert_eq!(policies.0.load().len(), MOST_READY);
    }

    #[test]
    fn two_renders_of_one_page_compare_as_the_same_text() {
        let html =
            |nonce: &str| format!("<p>a<script nonce=\"{nonce}\">b</script><meta content={nonce}></p>");
        assert_eq!(without_nonce(html("N1"), "N1"), without_nonce(html("N2"), "N2"));
        assert_eq!(without_nonce("<p>".to_owned(), "N1"), "<p>");
    }
}
