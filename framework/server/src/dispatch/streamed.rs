//! Pages that are made for each request: `server`, and the first answer of `live`.

use super::reply;
use crate::{
    dev,
    edge::policy,
    page::{PageCx, inputs::Inputs},
    render::{self, Html, Order},
    request::ResponseHead,
    routing::PageRoute,
    site::Site,
    statics::HTML,
    traces::spans,
};
use axum::body::Body;
use futures::StreamExt;
use http::{Response, header, request::Parts};
use std::{sync::Arc, time::Duration};
use tracing::Instrument as _;
use tropos_cache::{
    Purpose, Reason,
    http::{CACHE_STATUS, CacheStatus, Detail, lifetime::PRIVATE_NO_STORE},
};
use tropos_core::{Failure, Mode, PageError, Params};
use tropos_telemetry::errors::Kind;

/// A page whose head is not settled by then has failed: few readers still wait.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

impl Site {
    /// A `server` page.
    pub(super) async fn streamed(
        self: &Arc<Self>,
        page: &Arc<PageRoute>,
        params: Params,
        request: &Parts,
    ) -> Response<Body> {
        let visitor = self.visitor(request);
        let draft = visitor.draft;
        let inputs = Inputs::of_query(request.uri.query().unwrap_or_default());
        let (cx, additions) = self.page_cx(Mode::Server, params, inputs, Some(visitor.clone()), None);
        let nonce = cx.nonce().clone();
        let scope = self.scope(Purpose::Once, &visitor);
        dev::watched(request).inspect(|recording| recording.within(&scope));
        scope.set_route(page.route.pattern());
        self.meter.page_read(&page.route, Reason::Bypass, draft);
        let html = scope.run(self.measured(page, "request", begin(page, cx, Order::OutOfOrder))).await;
        let response = match html {
            Ok(html) => {
                let pieces = html.into_stream().map(|piece| piece.map_err(|failure| failure.to_string()));
                policy::of_render(Body::from_stream(pieces), nonce)
            }
            Err(error) => self.instead(page, request.uri.path(), error),
        };
        let detail = if draft { Detail::Draft } else { Detail::Server };
        let mut response = for_one_visitor(response, &additions, detail);
        self.remember_writes(&scope, &visitor, &mut response).await;
        reply::without_body_for_head(&request.method, response)
    }

    /// A render, counted, also where its reader leaves before it ends. Pages that say that there is nothing, or send their
    /// reader on, have not failed.
    pub(super) async fn measured<T>(
        &self,
        page: &PageRoute,
        cause: &str,
        render: impl Future<Output = Result<T, PageError>>,
    ) -> Result<T, PageError> {
        let counted = self.meter.begin_render(&page.route, cause);
        let rendered = render.await;
        counted.ended(matches!(rendered, Err(PageError::Failed(_))));
        rendered
    }

    /// The answer of a page that has no view.
    pub(super) fn instead(&self, page: &PageRoute, path: &str, error: PageError) -> Response<Body> {
        match error {
            PageError::NotFound => reply::from_static_page(&self.statics.not_found),
            PageError::Redirect(to) => reply::redirect(&to),
            PageError::Failed(failure) => self.failed(page, path, &failure),
            other => self.failed(page, path, &Failure::new(format!("the page answered {other:?}"))),
        }
    }
}

/// Renders until the head is settled.
pub(super) async fn begin(page: &PageRoute, cx: PageCx, order: Order) -> Result<Html, PageError> {
    let rendering = render::render_page(page.route.spec.handler, cx.clone(), &page.document, order);
    let span = spans::render(page);
    let rendering = tokio::time::timeout(HEAD_TIMEOUT, rendering.instrument(span.clone()));
    let rendered = rendering.await.unwrap_or_else(|_| {
        Err(Failure::new("the page took longer than 30 s until its head was settled").into())
    });
    if let Err(PageError::Failed(failure)) = &rendered {
        spans::failed(&span, failure);
    }
    spans::done(&span);
    rendered.inspect_err(|error| cx.errors().page_failed(Kind::Page, page, &cx, error))
}

/// Adds the headers of an answer that belongs to one visitor.
pub(super) fn for_one_visitor(
    mut response: Response<Body>,
    additions: &ResponseHead,
    detail: Detail,
) -> Response<Body> {
    let failed = response.status().is_server_error();
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_TYPE).or_insert(HTML);
    if !failed {
        headers.insert(header::CACHE_CONTROL, PRIVATE_NO_STORE);
    }
    headers.insert(CACHE_STATUS, CacheStatus::Bypass(detail).as_header());
    reply::add(&mut response, additions.take().headers);
    response
}
