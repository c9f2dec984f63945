//! `cargo tropos build --edge workers`: the hooks as a Worker, in `dist/worker/`.
//!
//! The application's library is compiled for wasm with its feature `edge` alone: hooks, and no page, no database, no secret. Always for size,
//! by `--debug` too: what is tried out is then what is deployed, and the bound of its size holds for it.

use super::{
    glue, islands, target,
    wasm_opt::{self, Found},
};
use crate::{
    Error, args,
    cargo::Together,
    project::Project,
    table::Route,
    terminal::{self, Terminal},
};
use flate2::{Compression, write::GzEncoder};
use std::{fs, io::Write as _, path::Path};
use tropos_core::manifest::Manifest;
use wasm_bindgen_cli_support::Bindgen;

/// The folder within a build.
pub(crate) const FOLDER: &str = "worker";

/// The application's feature.
pub(crate) const FEATURE: &str = "edge";

/// A Worker is at most this large, compressed, in bytes: each location of a CDN loads and compiles it before its first answer, and the
/// smallest plans take three times as much.
const LARGEST: u64 = 300_000;

const SCRIPT: &str = "index.js";
const GLUE: &str = "hooks.js";
const MODULE: &str = "hooks_bg.wasm";
const ROUTES: &str = "routes.json";

/// Compiles the hooks and writes the Worker into the build.
///
/// # Errors
/// Where the application has no feature `edge`, the hooks do not compile without the server, or the Worker is too large.
pub(crate) fn make(
    options: &args::Build,
    project: &Project,
    manifest: &Manifest,
    routes: &[Route],
    dist: &Path,
    terminal: &Terminal,
) -> Result<(), Error> {
    if !project.has_edge {
        return Err(Error::Project(format!(
            "`{}` has no feature `{FEATURE}`: add `{FEATURE} = [\"tropos/{FEATURE}\"]` to its features, put the hooks into a \
             module that needs nothing of the server, and name them by `tropos::edge::worker!` in its library",
            project.name
        )));
    }
    let target = target::ensure(terminal)?;
    let module = terminal.phase("worker", "compiling the hooks for the edge", |_| {
        islands::compile(project, FEATURE, false, &target, &Together::new(false))
    })?;
    let folder = dist.join(FOLDER);
    fs::create_dir_all(&folder).map_err(Error::file("making", &folder))?;
    bind(&module.path, &folder)?;
    match wasm_opt::find(options.wasm_opt.as_deref(), &project.directory)? {
        Found::Usable(tool) => wasm_opt::run(&tool, &folder.join(MODULE))?,
        // Said already where the islands were to be optimised as well.
        Found::None(note) if options.debug || !project.hydrates => terminal.note(note),
        Found::None(_) => {}
    }
    let read =
        |name: &str| fs::read_to_string(folder.join(name)).map_err(Error::file("reading", folder.join(name)));
    let written = [
        (SCRIPT, include_str!("index.js").to_owned()),
        (GLUE, glue::minify(&read(GLUE)?)?),
        (ROUTES, listed(manifest, routes)),
        ("config.capnp", include_str!("config.capnp").to_owned()),
        ("wrangler.toml", include_str!("wrangler.toml").replace("NAME", &project.name)),
    ];
    for (name, text) in written {
        fs::write(folder.join(name), text).map_err(Error::file("writing", folder.join(name)))?;
    }
    let size = compressed(&folder)?;
    if size > LARGEST {
        return Err(Error::Project(format!(
            "the Worker is {} compressed, and may be {} at most: hooks should need few crates, and no large tables",
            terminal::bytes(size),
            terminal::bytes(LARGEST)
        )));
    }
    terminal.note(format_args!("the Worker in {FOLDER}/ is {} compressed", terminal::bytes(size)));
    Ok(())
}

fn bind(module: &Path, folder: &Path) -> Result<(), Error> {
    let refused = |error| Error::WasmBindgen(format!("{error:#}"));
    let mut bindgen = Bindgen::new();
    let stem = GLUE.trim_end_matches(".js");
    bindgen.input_path(module).web(true).map_err(refused)?.typescript(false).out_name(stem);
    bindgen.remove_name_section(true).remove_producers_section(true);
    let mut output = bindgen.generate_output().map_err(refused)?;
    if !output.wasm().exports.iter().any(|export| export.name == "decide") {
        return Err(Error::Project(format!(
            "the library names no hooks for the edge: write `#[cfg(feature = \"{FEATURE}\")] tropos::edge::worker!(|_| hooks());` in it"
        )));
    }
    output.emit(folder).map_err(refused)
}

/// The routes as the Worker reads them.
fn listed(manifest: &Manifest, routes: &[Route]) -> String {
    let routes: Vec<_> = routes
        .iter()
        .map(|route| serde_json::json!({ "pattern": route.pattern, "mode": route.mode }))
        .collect();
    serde_json::json!({ "build": manifest.build_id, "routes": routes }).to_string()
}

/// How long the files are that a location loads, each by gzip, in bytes.
fn compressed(folder: &Path) -> Result<u64, Error> {
    let mut size = 0;
    for name in [SCRIPT, GLUE, MODULE, ROUTES] {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(Error::file("reading", &path))?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let done = encoder.write_all(&bytes).and_then(|()| encoder.finish());
        size += done.map_err(Error::file("compressing", &path))?.len() as u64;
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_a_module_and_names_the_files_that_are_written() {
        let script = include_str!("index.js");
        assert!(glue::minify(script).is_ok());
        for name in [GLUE, MODULE, ROUTES] {
            assert!(script.contains(&format!("\"./{name}\"")), "{name}");
            assert!(include_str!("config.capnp").contains(&format!("embed \"{name}\"")), "{name}");
        }
        assert!(include_str!("wrangler.toml").contains(SCRIPT));
    }
}
