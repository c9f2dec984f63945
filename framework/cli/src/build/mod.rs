//! `cargo tropos build`: from sources to `dist/`.
//!
//! | step | module |
//! |---|---|
//! | the server is compiled, renders pages, names its routes | [`server`] |
//! | the islands are compiled, bound, made small | [`islands`], with [`target`], [`wasm_opt`], [`glue`] |
//! | files are named by content and compressed | [`assets`], with [`names`], [`css`], [`compress`] |
//! | the finished folder takes the place of the one before | [`output`] |
//! | what it came to | [`crate::table`] |

mod assets;
mod compress;
mod css;
mod glue;
pub(crate) mod islands;
mod names;
mod output;
pub(crate) mod server;
pub(crate) mod target;
pub(crate) mod wasm_opt;

use crate::{
    Error, args,
    project::Project,
    table,
    terminal::{self, Terminal},
};
use assets::{Hashed, Plan};
use output::Output;
use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};
use tropos_core::manifest::{self, Asset, Islands, Manifest, PageIndex};

/// Builds, and prints the table.
///
/// # Errors
/// Whatever a step met; `dist/` is then as it was.
pub(crate) fn run(options: &args::Build, terminal: &mut Terminal) -> Result<ExitCode, Error> {
    let project = Project::find(&options.project)?;
    islands::check_version(project.wasm_bindgen.as_deref())?;
    Output::check(&project.out)?;
    let profile = if options.debug { "dev" } else { "release" };

    let server = terminal.phase("server", &format!("compiling {} ({profile})", project.name), |_| {
        server::compile(&project, options.debug)
    })?;
    let islands = if project.hydrates { build_islands(options, &project, terminal)? } else { Vec::new() };
    let output = Output::beside(&project.out)?;
    let manifest = terminal.phase("assets", "naming and compressing files", |terminal| {
        let plan = gather(&project, islands)?;
        plan.warnings.iter().for_each(|warning| terminal.note(warning));
        let assets = assets::write(&plan.files, &output.path().join("public"))?;
        finish(&project, &server, output.path(), assets)
    })?;
    let server = output.path().join(project.binary());
    terminal
        .phase("pages", "rendering what can be rendered ahead", |_| server::prerender(&project, &server))?;
    let routes = server::routes(&project, &server)?;
    let index = read_index(output.path())?;
    output.publish()?;

    terminal::print(&format!("\n{}", table::built(&routes, &index, &manifest, terminal.color_out)));
    terminal::print(&format!("  {}\n", times(terminal)));
    terminal::print(&format!("  build {} in {}\n", manifest.build_id, project.out.display()));
    Ok(ExitCode::SUCCESS)
}

/// Compiles the islands; no files where the application exports none.
fn build_islands(
    options: &args::Build,
    project: &Project,
    terminal: &mut Terminal,
) -> Result<Vec<Hashed>, Error> {
    let debug = options.debug;
    let module = terminal.phase("islands", "compiling for the browser", |terminal| {
        islands::compile(project, debug, terminal)
    })?;
    // Within the target folder, where no watcher looks.
    let parent = &project.target;
    let folder = tempfile::tempdir_in(parent).map_err(Error::file("making a folder in", parent))?;
    terminal.phase("wasm", "binding and optimising", |terminal| {
        if !islands::bind(&module, folder.path(), debug)? {
            return Ok(Vec::new());
        }
        islands::optimise(options, project, folder.path(), terminal)?;
        islands::files(folder.path(), debug)
    })
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

fn times(terminal: &Terminal) -> String {
    let mut parts: Vec<_> =
        terminal.phases.iter().map(|(name, span)| format!("{name} {}", terminal::seconds(*span))).collect();
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
