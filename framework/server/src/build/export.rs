//! The `ssg` pages of a build as plain files. Where they go is the command's to decide, which knows hosts; this knows what
//! a stored page is.

use crate::{
    App, Config, Dist, Error, Site,
    dist::{BuiltPages, PAGES},
};
use bytes::Bytes;
use std::{path::Path, sync::Arc};
use tropos_cache::{Engine, Seed as _, StoredPage, http::Coding};
use tropos_core::{
    CanonicalPath, Mode, SystemClock,
    build::{Exported, ExportedPage},
};

/// Where scripts go within the folder.
const SCRIPTS: &str = "scripts";

/// Writes the bodies into `out`, and returns what they are.
///
/// # Errors
/// [`Error::Unavailable`] where there is no build beside the program; [`Error::Dist`] for a page that cannot be read, or
/// written.
pub(crate) async fn export(
    app: App,
    mut config: Config,
    dist: Option<Dist>,
    out: &Path,
) -> Result<Exported, Error> {
    let Some(dist) = dist else {
        return Err(Error::Unavailable(
            "there is no build beside this program; run `cargo tropos build` first".into(),
        ));
    };
    dist.check_pages()?;
    config.production = false;
    let clock = Arc::new(SystemClock::new());
    let site = Site::for_build(app, config, Some(dist.clone()), Engine::in_memory(clock.clone())).await?;
    let (mut exported, mut made) = (Exported::default(), 0_u64);
    let pages = out.join(PAGES);
    std::fs::create_dir_all(&pages).map_err(failed(&pages))?;
    // Under what a build makes them: without a query, and with the variants that count where none was chosen.
    let built = BuiltPages::new(&dist, clock, |pattern| {
        let page = site.table.all().iter().find(|page| page.route.pattern() == pattern);
        page.map(|page| page.route.inputs_of_build()).unwrap_or_default()
    });
    for page in site.table.all().iter().filter(|page| page.route.mode() == Mode::Ssg) {
        let (pattern, inputs) = (page.route.pattern(), page.route.inputs_of_build());
        for path in dist.pages.routes.get(pattern).into_iter().flat_map(|pages| pages.paths.keys()) {
            let entry = built.load(&inputs.key(pattern, path)).await.ok_or_else(|| {
                let missing = std::io::Error::other(format!("the page {path} cannot be read"));
                Error::Dist { path: dist.dir.join(PAGES), source: missing }
            })?;
            made += 1;
            let file = format!("{PAGES}/{made}");
            write(&out.join(&file), &body(&entry.value))?;
            exported.pages.push(ExportedPage {
                path: path.clone(),
                status: entry.value.status().as_u16(),
                headers: headers(&entry.value),
                file,
                hooked: CanonicalPath::parse(path)
                    .map_or(true, |path| !site.hooks.at_path(&path, Some(pattern)).is_empty()),
            });
        }
    }
    exported.not_found = "404".to_owned();
    write(&out.join(&exported.not_found), &body(&site.statics.not_found))?;
    std::fs::create_dir_all(out.join(SCRIPTS)).map_err(failed(out))?;
    for (name, script) in &site.scripts {
        let file = format!("{SCRIPTS}/{name}");
        write(&out.join(&file), &body(script))?;
        exported.scripts.push(file);
    }
    site.close().await;
    Ok(exported)
}

fn body(page: &StoredPage) -> Bytes {
    page.body(Coding::Identity).bytes.clone()
}

/// Those that are text, which all but exotic ones are.
fn headers(page: &StoredPage) -> Vec<(String, String)> {
    let text = page.headers().iter().filter_map(|(name, value)| Some((name, value.to_str().ok()?)));
    text.map(|(name, value)| (name.as_str().to_owned(), value.to_owned())).collect()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Dist { path, source }
}
