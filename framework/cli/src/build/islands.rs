//! The islands: compiled to wasm, bound to JavaScript, made small.

use super::{
    assets::Hashed,
    glue, names,
    server::Artifact,
    target::{Target, WASM},
    wasm_opt::{self, Found},
};
use crate::{
    Error, args,
    cargo::{self, Together},
    interrupt::Unfinished,
    project::Project,
    terminal::Terminal,
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use wasm_bindgen_cli_support::Bindgen;

/// The version of wasm-bindgen whose format this command reads, which must be the application's too.
pub(crate) const WASM_BINDGEN: &str = "0.2.130";

/// The names under which the manifest lists the islands' files.
pub(crate) const SCRIPT: &str = "app.js";
/// See [`SCRIPT`].
pub(crate) const MODULE: &str = "app_bg.wasm";

/// The application's feature for the browser.
pub(crate) const FEATURE: &str = "hydrate";

/// Scripts that the glue imports lie here.
const SNIPPETS: &str = "snippets";

/// What makes the module small, whatever the application's own release profile says. Stripping is wasm-bindgen's to do:
/// the linker would also strip the section from which wasm-bindgen learns which features the module uses.
const PROFILE: &str = "wasm-release";
const PROFILE_SETTINGS: &[&str] = &[
    "inherits=\"release\"",
    "opt-level=\"z\"",
    "lto=true",
    "codegen-units=1",
    "panic=\"abort\"",
    "debug=false",
    "strip=false",
];

/// The islands and the Worker are one library by one profile, and differ by a feature. Of a package that is no registry's, cargo
/// names a `cdylib` without a hash, so each would take the place of the other and both be compiled by every build. With this they
/// have names of their own and share what they depend on, which a second target folder would not. It is cargo's own, for the
/// libraries of rustc; where it is not known, all that is lost is the time.
const APART: (&str, &str) = ("__CARGO_DEFAULT_LIB_METADATA", "tropos");

/// Refuses an application whose wasm-bindgen writes another format than this command reads.
///
/// # Errors
/// [`Error::WasmBindgenVersion`].
pub(crate) fn check_version(locked: Option<&str>) -> Result<(), Error> {
    match locked {
        Some(locked) if locked != WASM_BINDGEN => {
            Err(Error::WasmBindgenVersion { locked: locked.to_owned(), own: WASM_BINDGEN })
        }
        _ => Ok(()),
    }
}

/// Compiles the library to wasm with one feature, [`FEATURE`] or that of Workers; returns where the module is.
///
/// # Errors
/// Where the code does not compile.
pub(crate) fn compile(
    project: &Project,
    feature: &str,
    debug: bool,
    target: &Target,
    together: &Together,
) -> Result<Artifact, Error> {
    let mut command = cargo::command();
    command.arg("rustc").arg("--manifest-path").arg(&project.manifest).args(arguments(
        &project.name,
        feature,
        debug,
    ));
    if !debug {
        // By the dev profile there are islands alone, and they share procedural macros with the server.
        command.env(APART.0, APART.1);
    }
    target.apply(&mut command);
    let compiled = cargo::compile(command, &project.library, together)?;
    let is_module = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    let missing =
        || Error::Project(format!("cargo compiled `{}` for {WASM} and reported no .wasm file", project.name));
    let path = compiled.files.into_iter().find(is_module).ok_or_else(missing)?;
    Ok(Artifact { path, crates: compiled.crates })
}

/// `--crate-type` makes a module of any library, so that the manifest need not say it, and the server's build does not
/// link one for nothing.
pub(crate) fn arguments(package: &str, feature: &str, debug: bool) -> Vec<String> {
    let mut words = vec!["--package", package, "--lib", "--crate-type", "cdylib", "--target", WASM];
    words.extend(["--no-default-features", "--features", feature]);
    let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    if !debug {
        words.extend(["--profile".to_owned(), PROFILE.to_owned()]);
        for setting in PROFILE_SETTINGS {
            words.extend(["--config".to_owned(), format!("profile.{PROFILE}.{setting}")]);
        }
    }
    words
}

/// Binds the module to JavaScript, in `folder`; `false` where the application exports no island.
///
/// # Errors
/// [`Error::WasmBindgen`].
pub(crate) fn bind(module: &Path, folder: &Path, debug: bool) -> Result<bool, Error> {
    let refused = |error| Error::WasmBindgen(format!("{error:#}"));
    let mut bindgen = Bindgen::new();
    let stem = SCRIPT.trim_end_matches(".js");
    bindgen.input_path(module).web(true).map_err(refused)?.typescript(false).out_name(stem);
    if !debug {
        bindgen.remove_name_section(true).remove_producers_section(true);
    }
    let mut output = bindgen.generate_output().map_err(refused)?;
    if !output.wasm().exports.iter().any(|export| is_island(&export.name)) {
        return Ok(false);
    }
    output.emit(folder).map_err(refused)?;
    Ok(true)
}

/// Leptos exports an island as its component's name and a hash in decimal digits: `Counter_7023469843210`.
fn is_island(export: &str) -> bool {
    let Some((component, hash)) = export.rsplit_once('_') else {
        return false;
    };
    let starts_a_name = component.starts_with(|c: char| c.is_alphabetic());
    starts_a_name && hash.len() >= 5 && hash.bytes().all(|byte| byte.is_ascii_digit())
}

/// The `wasm-opt` that makes the module smaller; none for debugging, or where none is at hand, which is noted.
///
/// # Errors
/// Where the one that was asked for cannot be used.
pub(crate) fn optimiser(
    options: &args::Build,
    project: &Project,
    terminal: &Terminal,
) -> Result<Option<PathBuf>, Error> {
    if options.debug {
        return Ok(None);
    }
    match wasm_opt::find(options.wasm_opt.as_deref(), &project.directory)? {
        Found::Usable(tool) => Ok(Some(tool)),
        Found::None(note) => {
            terminal.note(note);
            Ok(None)
        }
    }
}

/// Binds, optimises and names: the islands' files of a module, none where the application exports no island.
///
/// # Errors
/// Where wasm-bindgen or the optimiser refuses the module, or something cannot be written.
pub(crate) fn make(
    module: &Path,
    scratch: &Path,
    optimiser: Option<&Path>,
    debug: bool,
) -> Result<Vec<Hashed>, Error> {
    // Within the target folder, where no watcher looks.
    let folder = tempfile::tempdir_in(scratch).map_err(Error::file("making a folder in", scratch))?;
    let _unfinished = Unfinished::new(folder.path());
    if !bind(module, folder.path(), debug)? {
        return Ok(Vec::new());
    }
    if let Some(tool) = optimiser {
        wasm_opt::run(tool, &folder.path().join(MODULE))?;
    }
    files(folder.path(), debug)
}

/// The files that wasm-bindgen wrote, with hashed names.
///
/// Snippets keep their names in a folder that is named after all of them, so that they find each other.
///
/// # Errors
/// Where something cannot be read, or the glue is not JavaScript.
pub(crate) fn files(folder: &Path, debug: bool) -> Result<Vec<Hashed>, Error> {
    let read = |name: &str| fs::read(folder.join(name)).map_err(Error::file("reading", folder.join(name)));
    let mut hashed = Vec::new();
    let mut script = String::from_utf8_lossy(&read(SCRIPT)?).into_owned();
    let snippets = super::assets::collect(&folder.join(SNIPPETS))?;
    if !snippets.is_empty() {
        let mut hash = blake3::Hasher::new();
        for snippet in &snippets {
            hash.update(snippet.name.as_bytes()).update(&snippet.bytes);
        }
        let place = format!("{SNIPPETS}.{}", names::short(&hash.finalize()));
        script = script.replace(&format!("'./{SNIPPETS}/"), &format!("'./{place}/"));
        script = script.replace(&format!("\"./{SNIPPETS}/"), &format!("\"./{place}/"));
        hashed.extend(snippets.into_iter().map(|snippet| Hashed {
            file: format!("{place}/{}", snippet.name),
            name: format!("{SNIPPETS}/{}", snippet.name),
            bytes: snippet.bytes,
        }));
    }
    if !debug {
        script = glue::minify(&script)?;
    }
    for (name, bytes) in [(SCRIPT, script.into_bytes()), (MODULE, read(MODULE)?)] {
        hashed.push(Hashed {
            name: name.to_owned(),
            file: names::hashed(name, &names::content(&bytes)),
            bytes,
        });
    }
    Ok(hashed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_wasm_bindgen_is_refused_with_the_way_out() {
        assert!(check_version(None).is_ok());
        assert!(check_version(Some(WASM_BINDGEN)).is_ok());
        let error = check_version(Some("0.2.100")).unwrap_err().to_string();
        assert!(error.contains("cargo update -p wasm-bindgen --precise 0.2.130"), "{error}");
        assert!(error.contains("locked to wasm-bindgen 0.2.100"), "{error}");
    }

    #[test]
    fn the_workspace_pins_the_version_that_this_command_names() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
        let text = fs::read_to_string(manifest).unwrap();
        assert!(text.contains(&format!("wasm-bindgen-cli-support = \"={WASM_BINDGEN}\"")));
    }

    #[test]
    fn islands_are_told_from_what_every_module_exports() {
        for (export, expected) in [
            ("Counter_7023469843210", true),
            ("Add_To_Basket_18446744073709551615", true),
            ("hydrate", false),
            ("memory", false),
            ("__wbindgen_malloc", false),
            ("__wbg_intounderlyingsource_free", false),
            ("intounderlyingsink_write", false),
            ("__wasm_bindgen_func_elem_12345", false),
            ("page_2", false),
        ] {
            assert_eq!(is_island(export), expected, "{export}");
        }
    }

    #[test]
    fn a_debug_build_uses_the_dev_profile() {
        let debug = arguments("shop", FEATURE, true);
        assert!(!debug.iter().any(|word| word.contains("profile")));
        let release = arguments("shop", FEATURE, false).join(" ");
        assert!(
            release.contains("--profile wasm-release")
                && release.contains("profile.wasm-release.opt-level=\"z\"")
        );
    }

    #[test]
    fn islands_and_worker_do_not_take_the_place_of_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let package = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        let features = "[features]\nhydrate = []\nedge = []\n[workspace]\n";
        let target = format!("[build]\ntarget-dir = {:?}\n", path("target"));
        let library = "#[cfg(feature = \"edge\")]\n#[unsafe(no_mangle)]\npub extern \"C\" fn decide() {}\n";
        for (name, text) in [
            ("Cargo.toml", format!("{package}{features}")),
            (".cargo/config.toml", target),
            ("src/lib.rs", library.to_owned()),
        ] {
            fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            fs::write(path(name), text).unwrap();
        }
        let project = Project {
            name: "shop".into(),
            library: "shop".into(),
            manifest: path("Cargo.toml"),
            directory: folder.path().into(),
            target: path("target"),
            hydrates: true,
            has_edge: true,
            wasm_bindgen: None,
            out: path("dist"),
        };
        let installed = super::super::target::look().unwrap();
        let compiled = |feature: &str| {
            let compiled = compile(&project, feature, false, &installed, &Together::new(false)).unwrap();
            let decides = fs::read(&compiled.path).unwrap().windows(6).any(|bytes| bytes == b"decide");
            (compiled.crates, decides)
        };
        let made = ["hydrate", "edge", "hydrate", "edge"].map(compiled);
        assert_eq!([made[2], made[3]], [(0, false), (0, true)], "{made:?}");
    }

    #[test]
    fn snippets_move_together_with_what_the_glue_says_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let snippets = folder.path().join("snippets/shop-1234");
        fs::create_dir_all(&snippets).unwrap();
        fs::write(snippets.join("inline0.js"), "export const one = 1;").unwrap();
        fs::write(folder.path().join(MODULE), "\0asm").unwrap();
        let script = "import { one } from './snippets/shop-1234/inline0.js';\nexport default one;\n";
        fs::write(folder.path().join(SCRIPT), script).unwrap();
        let files = files(folder.path(), true).unwrap();
        let [snippet, script, module] = files.as_slice() else { panic!("{files:?}") };
        assert!(
            snippet.file.starts_with("snippets.") && snippet.file.ends_with("/shop-1234/inline0.js"),
            "{snippet:?}"
        );
        assert!(String::from_utf8_lossy(&script.bytes).contains(&format!("'./{}'", snippet.file)));
        assert!(module.file.starts_with("app_bg.") && module.file.ends_with(".wasm"));
    }
}
