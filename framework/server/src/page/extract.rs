//! What a page may read.
//!
//! A page takes what it reads as arguments, each of a type that implements [`FromPage`] for the page's mode. What
//! belongs to one request implements it for `server` and `live` alone, so that a stored page cannot name it: its one
//! answer is given to everybody.

use super::{
    inputs::Inputs,
    listing::FromApp,
    mode::{Isr, Live, Server},
    params::{Path, PathParams},
};
use crate::{
    dev::Part,
    draft::Drafts,
    error::Error,
    errors::Errors,
    render::Assets,
    request::{Cookies, RequestHead, ResponseHead, Session, cookie_pairs},
};
use http::HeaderMap;
use serde::de::DeserializeOwned;
use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    future::Future,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tropos_core::{Failure, Mode, PageError, Params};
use tropos_db::{Backend, Db};
use tropos_edge::{Hooks, edits::ContextValue, variant::Declared};
use tropos_telemetry::business::Figures;

/// What a page, a listing function or a server function takes of the application.
#[derive(Clone)]
pub struct AppCx(Arc<AppParts>);

#[derive(Default)]
pub(crate) struct AppParts {
    pub(crate) db: Option<Db>,
    pub(crate) assets: Arc<Assets>,
    /// `None` where no secret is configured.
    pub(crate) drafts: Option<Drafts>,
    pub(crate) errors: Errors,
    /// `None` before the application is opened.
    pub(crate) figures: Option<Arc<Figures>>,
    /// By which it is known who takes part in which experiment.
    pub(crate) hooks: Hooks,
    pub(crate) states: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl AppCx {
    pub(crate) fn new(parts: AppParts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn drafts(&self) -> Option<&Drafts> {
        self.0.drafts.as_ref()
    }

    fn state<T: Clone + Send + Sync + 'static>(&self) -> Result<T, Failure> {
        let state = self.0.states.get(&TypeId::of::<T>()).and_then(|state| state.downcast_ref::<T>());
        let name = type_name::<T>();
        state.cloned().ok_or_else(|| {
            Failure::new(format!("no state `{name}`: give it to the application by `App::state`"))
        })
    }
}

/// All that a page could read; what it may read of it is decided by [`FromPage`].
#[derive(Clone)]
pub struct PageCx(Arc<PageParts>);

pub(crate) struct PageParts {
    pub(crate) app: AppCx,
    pub(crate) mode: Mode,
    pub(crate) params: Params,
    pub(crate) inputs: Inputs,
    /// `None` while a stored page is rendered: there is no request then.
    pub(crate) request: Option<Arc<RequestHead>>,
    pub(crate) response: Arc<ResponseHead>,
    /// Where the page's stream of changes is, for a live page.
    pub(crate) live_url: Option<String>,
    /// What inline scripts of this render are known by.
    pub(crate) nonce: Arc<str>,
    /// Whether this is rendered for somebody who sees drafts; then it is not stored.
    pub(crate) draft: bool,
    /// Whether something of the request has been read.
    pub(crate) personal: AtomicBool,
}

tokio::task_local! {
    static CURRENT: PageCx;
}

impl PageCx {
    pub(crate) fn new(parts: PageParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The context of the render or server function that is running.
    pub(crate) fn current() -> Option<PageCx> {
        CURRENT.try_with(Clone::clone).ok()
    }

    pub(crate) fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    pub(crate) fn response(&self) -> &ResponseHead {
        &self.0.response
    }

    /// The cookies of the request that is running.
    pub(crate) fn cookies(&self) -> Result<Cookies, PageError> {
        Ok(Cookies::new(self.request()?, self.0.response.clone()))
    }

    pub(crate) fn drafts(&self) -> Option<&Drafts> {
        self.0.app.drafts()
    }

    pub(crate) fn nonce(&self) -> &Arc<str> {
        &self.0.nonce
    }

    pub(crate) fn mode(&self) -> Mode {
        self.0.mode
    }

    /// The head of the request, for what is told of it; what a page reads goes by [`FromPage`].
    pub(crate) fn head(&self) -> Option<&RequestHead> {
        self.0.request.as_deref()
    }

    pub(crate) fn errors(&self) -> &Errors {
        &self.0.app.0.errors
    }

    pub(crate) fn figures(&self) -> Option<&Arc<Figures>> {
        self.0.app.0.figures.as_ref()
    }

    /// The experiments in which the visitor takes part, each with the variant shown; none while a stored page renders.
    pub(crate) fn experiments(&self) -> Vec<(String, String)> {
        let Some(head) = self.head() else { return Vec::new() };
        let cookie = |name: &str| {
            let mut sent = cookie_pairs(&head.headers);
            sent.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
        };
        let found = self.0.app.0.hooks.experiments(&cookie);
        found.into_iter().map(|(name, variant)| (name, variant.to_owned())).collect()
    }

    pub(crate) fn live_url(&self) -> Option<&str> {
        self.0.live_url.as_deref()
    }

    /// Whether the render has read something that belongs to its visitor.
    pub(crate) fn is_personal(&self) -> bool {
        self.0.personal.load(Ordering::Relaxed)
    }

    /// Notes for the mode advisor that something of the request was read. Nothing where nobody watches.
    fn reads(&self, part: Part) {
        if let Some(recording) = self.0.request.as_ref().and_then(|request| request.watched.as_ref()) {
            recording.reads(part);
        }
    }

    fn request(&self) -> Result<Arc<RequestHead>, PageError> {
        self.0.personal.store(true, Ordering::Relaxed);
        self.reads(Part::Sender);
        self.0.request.clone().ok_or_else(|| {
            let mode = self.0.mode;
            Failure::new(format!(
                "this page is `{mode}`: one render answers everybody, so there is no request to read; declare it `server` or `live`"
            ))
            .into()
        })
    }
}

/// What a page in mode `M` may take. `Kind` is inferred, and never written.
#[diagnostic::on_unimplemented(
    message = "a page in mode `{M}` cannot take `{Self}`",
    label = "not to be had in mode `{M}`",
    note = "an `ssg` or `isr` page is rendered once for everybody, so it may read path parameters, `Db`, `State`, fetches, cached functions and, in `isr`, the query that it declares by `query = Type`",
    note = "to read cookies, headers, the session or any query, declare the page `server` or `live`; or keep the page stored and read them in an island through a `#[server]` function"
)]
pub trait FromPage<M, Kind = ()>: Sized {
    /// Takes it.
    fn from_page(cx: &PageCx) -> impl Future<Output = Result<Self, PageError>> + Send;
}

/// All headers of the request.
#[derive(Debug, Clone)]
pub struct Headers(pub HeaderMap);

impl Deref for Headers {
    type Target = HeaderMap;
    fn deref(&self) -> &HeaderMap {
        &self.0
    }
}

/// The address of a file in `public/`, such as `asset("style.css")`: hashed in a build, so that it may be kept for ever.
pub fn asset(name: &str) -> String {
    PageCx::current()
        .map_or_else(|| format!("/{}", name.trim_start_matches('/')), |cx| cx.0.app.0.assets.url(name))
}

/// The path of the running live page's stream of changes; `None` while any other page renders.
pub fn live_url() -> Option<String> {
    PageCx::current().and_then(|cx| cx.live_url().map(str::to_owned))
}

/// The query, read by serde as `T`.
///
/// A `server` or `live` page reads whatever it likes. An `isr` page declares the type by `query = T`, and its entry is
/// keyed by the value alone: keys that `T` does not have are ignored, and two spellings of one value share an entry.
/// A query that cannot be read as `T` is answered with 404.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<T>(pub T);

/// Whether the visitor sees drafts: what is not published yet, rendered for them alone.
///
/// A page of any mode may take it, a stored one too: drafts are never stored, so that what is stored always saw `false`.
///
/// ```
/// use tropos_server::Draft;
/// fn condition(Draft(draft): Draft) -> &'static str {
///     if draft { "true" } else { "published_at <= now()" }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft(pub bool);

/// What hooks chose of variants: of a page's own, as it declares them by `variants = V`, in an `isr` page; of any in a
/// `server` or `live` page. The first value where no hook chose.
///
/// ```
/// tropos_edge::variant! { pub enum Button: "button" { Plain = "plain", Bold = "bold" } }
/// use tropos_server::Variant;
/// fn class(Variant(button): Variant<Button>) -> &'static str {
///     match button { Button::Plain => "plain", Button::Bold => "bold" }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant<V>(pub V);

/// A value that a hook left for the page; `None` where none did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context<T>(pub Option<T>);

/// A value that the application was given by `App::state`.
#[derive(Debug, Clone)]
pub struct State<T>(pub T);

impl<B: Backend> FromApp for Db<B> {
    fn from_app(app: &AppCx) -> Result<Self, Failure> {
        let none = || Failure::new("no database: the application declares none, see `App::migrations`");
        Ok(app.0.db.as_ref().ok_or_else(none)?.typed()?)
    }
}

impl<T: Clone + Send + Sync + 'static> FromApp for State<T> {
    fn from_app(app: &AppCx) -> Result<Self, Failure> {
        app.state().map(State)
    }
}

impl<M, B: Backend> FromPage<M> for Db<B> {
    async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
        Ok(Db::from_app(&cx.0.app)?)
    }
}

impl<M, T: Clone + Send + Sync + 'static> FromPage<M> for State<T> {
    async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
        Ok(State::from_app(&cx.0.app)?)
    }
}

impl<M> FromPage<M> for Draft {
    async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
        cx.reads(Part::Draft);
        Ok(Draft(cx.0.draft))
    }
}

impl<M, Kind, T: PathParams<Kind>> FromPage<M, Kind> for Path<T> {
    async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
        T::from_params(&cx.0.params).map(Path).ok_or(PageError::NotFound)
    }
}

fn read_query<T: DeserializeOwned>(cx: &PageCx) -> Result<Query<T>, PageError> {
    serde_urlencoded::from_str(&cx.0.inputs.query).map(Query).map_err(|_| PageError::NotFound)
}

impl<T: DeserializeOwned, V> FromPage<Isr<T, V>> for Query<T> {
    async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
        read_query(cx)
    }
}

impl<Q, V: Declared> FromPage<Isr<Q, V>> for Variant<V> {
    async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
        Ok(Variant(V::read(&cx.0.inputs.variants)))
    }
}

macro_rules! of_a_request {
    ($mode:ty) => {
        impl<V: Declared> FromPage<$mode> for Variant<V> {
            async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
                cx.reads(Part::Hooks);
                let decided = cx.request()?.decided.clone().unwrap_or_default();
                Ok(Variant(V::read(&V::key(&decided.variants))))
            }
        }

        impl<T: ContextValue> FromPage<$mode> for Context<T> {
            async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
                cx.reads(Part::Hooks);
                let decided = cx.request()?.decided.clone();
                Ok(Context(decided.map_or(Ok(None), |decided| decided.context())?))
            }
        }

        impl<T: DeserializeOwned> FromPage<$mode> for Query<T> {
            async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
                cx.reads(Part::Query);
                read_query(cx)
            }
        }

        impl FromPage<$mode> for Cookies {
            async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
                cx.reads(Part::Cookies);
                cx.cookies()
            }
        }

        impl FromPage<$mode> for Headers {
            async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
                cx.reads(Part::Headers);
                Ok(Headers(cx.request()?.headers.clone()))
            }
        }

        impl FromPage<$mode> for Session {
            async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
                cx.reads(Part::Session);
                Ok(Session::new(cx.cookies()?))
            }
        }
    };
}
of_a_request!(Server);
of_a_request!(Live);

/// Takes something of the running request outside of a page's arguments: in a `#[server]` function or a component.
///
/// ```no_run
/// # async fn f() -> Result<(), tropos_server::Error> {
/// use tropos_server::{Session, extract};
/// let session: Session = extract().await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`Error::Unavailable`] says why, while a stored page renders (there is no request) or outside of any request.
pub async fn extract<T: FromPage<Server>>() -> Result<T, Error> {
    let outside =
        "`extract` was called outside of a request: call it in a page, a component or a server function";
    let cx = PageCx::current().ok_or_else(|| Error::Unavailable(outside.to_owned()))?;
    T::from_page(&cx).await.map_err(|error| match error {
        PageError::Failed(failure) => Error::Unavailable(failure.to_string()),
        other => Error::Unavailable(format!("{other:?}")),
    })
}
