//! From a page to HTML.

use super::Document;
use crate::page::{PageCx, route::Handler};
use futures::{FutureExt, Stream, StreamExt, stream};
use hydration_context::{SharedContext, SsrSharedContext};
use leptos::{
    nonce::Nonce,
    prelude::{AnyView, Owner, RenderHtml, provide_context},
    reactive::computed::ScopedFuture,
};
use leptos_meta::{ServerMetaContext, Title, TitleProps, provide_meta_context};
use memchr::memmem;
use std::{future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc};
use tropos_core::{Failure, PageError};

/// How parts that are waited for reach the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// In the order of the document, the one form of a page that is stored or compared.
    InOrder,
    /// Placeholders first, and each part as soon as it is there.
    OutOfOrder,
}

/// HTML in pieces; the first holds the head. A piece that is `Err` is the end: the render panicked, and the answer must
/// be cut off, so that nobody takes it for whole.
pub(crate) struct Html {
    pieces: InContext<Pieces>,
}

type Pieces = Pin<Box<dyn Stream<Item = Result<String, Failure>> + Send>>;

impl Html {
    /// The pieces, as they are streamed: what is waited for from here on has a span of its own, within the running one.
    pub(crate) fn into_stream(mut self) -> impl Stream<Item = Result<String, Failure>> + Send {
        self.pieces.streamed_by = Some(tracing::Span::current());
        self.pieces
    }

    /// All of it.
    pub(crate) async fn collect(mut self) -> Result<String, Failure> {
        let mut html = String::new();
        while let Some(piece) = self.pieces.next().await {
            html.push_str(&piece?);
        }
        Ok(html)
    }
}

/// Renders a page. The page's own awaits are over when this returns: what is left is its view.
///
/// `cx` and the running [`tropos_cache::Scope`] stay with the pieces, whoever polls them.
pub(crate) async fn render_page(
    handler: Handler,
    cx: PageCx,
    document: &Document,
    order: Order,
) -> Result<Html, PageError> {
    let page = cx.clone();
    start(cx, document, order, async move { handler(page).await.map(crate::page::PageView::into_inner) })
        .await
}

/// Renders a view that reads nothing, such as the page for "not found".
pub(crate) async fn render_view(
    view: impl FnOnce() -> AnyView + Send + 'static,
    cx: PageCx,
    document: &Document,
) -> Result<Html, PageError> {
    start(cx, document, Order::InOrder, async move { Ok(view()) }).await
}

/// Renders a view that waits for nothing, and belongs to no page of the application.
pub(crate) fn render_now(view: impl FnOnce() -> AnyView) -> String {
    let shared = Arc::new(SsrSharedContext::new_islands());
    let owner = OwnerGuard(Some(Owner::new_root(Some(shared))));
    owner.with(|| view().to_html())
}

async fn start(
    cx: PageCx,
    document: &Document,
    order: Order,
    page: impl Future<Output = Result<AnyView, PageError>> + Send + 'static,
) -> Result<Html, PageError> {
    let rendering = AssertUnwindSafe(start_unguarded(cx.clone(), document, order, page)).catch_unwind();
    cx.scope(rendering).await.unwrap_or_else(|panic| Err(panicked(&*panic).into()))
}

async fn start_unguarded(
    cx: PageCx,
    document: &Document,
    order: Order,
    page: impl Future<Output = Result<AnyView, PageError>> + Send + 'static,
) -> Result<Html, PageError> {
    let shared = Arc::new(SsrSharedContext::new_islands());
    let owner = OwnerGuard(Some(Owner::new_root(Some(shared.clone()))));
    let (meta, meta_output) = ServerMetaContext::new();
    let page = owner.with(|| {
        // What Leptos and the page write inline carries it.
        provide_context(Nonce::from_value(cx.nonce().clone()));
        provide_context(meta);
        provide_meta_context();
        // Leptos puts titles into the head as they are, and a title is often data.
        drop(Title(TitleProps { formatter: Some(escape_title.into()), text: None }));
        ScopedFuture::new(page)
    });
    let view = page.await?;
    let html = owner.with(|| {
        let view = document.around(view);
        match order {
            Order::InOrder => view.to_html_stream_in_order(),
            Order::OutOfOrder => view.to_html_stream_out_of_order(),
        }
    });
    let mut html = html.ready_chunks(32).map(|pieces| pieces.concat());
    let first = next_piece(&mut html, &shared).await;
    let rest = stream::unfold((html, shared.clone()), |(mut html, shared)| async move {
        let piece = next_piece(&mut html, &shared).await?;
        Some((piece, (html, shared)))
    });
    // What comes with the first piece was not waited for.
    let rest = rest.inspect(|piece| crate::traces::spans::parts(piece));
    let html = stream::iter(first).chain(rest);
    let html = meta_output.inject_meta_context(Box::pin(html)).await;
    let live_tags = cx.live_url().map(|url| document.assets.live_tags(url, cx.nonce()));
    let html = with_head(html, live_tags.unwrap_or_default());
    let html = with_islands(html, shared, document.assets.clone(), cx.nonce().clone());
    // The owner lives as long as the pieces: what they render belongs to it.
    let html = stream::unfold((Box::pin(html), owner), |(mut html, owner)| async move {
        let piece = html.next().await?;
        Some((piece, (html, owner)))
    });
    let html = AssertUnwindSafe(html).catch_unwind().map(|piece| piece.map_err(|panic| panicked(&*panic)));
    Ok(Html { pieces: InContext::new(Box::pin(html), cx) })
}

/// Within `<title>`, only a tag's end and a character reference mean something.
fn escape_title(title: String) -> String {
    title.replace('&', "&amp;").replace('<', "&lt;")
}

/// The next piece, once everything that it must wait for is there.
async fn next_piece(
    html: &mut (impl Stream<Item = String> + Unpin),
    shared: &SsrSharedContext,
) -> Option<String> {
    let piece = html.next().await?;
    while let Some(pending) = shared.await_deferred() {
        pending.await;
    }
    Some(piece)
}

/// Adds `tags` before the end of the head.
fn with_head(html: impl Stream<Item = String> + Send, tags: String) -> impl Stream<Item = String> + Send {
    let mut tags = Some(tags).filter(|tags| !tags.is_empty());
    html.map(move |mut piece| {
        if let Some(at) = tags.as_ref().and_then(|_| memmem::find(piece.as_bytes(), b"</head>"))
            && let Some(tags) = tags.take()
        {
            piece.insert_str(at, &tags);
        }
        piece
    })
}

/// Adds what loads the islands to the first piece that has one, and the data of their resources at the end. A page
/// without islands gets neither.
fn with_islands(
    html: impl Stream<Item = String> + Send,
    shared: Arc<SsrSharedContext>,
    assets: Arc<super::Assets>,
    nonce: Arc<str>,
) -> impl Stream<Item = String> + Send {
    enum State<S> {
        Html(S, bool),
        Data(Pin<Box<dyn Stream<Item = String> + Send>>),
    }
    let html = Box::pin(html);
    let inline = (assets, nonce);
    stream::unfold((State::Html(html, false), shared, inline), |(state, shared, inline)| async move {
        let (assets, nonce) = &inline;
        match state {
            State::Html(mut html, mut islands) => match html.next().await {
                Some(mut piece) => {
                    if !islands && memmem::find(piece.as_bytes(), b"<leptos-island").is_some() {
                        islands = true;
                        let end = memmem::rfind(piece.as_bytes(), b"</body>").unwrap_or(piece.len());
                        piece.insert_str(end, &assets.island_tags(nonce));
                    }
                    Some((piece, (State::Html(html, islands), shared, inline)))
                }
                None if islands => {
                    let mut data = shared.pending_data()?;
                    let piece = script(&data.next().await?, nonce);
                    Some((piece, (State::Data(data), shared, inline)))
                }
                None => None,
            },
            State::Data(mut data) => {
                let piece = script(&data.next().await?, nonce);
                Some((piece, (State::Data(data), shared, inline)))
            }
        }
    })
}

fn script(text: &str, nonce: &str) -> String {
    format!("<script nonce=\"{nonce}\">{text}</script>")
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    crate::errors::Panicked(text.unwrap_or("(no message)").to_owned()).into()
}

/// Frees what a render holds, whether it was polled to its end or dropped on the way.
struct OwnerGuard(Option<Owner>);

impl OwnerGuard {
    fn with<T>(&self, run: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(owner) => owner.with(run),
            None => run(),
        }
    }
}

impl Drop for OwnerGuard {
    fn drop(&mut self) {
        if let Some(owner) = self.0.take() {
            owner.unset_with_forced_cleanup();
        }
    }
}

/// Polls a stream within the context of its request, whoever polls it.
struct InContext<S> {
    stream: S,
    cx: PageCx,
    scope: Option<tropos_cache::Scope>,
    span: tracing::Span,
    /// Below which what is waited for is told of, once something is.
    streamed_by: Option<tracing::Span>,
}

impl<S> InContext<S> {
    fn new(stream: S, cx: PageCx) -> Self {
        let (scope, span) = (tropos_cache::Scope::current(), tracing::Span::current());
        Self { stream, cx, scope, span, streamed_by: None }
    }
}

impl<S: Stream + Unpin> Stream for InContext<S> {
    type Item = S::Item;

    fn poll_next(
        mut self: Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        let this = &mut *self;
        let polled = {
            let _within = this.span.enter();
            let cx = this.cx.clone();
            let next = cx.scope(std::future::poll_fn(|task| Pin::new(&mut this.stream).poll_next(task)));
            match &this.scope {
                Some(scope) => std::pin::pin!(scope.wrap(next)).poll(task),
                None => std::pin::pin!(next).poll(task),
            }
        };
        // A page that waits for nothing after its head has no such part.
        if polled.is_pending()
            && let Some(parent) = this.streamed_by.take()
        {
            this.span = crate::traces::spans::suspended(&parent);
        }
        if let std::task::Poll::Ready(None) = &polled {
            this.span = tracing::Span::none();
        }
        polled
    }
}
