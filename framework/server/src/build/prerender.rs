//! Renders every page that a build can make, in parallel.

use super::measure::{self, Scale};
use crate::{
    App, Config, Dist, Error, Site,
    dispatch::render_to_store,
    dist::{INDEX, PAGES},
    render::BUILT_IN,
    routing::PageRoute,
};
use futures::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tropos_cache::{Engine, Entry, Meta, Purpose, Scope, Stamp, decide::effective_revalidate, http::Coding};
use tropos_core::{
    CanonicalPath, Failure, Key, Mode, Revalidate, SystemClock, Tags,
    build::{PageFailure, Prerendered},
    manifest::{Islands, Manifest, PageIndex, RoutePages, VERSION},
};

/// Renders that run at a time. They mostly wait for data; more of them would only crowd the data's source.
const AT_A_TIME: usize = 64;

/// A page that takes longer has failed, as it would have in a running server.
const RENDER_TIMEOUT: Duration = Duration::from_secs(30);

/// How the pages of a build are made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Options {
    /// Where `pages/` goes; beside the program unless given.
    pub(crate) out: Option<PathBuf>,
    /// Whether the others are made where one fails.
    pub(crate) keep_going: bool,
    /// Whether pages are weighed: each is compressed for it, a millisecond in a release build.
    pub(crate) measure: bool,
    /// Whether what became of them is printed as JSON.
    pub(crate) json: bool,
}

/// One page to make.
struct Job {
    page: Arc<PageRoute>,
    path: String,
}

/// What became of a job.
struct Done {
    route: &'static str,
    path: String,
    /// `None` where there is nothing to store: a running server makes those by itself.
    made: Option<Made>,
}

/// A page that was made.
struct Made {
    file: String,
    /// Without those that Tropos adds by itself.
    tags: Vec<String>,
    html_bytes: u64,
    has_islands: bool,
    /// Where pages are weighed.
    weight: Option<measure::Page>,
}

/// Makes the pages of `app` into `pages/` within the folder that `options` name, or beside the program, and writes their
/// index unless pages failed. Stops at the first that fails unless it is to go on.
///
/// A page that answers "not found" is left out, and so is an `isr` page that redirects: a running server asks those
/// again, and an `ssg` page that was not found stays so until the next build.
///
/// # Errors
/// Where the application cannot be opened, or nothing can be written. Pages that failed are no error here.
pub(crate) async fn prerender(
    app: App,
    mut config: Config,
    dist: Option<Dist>,
    options: Options,
) -> Result<Prerendered, Error> {
    let out = match (options.out, &dist) {
        (Some(out), _) => out,
        (None, Some(dist)) => dist.dir.clone(),
        (None, None) => std::env::current_dir()?,
    };
    // Nothing is kept but the pages, so the store may be small; and a build does not open the cache of a server.
    config.production = false;
    let engine = Engine::in_memory(Arc::new(SystemClock::new()));
    let manifest = dist.as_ref().map(|dist| dist.manifest.clone());
    let site = Site::for_build(app, config, dist, engine).await?;
    let folder = out.join(PAGES);
    for shard in 0..=u8::MAX {
        let path = folder.join(format!("{shard:02x}"));
        std::fs::create_dir_all(&path).map_err(|source| Error::Dist { path, source })?;
    }
    let scale = manifest.as_ref().filter(|_| options.measure).map(|manifest| {
        let scripts = BUILT_IN.iter().map(|script| (script.file(), script.text.len() as u64));
        Arc::new(Scale::new(manifest, scripts))
    });
    let (jobs, mut failures) = jobs(&site).await;
    let count = jobs.len();
    // A list that failed is as good a reason to stop as a page.
    let jobs = if failures.is_empty() || options.keep_going { jobs } else { Vec::new() };
    let bar = ProgressBar::new(jobs.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} pages  {per_sec}  {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    let started = tokio::time::Instant::now();
    let mut index = PageIndex { version: VERSION, routes: BTreeMap::new() };
    for page in site.table.all().iter().filter(|page| page.route.mode().is_stored()) {
        index.routes.insert(page.route.pattern().to_owned(), RoutePages::default());
    }
    // A task for each render: they run on all cores.
    let mut results = stream::iter(jobs)
        .map(|job| {
            let (site, folder, scale) = (site.clone(), folder.clone(), scale.clone());
            tokio::spawn(async move {
                let (page, path) = (job.page.clone(), job.path.clone());
                let made = make(&site, job, &folder, scale.as_deref()).await;
                made.map_err(|failure| failed(&page, path, failure.to_string()))
            })
        })
        .buffer_unordered(AT_A_TIME);
    while let Some(result) = results.next().await {
        bar.inc(1);
        match result {
            Ok(Ok(done)) => note(&mut index, done, manifest.as_ref()),
            Ok(Err(failure)) => failures.push(failure),
            Err(ended) => return Err(Error::Io(std::io::Error::other(ended))),
        }
        if !options.keep_going && !failures.is_empty() {
            break;
        }
    }
    bar.finish_and_clear();
    let spent = started.elapsed();
    let made = Prerendered {
        pages: count as u64,
        milliseconds: u64::try_from(spent.as_millis()).unwrap_or(u64::MAX),
        failures,
    };
    if !made.failures.is_empty() {
        return Ok(made);
    }
    let path = folder.join(INDEX);
    let text = serde_json::to_vec(&index).map_err(|error| Error::Io(error.into()))?;
    std::fs::write(&path, text).map_err(|source| Error::Dist { path, source })?;
    let seconds = spent.as_secs_f64();
    eprintln!("{count} pages in {seconds:.2} s, {:.0} a second", count as f64 / seconds.max(0.001));
    site.close().await;
    Ok(made)
}

/// A path that cannot be made; its parameters are what its pattern makes of it.
fn failed(page: &PageRoute, path: String, cause: String) -> PageFailure {
    // Where a list failed, the path is the pattern, which would match itself.
    let canonical = CanonicalPath::parse(&path).ok().filter(|_| path != page.route.pattern());
    let params = canonical.and_then(|canonical| page.pattern.matches(&canonical)).unwrap_or_default();
    PageFailure {
        route: page.route.pattern().to_owned(),
        path,
        params: params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        cause,
    }
}

/// The pages to make: those that are listed, and those without parameters.
async fn jobs(site: &Arc<Site>) -> (Vec<Job>, Vec<PageFailure>) {
    let (mut jobs, mut failures) = (Vec::new(), Vec::new());
    for page in site.table.all().iter().filter(|page| page.route.mode().is_stored()) {
        match site.paths_of(page).await {
            Ok(paths) => {
                let sorted: BTreeSet<String> = paths.into_iter().collect();
                jobs.extend(sorted.into_iter().map(|path| Job { page: page.clone(), path }));
            }
            Err(failure) => failures.push(failed(
                page,
                page.route.pattern().to_owned(),
                format!("its `prerender` function failed: {failure}"),
            )),
        }
    }
    (jobs, failures)
}

async fn make(site: &Arc<Site>, job: Job, folder: &Path, scale: Option<&Scale>) -> Result<Done, Failure> {
    let Job { page, path } = job;
    let canonical = CanonicalPath::parse(&path)?;
    let params = page.pattern.matches(&canonical).ok_or_else(|| {
        Failure::new(format!("the `prerender` function lists `{path}`, which is no path of this page: a parameter is empty, or has characters that no path may have"))
    })?;
    let done = |made| Done { route: page.route.pattern(), path: canonical.as_str().to_owned(), made };
    // The page without a query, which is what a plain link leads to; there is none where the query cannot do without.
    let Ok(inputs) = page.route.inputs("", &Default::default()) else { return Ok(done(None)) };
    let key = inputs.key(page.route.pattern(), canonical.as_str());
    let declared = page.route.tags(canonical.as_str(), &params);
    let scope = Scope::new(&site.engine, Purpose::Stored);
    let clock = site.engine.clock();
    let (started, started_wall) = (clock.now(), clock.wall());
    let render = scope.run(render_to_store(site.clone(), page.clone(), params, inputs));
    let too_long = |_| Failure::new(format!("it took longer than {} s", RENDER_TIMEOUT.as_secs()));
    let produced = tokio::time::timeout(RENDER_TIMEOUT, render).await.map_err(too_long)??;
    let is_ssg = page.route.mode() == Mode::Ssg;
    // A redirect of an `ssg` page is its answer; nobody asks the page again.
    if produced.negative || (produced.value.status() != http::StatusCode::OK && !is_ssg) {
        return Ok(done(None));
    }
    let reads = scope.reads();
    if reads.too_many_tags && !is_ssg {
        return Err(Failure::new(
            "the page carries more than 1,000 tags: give the whole list that it reads one tag",
        ));
    }
    let tags: Tags = declared.iter().chain(&reads.tags).cloned().collect();
    let (revalidate, expire) = match page.route.mode() {
        Mode::Isr => {
            let declared = match page.route.ages().revalidate() {
                Revalidate::Never => None,
                Revalidate::After(age) => Some(age),
            };
            (effective_revalidate(declared, started, reads.stale_at), page.route.ages().expire())
        }
        _ => (None, None),
    };
    // Made before any invalidation that a server will see.
    let meta = Meta {
        tags,
        stamp: Stamp::BUILD,
        started,
        started_wall,
        revalidate,
        expire,
        negative: false,
        cost: Duration::ZERO,
    };
    let html = produced.value.body(Coding::Identity).bytes.clone();
    let named = meta.tags.iter().filter(|tag| !tag.is_internal());
    // Only the plain body: the server makes the others when the page is first asked for.
    let plain = produced.value.with_encoded([None, None, None]);
    let made = Made {
        weight: scale.map(|scale| tokio::task::block_in_place(|| scale.weigh(plain.clone()))),
        tags: named.map(ToString::to_string).collect(),
        file: file_of(&key),
        html_bytes: html.len() as u64,
        has_islands: memchr::memmem::find(&html, b"<leptos-island").is_some(),
    };
    let bytes = Entry::new(meta, plain).encode(&key);
    let target = folder.join(&made.file);
    tokio::task::block_in_place(|| std::fs::write(&target, bytes))
        .map_err(|error| Failure::new(format!("{}: {error}", target.display())))?;
    Ok(done(Some(made)))
}

/// A name of fixed form, whatever characters the path has.
fn file_of(key: &Key) -> String {
    let hash = blake3::hash(key.as_str().as_bytes()).to_hex();
    let (shard, rest) = hash.split_at(2);
    format!("{shard}/{}.entry", rest.get(..30).unwrap_or(rest))
}

fn note(index: &mut PageIndex, done: Done, manifest: Option<&Manifest>) {
    let pages = index.routes.entry(done.route.to_owned()).or_default();
    let Some(made) = done.made else {
        pages.unmade.push(done.path);
        return;
    };
    pages.html_bytes += made.html_bytes;
    if made.has_islands
        && let Some((manifest, islands)) = manifest.and_then(|m| Some((m, m.islands.as_ref()?)))
    {
        (pages.script_bytes, pages.wasm_bytes) = island_bytes(manifest, islands);
    }
    if let Some(weight) = made.weight {
        weight.note(pages.measured.get_or_insert_default(), &done.path);
    }
    match pages.paths.is_empty() {
        true => pages.tags = made.tags,
        false => pages.tags.retain(|tag| made.tags.contains(tag)),
    }
    pages.paths.insert(done.path, made.file);
}

/// Compressed bytes of what a page with islands loads: the glue and the loader, and the wasm.
fn island_bytes(manifest: &Manifest, islands: &Islands) -> (u64, u64) {
    let bytes = |name: &str| {
        let asset = manifest.assets.get(name);
        asset.map_or(0, |asset| asset.encoded.get("br").copied().unwrap_or(asset.bytes))
    };
    (bytes(&islands.script) + tropos_live::ISLANDS_JS.len() as u64, bytes(&islands.wasm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_a_hash_of_the_key_so_no_path_leads_out_of_the_folder() {
        let file = file_of(&Key::page("/a/:b", "/a/..%2F..%2Fetc", ""));
        assert_eq!(file.len(), "ab/".len() + 30 + ".entry".len());
        assert!(!file.contains(".."));
    }
}
