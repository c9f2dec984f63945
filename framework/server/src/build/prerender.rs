//! Renders every page that a build can make, in parallel.

use crate::{
    App, Config, Dist, Error, Site,
    dispatch::render_to_store,
    dist::{INDEX, PAGES},
    error::PageFailure,
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
use tropos_cache::{
    Engine, Entry, Meta, Purpose, Scope, Stamp, StoredPage, decide::effective_revalidate, http::Coding,
};
use tropos_core::{
    CanonicalPath, Failure, Key, Mode, Revalidate, SystemClock, Tags,
    manifest::{Islands, Manifest, PageIndex, RoutePages, VERSION},
};

/// Renders that run at a time. They mostly wait for data; more of them would only crowd the data's source.
const AT_A_TIME: usize = 64;

/// A page that takes longer has failed, as it would have in a running server.
const RENDER_TIMEOUT: Duration = Duration::from_secs(30);

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
}

/// Makes the pages of `app` into `pages/` within `out`, or beside the program, and writes their index.
///
/// A page that answers "not found" is left out, and so is an `isr` page that redirects: a running server asks those
/// again, and an `ssg` page that was not found stays so until the next build.
///
/// # Errors
/// [`Error::Prerender`] with every page that failed; with `keep_going`, after all others have been made.
pub(crate) async fn prerender(
    app: App,
    mut config: Config,
    dist: Option<Dist>,
    out: Option<PathBuf>,
    keep_going: bool,
) -> Result<(), Error> {
    let out = match (out, &dist) {
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
    let (jobs, mut failures) = jobs(&site).await;
    let bar = ProgressBar::new(jobs.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} pages  {per_sec}  {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    let started = tokio::time::Instant::now();
    let count = jobs.len();
    let mut index = PageIndex { version: VERSION, routes: BTreeMap::new() };
    for page in site.table.all().iter().filter(|page| page.route.mode().is_stored()) {
        index.routes.insert(page.route.pattern().to_owned(), RoutePages::default());
    }
    // A task for each render: they run on all cores.
    let mut results = stream::iter(jobs)
        .map(|job| {
            let (site, folder) = (site.clone(), folder.clone());
            tokio::spawn(async move {
                let (route, path) = (job.page.route.pattern(), job.path.clone());
                make(&site, job, &folder).await.map_err(|failure| PageFailure {
                    route: route.to_owned(),
                    path,
                    cause: failure.to_string(),
                })
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
        if !keep_going && !failures.is_empty() {
            break;
        }
    }
    bar.finish_and_clear();
    if !failures.is_empty() {
        return Err(Error::Prerender(failures));
    }
    let path = folder.join(INDEX);
    let text = serde_json::to_vec(&index).map_err(|error| Error::Io(error.into()))?;
    std::fs::write(&path, text).map_err(|source| Error::Dist { path, source })?;
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("{count} pages in {seconds:.2} s, {:.0} a second", count as f64 / seconds.max(0.001));
    site.close().await;
    Ok(())
}

/// The pages to make: those that are listed, and those without parameters.
async fn jobs(site: &Arc<Site>) -> (Vec<Job>, Vec<PageFailure>) {
    let (mut jobs, mut failures) = (Vec::new(), Vec::new());
    for page in site.table.all().iter().filter(|page| page.route.mode().is_stored()) {
        let paths = match site.listed.paths(page) {
            Some(paths) => Ok(paths.clone()),
            None => site.paths_of(page).await,
        };
        match paths {
            Ok(paths) => {
                let sorted: BTreeSet<String> = paths.into_iter().collect();
                jobs.extend(sorted.into_iter().map(|path| Job { page: page.clone(), path }));
            }
            Err(failure) => failures.push(PageFailure {
                route: page.route.pattern().to_owned(),
                path: page.route.pattern().to_owned(),
                cause: format!("its `prerender` function failed: {failure}"),
            }),
        }
    }
    (jobs, failures)
}

async fn make(site: &Arc<Site>, job: Job, folder: &Path) -> Result<Done, Failure> {
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
    let made = Made {
        tags: named.map(ToString::to_string).collect(),
        file: file_of(&key),
        html_bytes: html.len() as u64,
        has_islands: memchr::memmem::find(&html, b"<leptos-island").is_some(),
    };
    // Only the plain body: the server makes the others when the page is first asked for.
    let headers = produced.value.headers().to_vec();
    let plain = StoredPage::new(produced.value.status(), headers, html);
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
