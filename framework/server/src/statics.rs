//! The pages that say that there is no page, or that it failed: made once, at start, since they read nothing.

use crate::{
    app::{App, View},
    edge::policy,
    page::{AppCx, PageCx, extract::PageParts},
    render::{self, Document},
    request::ResponseHead,
};
use http::{HeaderValue, StatusCode};
use leptos::prelude::{ElementChild, IntoAny};
use std::sync::{Arc, atomic::AtomicBool};
use tropos_cache::{Engine, Purpose, Scope, StoredPage};
use tropos_core::{Mode, Params};

pub(crate) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The pages for "not found" and "failed".
pub(crate) struct Statics {
    pub(crate) not_found: StoredPage,
    pub(crate) error: StoredPage,
}

impl Statics {
    pub(crate) async fn render(app: &App, shell: &Document, cx: &AppCx, engine: &Engine) -> Self {
        let page = async |status: StatusCode, view: &Option<View>, text: &'static str| {
            let view =
                view.clone().unwrap_or_else(|| Arc::new(move || leptos::html::h1().child(text).into_any()));
            let nonce = policy::new_nonce();
            let html = one(move || view(), shell, cx, engine, &nonce).await.unwrap_or_else(|error| {
                tracing::error!(%status, %error, "the page for this status failed; a plain one takes its place");
                format!("<!DOCTYPE html><title>{text}</title><h1>{text}</h1>")
            });
            policy::sealed(status, &html, &nonce).compress()
        };
        Self {
            not_found: page(StatusCode::NOT_FOUND, &app.not_found, "Not found").await,
            error: page(StatusCode::INTERNAL_SERVER_ERROR, &app.error, "Something went wrong").await,
        }
    }
}

async fn one(
    view: impl FnOnce() -> leptos::prelude::AnyView + Send + 'static,
    shell: &Document,
    cx: &AppCx,
    engine: &Engine,
    nonce: &Arc<str>,
) -> Result<String, String> {
    let cx = PageCx::new(PageParts {
        app: cx.clone(),
        mode: Mode::Ssg,
        params: Params::default(),
        inputs: Default::default(),
        request: None,
        response: ResponseHead::open(),
        live_url: None,
        nonce: nonce.clone(),
        draft: false,
        personal: AtomicBool::new(false),
    });
    let render = async {
        let html = render::render_view(view, cx, shell).await.map_err(|error| format!("{error:?}"))?;
        html.collect().await.map_err(|failure| failure.to_string())
    };
    Scope::new(engine, Purpose::Stored).run(render).await
}
