//! What is no page: server functions and the application's API.

use super::{api, functions, guard, reply, told, with_path};
use crate::{page::inputs::Inputs, request::RequestHead, site::Site, traces, traces::spans};
use axum::body::Body;
use http::{Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Limited;
use std::{sync::Arc, time::Duration};
use tracing::Instrument as _;
use tropos_cache::{Purpose, Scope};
use tropos_core::{CanonicalPath, Mode, Params};

/// The longest body that a server function or API handler is sent; a longer one is refused with 413, or cut off where its
/// length was not declared. As Axum's own limit: more than any form, less than an upload, which streams elsewhere.
const LONGEST_BODY: usize = 2 * 1024 * 1024;

/// A server function or API handler that takes longer, the arrival of its body included, is given up.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Site {
    /// The answer of a server function or of the application's API; `None` where neither is there. They may write, so what
    /// another site made a browser send is refused before it runs; only reads of the API are open to other sites.
    pub(super) async fn write(
        self: &Arc<Self>,
        path: &CanonicalPath,
        mut head: Parts,
        body: Body,
    ) -> Option<Response<Body>> {
        // All decide on the one spelling of the path.
        if let Some(uri) = with_path(&head.uri, path, None) {
            head.uri = uri;
        }
        let is_function = functions::exists(head.uri.path(), &head.method);
        let function = functions::paths().find(|known| is_function && *known == head.uri.path());
        let api = self.api.as_ref().filter(|_| !is_function).cloned();
        if !is_function && api.is_none() {
            return None;
        }
        let may_write = is_function || !matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if may_write && !guard::is_same_site(&head, &self.config) {
            tracing::warn!(path = path.as_str(), "a write from another site was refused");
            return Some(reply::plain(StatusCode::FORBIDDEN, "a page of another site sent this request"));
        }
        if declared_length(&head).is_some_and(|length| length > LONGEST_BODY as u64) {
            return Some(reply::plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 2 MiB"));
        }
        let visitor = self.visitor(&head);
        let scope = self.scope(Purpose::Action, &visitor);
        if let Some(function) = function {
            scope.set_route(function);
            traces::of(&head).inspect(|trace| trace.set_route(function));
        }
        let span = spans::function(function);
        // In a task of its own: a client that leaves between a write and its invalidation must not part the two.
        let (site, within) = (self.clone(), scope.clone());
        let action = async move { site.act(api, head, body, within, visitor).await };
        let action = tokio::spawn(action.instrument(span));
        let answer = match tokio::time::timeout(TIMEOUT, action).await {
            Ok(Ok(answer)) => answer?,
            Ok(Err(_)) => {
                tracing::error!(path = path.as_str(), "a server function or API handler panicked");
                self.error_page()
            }
            Err(_) => {
                tracing::error!(
                    path = path.as_str(),
                    "a server function or API handler takes longer than 60 s"
                );
                if let Some(function) = function {
                    let why = "the server function took longer than 60 s";
                    self.errors.function_failed(function, None, why);
                }
                reply::plain(StatusCode::SERVICE_UNAVAILABLE, "this took too long")
            }
        };
        // A handler of the API is known by its pattern once the router has found it.
        let route = scope.route().unwrap_or_default();
        Some(told(answer, route, if is_function { "function" } else { "api" }))
    }

    /// Runs the API's handler, or else a server function.
    async fn act(
        &self,
        api: Option<axum::Router>,
        head: Parts,
        body: Body,
        scope: Scope,
        visitor: Arc<RequestHead>,
    ) -> Option<Response<Body>> {
        let inputs = Inputs::of_query(head.uri.query().unwrap_or_default());
        let (cx, additions) =
            self.page_cx(Mode::Server, Params::default(), inputs, Some(visitor.clone()), None);
        let request = Request::from_parts(head, Body::new(Limited::new(body, LONGEST_BODY)));
        let mut response = match api {
            None => scope.run(functions::call(cx, additions, request, &self.config)).await,
            Some(api) => {
                let mut response = scope.run(cx.scope(api::call(api, request))).await?;
                reply::add(&mut response, additions.take().headers);
                response
            }
        };
        self.remember_writes(&scope, &visitor, &mut response).await;
        Some(response)
    }
}

fn declared_length(head: &Parts) -> Option<u64> {
    head.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
