//! `cargo tropos build`: from sources to `dist/`.
//!
//! | step | module |
//! |---|---|
//! | the server and the islands are compiled side by side | [`compile`] |
//! | the server is compiled, renders pages, names its routes | [`server`] |
//! | the islands are compiled, bound, made small, or kept | [`islands`], with [`target`], [`wasm_opt`], [`glue`], [`kept`] |
//! | files are named by content and compressed, unless they were | [`assets`], with [`names`], [`css`], [`compress`], [`before`] |
//! | the hooks are compiled for the edge, where that is asked for | [`edge`] |
//! | sizes are held to their budgets | [`budgets`] |
//! | the finished folder takes the place of the one before | [`output`] |
//! | what it came to, and what has grown | [`growth`], [`report`], [`crate::table`] |

pub(crate) mod assets;
mod before;
pub(crate) mod budgets;
mod compile;
mod compress;
mod css;
mod edge;
mod glue;
pub(crate) mod growth;
pub(crate) mod islands;
mod kept;
mod names;
pub(crate) mod output;
pub(crate) mod report;
pub(crate) mod server;
pub(crate) mod target;
pub(crate) mod wasm_opt;

use crate::{
    Error, args,
    project::Project,
    table::{self, Route},
    terminal::{self, Terminal},
};
use assets::{Hashed, Plan};
use before::{Before, Record};
use budgets::{Budgets, Measure};
use growth::Since;
use output::{DIST, Output};
use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};
use tropos_core::manifest::{self, Asset, Islands, Manifest, PageIndex};

/// A finished build.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) project: Project,
    pub(crate) profile: &'static str,
    pub(crate) routes: Vec<Route>,
    pub(crate) index: PageIndex,
    pub(crate) manifest: Manifest,
    /// What was as it is already.
    pub(crate) skipped: Vec<String>,
    /// The budgets, all of them held.
    pub(crate) measures: Vec<Measure>,
    /// What has grown; `None` where the build before was none of the same profile.
    pub(crate) since: Option<Since>,
}

/// Builds, and prints the table.
///
/// # Errors
/// Whatever a step met; `dist/` is then as it was.
pub(crate) fn run(options: &args::Build, terminal: &mut Terminal) -> Result<ExitCode, Error> {
    let result = make(options, terminal);
    if options.json {
        let value = result.as_ref().map_or_else(report::failed, |built| report::built(built, terminal));
        terminal::print(&format!("{value}\n"));
        return result.map(|_| ExitCode::SUCCESS);
    }
    let built = result?;
    let table =
        table::built(&built.routes, &built.index, &built.manifest, built.since.as_ref(), terminal.color_out);
    terminal::print(&format!("\n{table}"));
    if !built.skipped.is_empty() {
        terminal::print(&format!("  unchanged, so skipped: {}\n", built.skipped.join(", ")));
    }
    terminal::print(&format!("  {}\n", times(terminal)));
    terminal::print(&format!("  build {} in {}\n", built.manifest.build_id, built.project.out.display()));
    Ok(ExitCode::SUCCESS)
}

/// Builds.
///
/// # Errors
/// As [`run`].
pub(crate) fn make(options: &args::Build, terminal: &Terminal) -> Result<Built, Error> {
    let project = Project::find(&options.project)?;
    islands::check_version(project.wasm_bindgen.as_deref())?;
    Output::check(&project.out, DIST)?;
    let budgets = Budgets::read(&project.directory)?;
    let before = Before::read(&project.out);
    let profile = if options.debug { "dev" } else { "release" };

    let compile::Compiled { server, islands, mut skipped } = compile::run(options, &project, terminal)?;
    let output = Output::beside(&project.out, DIST)?;
    let manifest = terminal.phase("assets", "naming and compressing files", |terminal| {
        let plan = gather(&project, islands)?;
        plan.warnings.iter().for_each(|warning| terminal.note(warning));
        let written = assets::write(&plan.files, &output.path().join("public"), before.as_ref())?;
        if written.reused > 0 {
            skipped.push(format!("compressing {} of {} files", written.reused, written.compressed));
        }
        finish(&project, &server, output.path(), written.assets)
    })?;
    let server = output.path().join(project.binary());
    // Always: what pages read may have changed, and nothing here could tell.
    terminal.phase("pages", "rendering what can be rendered ahead", |_| {
        server::prerender(&project, &server, options.keep_going, !budgets.is_empty())
    })?;
    let routes = server::routes(&project, &server)?;
    let index = read_index(output.path())?;
    if options.edge.is_some() {
        edge::make(options, &project, &manifest, &routes, output.path(), terminal)?;
    }
    let measures = hold(&budgets, &project, &routes, &index, &manifest, terminal)?;
    Record { profile: profile.to_owned() }.write(output.path())?;
    let since = before
        .filter(|before| before.is_comparable(profile))
        .map(|before| growth::since(&before, &index, &manifest));
    output.publish()?;
    Ok(Built { project, profile, routes, index, manifest, skipped, measures, since })
}

/// Holds the build to its budgets.
fn hold(
    budgets: &Budgets,
    project: &Project,
    routes: &[Route],
    index: &PageIndex,
    manifest: &Manifest,
    terminal: &Terminal,
) -> Result<Vec<Measure>, Error> {
    let (measures, notes) = budgets.measure(routes, index, manifest)?;
    notes.iter().for_each(|note| terminal.note(note));
    let exceeded: Vec<_> = measures.iter().filter(|measure| measure.is_exceeded()).cloned().collect();
    match exceeded.is_empty() {
        true => Ok(measures),
        false => Err(Error::Budgets { exceeded, out: project.out.clone() }),
    }
}

/// The application's files and the islands' files.
fn gather(project: &Project, islands: Vec<Hashed>) -> Result<Plan, Error> {
    let mut plan = assets::plan(assets::collect(&project.public())?)?;
    for file in islands {
        if plan.files.iter().any(|other| other.name == file.name) {
            return Err(Error::Project(format!(
                "public/{} has the name of a file of the islands; call it something else",
                file.name
            )));
        }
        plan.files.push(file);
    }
    Ok(plan)
}

/// Puts the server and the manifest beside the assets.
fn finish(
    project: &Project,
    server: &Path,
    folder: &Path,
    assets: BTreeMap<String, Asset>,
) -> Result<Manifest, Error> {
    let binary = fs::read(server).map_err(Error::file("reading", server))?;
    let copy = folder.join(project.binary());
    fs::copy(server, &copy).map_err(Error::file("writing", &copy))?;
    let has_islands = assets.contains_key(islands::SCRIPT) && assets.contains_key(islands::MODULE);
    let manifest = Manifest {
        version: manifest::VERSION,
        build_id: build_id(&binary, &assets),
        islands: has_islands
            .then(|| Islands { script: islands::SCRIPT.into(), wasm: islands::MODULE.into() }),
        assets,
    };
    let path = folder.join(manifest::FILE);
    let json = serde_json::to_vec_pretty(&manifest)
        .map_err(|source| Error::Json { what: manifest::FILE.into(), source })?;
    fs::write(&path, json).map_err(Error::file("writing", path))?;
    Ok(manifest)
}

/// A hash over the server and the assets, whose names hold hashes over their contents.
fn build_id(binary: &[u8], assets: &BTreeMap<String, Asset>) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(blake3::hash(binary).as_bytes());
    for (name, asset) in assets {
        hash.update(name.as_bytes()).update(&[0]).update(asset.file.as_bytes()).update(&[0]);
    }
    names::short(&hash.finalize())
}

/// What the server says that it rendered; nothing where it renders nothing ahead.
fn read_index(folder: &Path) -> Result<PageIndex, Error> {
    let path = folder.join("pages/index.json");
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|source| Error::Json { what: path.display().to_string(), source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(PageIndex::default()),
        Err(error) => Err(Error::file("reading", path)(error)),
    }
}

/// Whether a file of `public/` lies under its plain name as well, at the root of the site.
pub(crate) fn at_root(name: &str) -> bool {
    names::belongs_at_root(name)
}

fn times(terminal: &Terminal) -> String {
    let mut parts: Vec<_> =
        terminal.phases().iter().map(|(name, span)| format!("{name} {}", terminal::seconds(*span))).collect();
    parts.push(format!("in all {}", terminal::seconds(terminal.elapsed())));
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_changes_with_the_server_and_with_each_asset() {
        let asset = |file: &str| Asset { file: file.into(), bytes: 1, encoded: BTreeMap::new() };
        let assets = |name: &str, file: &str| BTreeMap::from([(name.to_owned(), asset(file))]);
        let one = build_id(b"server", &assets("a.css", "a.1.css"));
        assert_eq!(one.len(), 16);
        assert_eq!(one, build_id(b"server", &assets("a.css", "a.1.css")));
        for other in [
            build_id(b"other", &assets("a.css", "a.1.css")),
            build_id(b"server", &assets("a.css", "a.2.css")),
            build_id(b"server", &assets("b.css", "a.1.css")),
            build_id(b"server", &BTreeMap::new()),
        ] {
            assert_ne!(one, other);
        }
    }
}
