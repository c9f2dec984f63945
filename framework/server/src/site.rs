//! An application as it runs: everything that answering takes, opened once.

use crate::{
    app::App,
    business,
    config::Config,
    database,
    dev::Watch,
    dispatch::ready::Index,
    dist::{BuiltPages, Dist},
    draft::Drafts,
    edge::{
        Native,
        policy::{self, Policies},
    },
    error::Error,
    errors::Errors,
    meter::{Meter, Teller},
    page::{AppCx, PageCx, extract::PageParts, inputs::Inputs},
    render::{self, Assets, Document, Layout},
    request::{RequestHead, ResponseHead},
    routing::{PageRoute, Table},
    seen::Seen,
    statics::Statics,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tropos_cache::{
    DiskConfig, Engine, EngineConfig, Purpose, RedisStore, Scope, Seed, SharedConfig, StoredPage,
    store::memory::Memory,
};
use tropos_core::{Clock, Failure, Mode, Params, Pattern, manifest::Manifest};
use tropos_db::{Db, bridge::Bridge};
use tropos_edge::Hooks;
use tropos_live::{Hub, Limits, Pending};
use tropos_telemetry::{business::Figures, metrics::Push, trace::Tracer};

/// Bound of the hashed files in memory, in bytes: the scripts, styles and wasm of some dozens of pages in all encodings.
const FILE_BYTES: u64 = 8 << 20;

/// The last numbers are sent within this: a dead collector must not hold up the end.
const LAST_PUSH: Duration = Duration::from_secs(2);

/// An application as it runs.
pub struct Site {
    pub(crate) table: Table,
    pub(crate) engine: Engine,
    pub(crate) cx: AppCx,
    pub(crate) statics: Statics,
    pub(crate) listed: Listed,
    pub(crate) api: Option<axum::Router>,
    /// What stands in front of everything.
    pub(crate) hooks: Hooks,
    pub(crate) platform: Native,
    pub(crate) policies: Policies,
    /// The paths of files that keep their plain name.
    pub(crate) root_files: HashSet<String>,
    /// The scripts that are built in, by their hashed names.
    pub(crate) scripts: Vec<(String, StoredPage)>,
    pub(crate) hub: Hub,
    /// Renders at a time for streams whose page is not at hand: as many as the hub makes.
    pub(crate) first_renders: tokio::sync::Semaphore,
    /// Hashed files that were asked for: in memory, so that they are answered as pages are.
    pub(crate) files: Memory<StoredPage>,
    /// Targets that a stored page or a file answered before.
    pub(crate) index: Index,
    pub(crate) pending: Pending<crate::dispatch::live::Mark>,
    pub(crate) dist: Option<Dist>,
    /// What the dev server made in place of a build: the islands' files, and nothing else.
    pub(crate) dev_files: Option<Dist>,
    pub(crate) config: Config,
    db: Option<Db>,
    /// Where the database has replicas: by what visitors read their own writes.
    pub(crate) seen: Option<Seen>,
    /// What watches the answers of pages: in development, and for the mode advisor.
    pub(crate) watch: Option<Arc<Watch>>,
    /// What is counted.
    pub(crate) meter: Arc<Meter>,
    /// Sends it, where a collector is named.
    push: Option<Push>,
    pub(crate) errors: Errors,
    pub(crate) figures: Arc<Figures>,
    /// What makes the trace of each request.
    pub(crate) tracer: Tracer,
    /// By which other writers of the database invalidate: one for each shard.
    _bridges: Vec<Bridge>,
}

/// The paths of routes whose pages are all known.
#[derive(Debug, Default)]
pub(crate) struct Listed(HashMap<&'static str, HashSet<String>>);

impl Listed {
    /// Whether `path` is a page of the route; the pattern alone decides where nothing was listed.
    pub(crate) fn has(&self, page: &PageRoute, path: &str) -> bool {
        !page.route.is_closed() || self.0.get(page.route.pattern()).is_none_or(|paths| paths.contains(path))
    }
}

impl Site {
    /// Opens everything that `app` needs.
    ///
    /// # Errors
    /// What is wrong with the application, its configuration, database, cache or build.
    pub async fn open(
        app: App,
        config: Config,
        dist: Option<Dist>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, Error> {
        let mut app = app.configured(&config);
        dist.as_ref().map_or(Ok(()), Dist::check_pages)?;
        let routes = app.routes()?;
        let inputs = |pattern: &str| {
            let route = routes.iter().find(|(route, _)| route.pattern() == pattern);
            route.map(|(route, _)| route.inputs_of_build()).unwrap_or_default()
        };
        let seed = dist
            .as_ref()
            .map(|dist| Arc::new(BuiltPages::new(dist, clock.clone(), inputs)) as Arc<dyn Seed<_>>);
        let engine_config = EngineConfig {
            build_id: dist.as_ref().map_or_else(|| "dev".to_owned(), |dist| dist.manifest.build_id.clone()),
            memory_bytes: config.cache_bytes,
            shared: dist
                .as_ref()
                .and(config.redis_url.as_deref())
                .map(|url| shared(url, &config))
                .transpose()?,
            // Without a build there is no build id, so entries of another program would be read as this one's.
            disk: dist
                .as_ref()
                .map(|_| DiskConfig { dir: config.cache_dir.clone(), bytes: config.cache_disk_bytes }),
            ..EngineConfig::default()
        };
        let engine = Engine::open(engine_config, clock.clone(), seed).await?;
        let manifest = dist.as_ref().map(|dist| dist.manifest.clone());
        Self::assemble(&mut app, config, dist, manifest, engine).await?.listed().await
    }

    /// An application over an engine that stands already.
    ///
    /// # Errors
    /// As [`Site::open`].
    pub async fn over(app: App, config: Config, engine: Engine) -> Result<Arc<Self>, Error> {
        let mut app = app.configured(&config);
        Self::assemble(&mut app, config, None, None, engine).await?.listed().await
    }

    /// An application that makes the pages of its build: with the build's files, and a store that nobody keeps. Nothing is
    /// listed, since a build names every list that fails, and not the first alone.
    pub(crate) async fn for_build(
        app: App,
        mut config: Config,
        dist: Option<Dist>,
        engine: Engine,
    ) -> Result<Arc<Self>, Error> {
        let mut app = app.configured(&config);
        let manifest = dist.map(|dist| dist.manifest);
        // What others have changed is for the instances that serve: a build would take it and tell nobody.
        app.other_writers = false;
        // What fails in a build is said by the build.
        app.on_error.clear();
        config.sentry = Default::default();
        config.telemetry = Default::default();
        Self::assemble(&mut app, config, None, manifest, engine).await.map(Arc::new)
    }

    async fn assemble(
        app: &mut App,
        mut config: Config,
        dist: Option<Dist>,
        manifest: Option<Manifest>,
        engine: Engine,
    ) -> Result<Self, Error> {
        render::install();
        // A change of the islands comes with a new process: what this one has rendered names the files that there were.
        let dev_files = config.dev.as_deref().map(Dist::of_dev_server).transpose()?.flatten();
        let manifest = manifest.or_else(|| dev_files.as_ref().map(|dist| dist.manifest.clone()));
        let routes = app.routes()?;
        app.hooks.check()?;
        if app.reads_redirects && config.edge_keys.is_some() {
            return Err(crate::edge::table_behind_worker().into());
        }
        app.hooks.check_functions(crate::dispatch::function_paths())?;
        let db = database::open(app, &config).await?;
        let bridges = database::bridges(app, &engine, &config)?;
        let mut parts = std::mem::take(&mut app.parts);
        let seen = database::follow(db.as_ref(), &engine, &config).await?;
        parts.db = db.clone();
        let assets = Arc::new(Assets::new(manifest));
        parts.assets = assets.clone();
        parts.drafts =
            config.draft_secret.as_deref().map(|secret| Drafts::new(secret, engine.clock().clone()));
        let figures = business::open(engine.clock().clone());
        parts.figures = Some(figures.clone());
        parts.hooks = app.hooks.clone();
        let document = |layouts: Vec<Layout>| Document { layouts: layouts.into(), assets: assets.clone() };
        let shell = document(app.shell.iter().cloned().collect());
        let table =
            Table::new(routes.into_iter().map(|(route, layouts)| (route, document(layouts))).collect())?;
        let release = crate::errors::release(&config, &table);
        config.telemetry.identify(&tropos_telemetry::config::instance_id(), release.as_deref());
        let errors = Errors::start(app, &config, &table, engine.clock().clone())?;
        parts.errors = errors.clone();
        let meter = Meter::new(&table, config.is_https());
        engine.observe(Teller(meter.clone(), errors.clone()));
        let push = meter.push(&config.telemetry, engine.clock());
        if let Some(db) = &db {
            db.observe(Teller(meter.clone(), errors.clone()));
        }
        tropos_fetch::install(
            &engine,
            tropos_fetch::Config::default()
                .allow(config.fetch_allow.clone())
                .in_development(!config.production)
                .headers(tropos_telemetry::trace::inject)
                .observer(Teller(meter.clone(), errors.clone())),
        );
        let cx = AppCx::new(parts);
        let statics = Statics::render(app, &shell, &cx, &engine).await;
        let clock = engine.clock().clone();
        let watch = Watch::open(&config, &table, clock.clone());
        let tracer = Tracer::new(&config.telemetry(), clock.clone()).unwrap_or_else(|error| {
            tracing::error!(%error, "nothing is told of requests");
            Tracer::off(clock.clone())
        });
        Ok(Self {
            listed: Listed::default(),
            table,
            cx,
            statics,
            root_files: dist.as_ref().map(crate::dispatch::root_files).unwrap_or_default(),
            api: app.api.take().map(crate::dispatch::named_api),
            scripts: crate::dispatch::scripts(),
            hub: Hub::default(),
            first_renders: tokio::sync::Semaphore::new(Limits::default().renders),
            files: Memory::new(FILE_BYTES, usize::MAX),
            // In development a file may appear at any time where a page was; and while routes are counted, hits are answered
            // where they can be.
            index: Index::new(config.production && watch.is_none() && !config.tells_of_traces()),
            hooks: std::mem::take(&mut app.hooks),
            policies: Policies::new(),
            platform: Native::new(engine.clone(), app.lookup.take()),
            pending: Pending::new(clock),
            engine,
            dist,
            dev_files,
            config,
            _bridges: bridges,
            db,
            seen,
            watch,
            push,
            meter,
            errors,
            figures,
            tracer,
        })
    }

    /// With the pages of closed routes, and ready to answer.
    async fn listed(self) -> Result<Arc<Self>, Error> {
        let listed = self.list().await?;
        let site = Arc::new(Self { listed, ..self });
        site.warm_what_is_invalidated();
        site.count();
        Ok(site)
    }

    /// The pages of routes that are closed: those of the build, or, without one, those that their functions list now.
    async fn list(&self) -> Result<Listed, Error> {
        let mut listed = HashMap::new();
        for page in self.table.all().iter().filter(|page| page.route.is_closed()) {
            let paths = match &self.dist {
                Some(dist) => {
                    let pages = dist.pages.routes.get(page.route.pattern());
                    pages
                        .map(|pages| pages.paths.keys().chain(&pages.unmade).cloned().collect())
                        .unwrap_or_default()
                }
                None => self.paths_of(page).await.map_err(|failure| {
                    Error::Prerender(vec![tropos_core::build::PageFailure {
                        route: page.route.pattern().to_owned(),
                        path: page.route.pattern().to_owned(),
                        params: Default::default(),
                        cause: failure.to_string(),
                    }])
                })?,
            };
            listed.insert(page.route.pattern(), paths);
        }
        Ok(Listed(listed))
    }

    /// The paths that a build makes of a page: those that its function lists, or its one path.
    pub(crate) async fn paths_of(&self, page: &PageRoute) -> Result<HashSet<String>, Failure> {
        match &page.route.spec.prerender {
            Some(listing) => {
                let scope = Scope::new(&self.engine, Purpose::Action);
                let values = scope.run(listing(self.cx.clone())).await?;
                Ok(values.iter().map(|values| page.pattern.fill(values)).collect())
            }
            None => Ok(HashSet::from_iter(only_path(&page.pattern))),
        }
    }

    /// The engine under this application: to invalidate, to turn a test's clock.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The figures of the application's trade since the start.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The database, where the application has one.
    pub fn db(&self) -> Option<&Db> {
        self.db.as_ref()
    }

    /// What a render or server function runs in.
    pub(crate) fn page_cx(
        &self,
        mode: Mode,
        params: Params,
        inputs: Inputs,
        request: Option<Arc<RequestHead>>,
        live_url: Option<String>,
    ) -> (PageCx, Arc<ResponseHead>) {
        let response = ResponseHead::open();
        let draft = request.as_ref().is_some_and(|request| request.draft);
        let parts = PageParts {
            app: self.cx.clone(),
            mode,
            params,
            inputs,
            request,
            response: response.clone(),
            live_url,
            nonce: policy::new_nonce(),
            draft,
            // Nobody else may be sent what a draft shows.
            personal: AtomicBool::new(draft),
        };
        (PageCx::new(parts), response)
    }

    /// What the draft of a stored page is rendered in: as for what is stored, there is no request to read.
    pub(crate) fn draft_cx(&self, mode: Mode, params: Params, inputs: Inputs) -> PageCx {
        PageCx::new(PageParts {
            app: self.cx.clone(),
            mode,
            params,
            inputs,
            request: None,
            response: ResponseHead::open(),
            live_url: None,
            nonce: policy::new_nonce(),
            draft: true,
            personal: AtomicBool::new(true),
        })
    }

    /// Lets everything end in order: pending entries are written, connections closed.
    pub async fn close(&self) {
        let pushed = async {
            if let Some(push) = &self.push {
                push.close(LAST_PUSH).await;
            }
        };
        tokio::join!(self.tracer.close(crate::traces::FLUSH), pushed);
        self.engine.shutdown().await;
        self.errors.flush().await;
        if let Some(db) = &self.db {
            db.close().await;
        }
    }
}

/// The store that instances share.
fn shared(url: &str, config: &Config) -> Result<SharedConfig, Error> {
    let store = Arc::new(RedisStore::open(url)?);
    Ok(SharedConfig {
        degraded: config.degraded,
        memo: Some(config.cache_dir.clone()),
        ..SharedConfig::new(store)
    })
}

/// The path of a page without parameters.
fn only_path(pattern: &Pattern) -> Option<String> {
    pattern.names().next().is_none().then(|| pattern.fill::<&str>([]))
}
