//! An application: its pages and what goes around them.

use crate::{
    config::Config,
    edge::Lookup,
    error::Error,
    page::{Page, Route, extract::AppParts},
    render::Layout,
};
use futures::future::BoxFuture;
use leptos::{
    IntoView,
    prelude::{AnyView, IntoAny},
};
use std::{any::TypeId, fmt, sync::Arc};
use tropos_core::Failure;
use tropos_db::Db;
use tropos_edge::Hooks;
use tropos_telemetry::errors::{ErrorContext, ErrorReport, Listener};

/// An application: its pages and what goes around them.
///
/// ```
/// # use leptos::prelude::*;
/// use tropos_server::{App, Group};
/// fn shell(body: AnyView) -> impl IntoView {
///     view! {
///         <!DOCTYPE html>
///         <html lang="en"><head><meta charset="utf-8"/></head><body>{body}</body></html>
///     }
/// }
/// let app = App::new().shell(shell).pages(vec![]).group(Group::new().pages(vec![]));
/// ```
#[derive(Default)]
pub struct App {
    pub(crate) shell: Option<Layout>,
    pub(crate) root: Group,
    pub(crate) not_found: Option<View>,
    pub(crate) error: Option<View>,
    pub(crate) migrations: Option<tropos_db::Migrations>,
    pub(crate) seed: Option<Seed>,
    pub(crate) other_writers: bool,
    pub(crate) parts: AppParts,
    pub(crate) api: Option<axum::Router>,
    pub(crate) hooks: Hooks,
    /// Whether some of them are read from a file of this machine, which no Worker has.
    pub(crate) reads_redirects: bool,
    pub(crate) lookup: Option<Lookup>,
    configure: Vec<Configure>,
    pub(crate) on_error: Vec<Listener>,
}

/// Adds to an application what depends on its configuration.
type Configure = Box<dyn FnOnce(App, &Config) -> App + Send + Sync>;

/// Makes a view that reads nothing.
pub(crate) type View = Arc<dyn Fn() -> AnyView + Send + Sync>;

/// Fills a database that has just been migrated.
pub(crate) type Seed = Arc<dyn Fn(Db) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

/// Pages that share layouts.
#[derive(Default)]
pub struct Group {
    layouts: Vec<Layout>,
    pages: Vec<Route>,
    groups: Vec<Group>,
}

impl Group {
    /// No pages yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `layout` around the pages of this group, inside of the layouts that were given before.
    pub fn layout<V: IntoView + 'static>(
        mut self,
        layout: impl Fn(AnyView) -> V + Send + Sync + 'static,
    ) -> Self {
        self.layouts.push(Arc::new(move |inner| layout(inner).into_any()));
        self
    }

    /// Adds pages: `.pages(routes![Home, Product])`.
    pub fn pages(mut self, pages: Vec<Route>) -> Self {
        self.pages.extend(pages);
        self
    }

    /// Adds a group whose layouts stand inside of this one's.
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// All pages, each with its layouts from the innermost to the outermost.
    fn flatten(&self, outer: &[Layout], found: &mut Vec<(Route, Vec<Layout>)>) {
        let layouts: Vec<Layout> = self.layouts.iter().rev().chain(outer).cloned().collect();
        found.extend(self.pages.iter().map(|page| (page.clone(), layouts.clone())));
        self.groups.iter().for_each(|group| group.flatten(&layouts, found));
    }
}

impl App {
    /// An application without pages.
    pub fn new() -> Self {
        Self::default()
    }

    /// The document around all pages: `<html>`, `<head>` and `<body>`. Tropos adds to the head what a page needs.
    pub fn shell<V: IntoView + 'static>(
        mut self,
        shell: impl Fn(AnyView) -> V + Send + Sync + 'static,
    ) -> Self {
        self.shell = Some(Arc::new(move |body| shell(body).into_any()));
        self
    }

    /// Adds pages: `.pages(routes![Home, Product])`.
    pub fn pages(mut self, pages: Vec<Route>) -> Self {
        self.root = self.root.pages(pages);
        self
    }

    /// Adds pages that share a layout.
    pub fn group(mut self, group: Group) -> Self {
        self.root = self.root.group(group);
        self
    }

    /// What is shown where there is no page. Made once, at start.
    pub fn not_found<V: IntoView + 'static>(mut self, view: impl Fn() -> V + Send + Sync + 'static) -> Self {
        self.not_found = Some(Arc::new(move || view().into_any()));
        self
    }

    /// What is shown where a page failed. Made once, at start. Where it has the text `{trace_id}`, the request's trace stands in the answer;
    /// else that is told at the end of the body.
    pub fn error_page<V: IntoView + 'static>(mut self, view: impl Fn() -> V + Send + Sync + 'static) -> Self {
        self.error = Some(Arc::new(move || view().into_any()));
        self
    }

    /// Gives the application a database, which these migrations bring up to date at start:
    /// `.migrations(sqlx::migrate!())`.
    pub fn migrations(mut self, migrations: impl Into<tropos_db::Migrations>) -> Self {
        self.migrations = Some(migrations.into());
        self
    }

    /// Has what others write to the database invalidate tags, too: `psql`, another service, a nightly job. A migration
    /// names the tables, see [`tropos_db::bridge`]; on every shard of PostgreSQL, and without effect on SQLite.
    pub fn other_writers(mut self) -> Self {
        self.other_writers = true;
        self
    }

    /// Runs after the migrations at each start and build, before anything reads: to fill an empty database. Must be
    /// harmless when run again.
    pub fn seed<Fut>(mut self, seed: impl Fn(Db) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.seed = Some(Arc::new(move |db| Box::pin(seed(db))));
        self
    }

    /// A value that pages, listing functions and server functions take as `State<T>`.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> Self {
        self.parts.states.insert(TypeId::of::<T>(), Arc::new(state));
        self
    }

    /// Handlers beside the pages: an API, web hooks. They may invalidate, and take what they need by
    /// [`crate::extract`]. Writes from other sites are refused before they run.
    pub fn api(mut self, router: axum::Router) -> Self {
        self.api = Some(match self.api {
            Some(api) => api.merge(router),
            None => router,
        });
        self
    }

    /// What stands in front of the cache: guards, experiments, redirects. Hooks that were given before run first.
    pub fn hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = self.hooks.group(tropos_edge::Match::all(), hooks);
        self
    }

    /// Redirects and rewrites from a file: `.csv`, `.json`, or, with the feature `toml`, `.toml`, as
    /// [`Redirects`](tropos_edge::ready::redirects::Redirects) reads them. It is read here, when the application starts, and its
    /// path is by the working directory where it is not absolute; a table that has to go with the program is better written
    /// into it, by `include_str!`. Runs behind the hooks that were given before.
    ///
    /// A file that cannot be read, a line that is none, circles and rules for the same address end the start with a message
    /// that names the file and the line. So does `edge_secret`: a Worker does not have the file, and what it lets through would
    /// not be held against the table here.
    ///
    /// ```
    /// use tropos_server::App;
    /// # let folder = tempfile::tempdir()?;
    /// # let table = folder.path().join("redirects.csv");
    /// # let table = table.to_str().unwrap_or_default();
    /// # std::fs::write(table, "from,to,status\n/shop.php,/,308\n")?;
    /// let app = App::new().redirects(table);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn redirects(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.reads_redirects = true;
        let table = crate::edge::RedirectTable::read(path.into());
        self.hooks(Hooks::new().hook(table))
    }

    /// Where hooks look names up, such as flags and switches: `lookup(store, name)` gives what is kept under the name, and
    /// is waited for 5 s at most. Without it every name is unknown.
    pub fn hook_lookups<Fut>(mut self, lookup: impl Fn(String, String) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<Option<bytes::Bytes>, Failure>> + Send + 'static,
    {
        self.lookup = Some(Arc::new(move |store, name| Box::pin(lookup(store, name))));
        self
    }

    /// Adds what depends on the configuration: hooks that need a secret, a state that knows the site's address. Called once,
    /// when the configuration has been read and before anything is opened; after what the application was given directly.
    ///
    /// ```
    /// use tropos_server::App;
    /// let app = App::new().configure(|app, config| app.state(config.secret_or_new()));
    /// ```
    pub fn configure(mut self, add: impl FnOnce(App, &Config) -> App + Send + Sync + 'static) -> Self {
        self.configure.push(Box::new(add));
        self
    }

    /// The application with all that depends on its configuration. Without effect the second time.
    pub(crate) fn configured(mut self, config: &Config) -> Self {
        // What is added may ask for more.
        while !self.configure.is_empty() {
            for add in std::mem::take(&mut self.configure) {
                self = add(self, config);
            }
        }
        self
    }

    /// Is called for every error: panics, pages and renders in the background that fail, server functions, and what islands
    /// report of browsers. Not for repetitions: ten of one kind on one route pass in a minute.
    ///
    /// It runs on a thread apart, so it may wait; personal data has been taken out before. May be said several times.
    ///
    /// ```
    /// use tropos_server::App;
    /// let app = App::new().on_error(|error, context| {
    ///     eprintln!("{} in {:?}: {}", error.kind.as_str(), context.route, error.message);
    /// });
    /// ```
    pub fn on_error(
        mut self,
        listener: impl Fn(&ErrorReport, &ErrorContext) + Send + Sync + 'static,
    ) -> Self {
        self.on_error.push(Arc::new(listener));
        self
    }

    /// Adds one page.
    pub fn page<P: Page>(self) -> Self {
        self.pages(vec![P::route()])
    }

    /// All pages with their layouts, the shell last.
    ///
    /// # Errors
    /// Two pages with one path, a malformed path, `ssg` parameters that nothing lists.
    pub(crate) fn routes(&self) -> Result<Vec<(Route, Vec<Layout>)>, Error> {
        let mut found = Vec::new();
        self.root.flatten(self.shell.as_slice(), &mut found);
        for (at, (route, _)) in found.iter().enumerate() {
            let same = |other: &&(Route, Vec<Layout>)| {
                tropos_core::pattern::same_paths(other.0.pattern(), route.pattern())
            };
            if let Some((first, _)) = found.iter().take(at).find(same) {
                return Err(Error::SamePath {
                    first: first.name().to_owned(),
                    second: route.name().to_owned(),
                    pattern: route.pattern().to_owned(),
                });
            }
            let has_parameters = route.parsed_pattern()?.names().next().is_some();
            if route.mode() == tropos_core::Mode::Ssg && has_parameters && route.spec.prerender.is_none() {
                return Err(Error::NothingListed {
                    page: route.name().to_owned(),
                    pattern: route.pattern().to_owned(),
                });
            }
        }
        Ok(found)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("pages", &self.root.pages.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("pages", &self.pages.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_the_configuration_is_added_once_also_where_it_asks_for_more() {
        let app = App::new().configure(|app, config| {
            app.state(config.secret_or_new()).configure(|app, _| app.other_writers())
        });
        let config = Config { secret: Some("0123456789abcdef".to_owned()), ..Config::default() };
        let app = app.configured(&config).configured(&config);
        assert!(app.other_writers && app.configure.is_empty());
        let secret = app.parts.states.values().next().and_then(|state| state.downcast_ref::<String>());
        assert_eq!(secret, config.secret.as_ref());
    }

    #[test]
    fn a_secret_that_nobody_configured_is_long_and_another_each_time() {
        let config = Config::default();
        let secrets = [config.secret_or_new(), config.secret_or_new()];
        assert!(secrets.iter().all(|secret| secret.len() == 64) && secrets[0] != secrets[1]);
    }
}
