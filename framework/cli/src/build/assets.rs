//! From `public/` and the islands' files to hashed files with their encodings.
//!
//! [`collect`] reads, [`plan`] decides names and rewrites stylesheets, [`write()`] compresses and writes.

use super::{before::Before, compress, css, names};
use crate::Error;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tropos_core::manifest::{ASSETS_PATH, Asset};

/// Below `dist/public`: files that keep their plain names.
const ROOT: &str = "root";

/// A folder that links to one above it has no end.
const DEEPEST: usize = 32;

/// A file as the source code names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Its path below `public/`, with `/`.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// A file with the name that it is served by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hashed {
    /// The name that the source code uses.
    pub(crate) name: String,
    /// The name within `dist/public`.
    pub(crate) file: String,
    pub(crate) bytes: Vec<u8>,
}

/// What [`plan`] decided.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) files: Vec<Hashed>,
    /// References of stylesheets to files that are not there.
    pub(crate) warnings: Vec<String>,
}

/// Reads every file of a folder, sorted by name; none where there is no such folder. Names that start with a dot are
/// skipped, but for `.well-known` itself.
///
/// # Errors
/// Where something cannot be read.
pub(crate) fn collect(folder: &Path) -> Result<Vec<Source>, Error> {
    let mut sources = Vec::new();
    if folder.is_dir() {
        visit(folder, "", 0, &mut sources)?;
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

fn visit(folder: &Path, prefix: &str, depth: usize, sources: &mut Vec<Source>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::file("reading", folder))? {
        let entry = entry.map_err(Error::file("reading", folder))?;
        let path = entry.path();
        let Ok(file) = entry.file_name().into_string() else {
            return Err(Error::Project(format!(
                "the name of {} is not UTF-8, so it has no address",
                path.display()
            )));
        };
        if file.starts_with('.') && !(prefix.is_empty() && file == ".well-known") {
            continue;
        }
        let name = format!("{prefix}{file}");
        // Follows links, so that a folder of images may lie elsewhere.
        if fs::metadata(&path).map_err(Error::file("reading", &path))?.is_dir() {
            if depth == DEEPEST {
                return Err(Error::Project(format!(
                    "{} is nested too deeply; does a link lead to a folder above it?",
                    path.display()
                )));
            }
            visit(&path, &format!("{name}/"), depth + 1, sources)?;
        } else {
            let bytes = fs::read(&path).map_err(Error::file("reading", &path))?;
            sources.push(Source { name, bytes });
        }
    }
    Ok(())
}

/// Gives each file its name. A stylesheet is named after what it refers to, since its text holds their names.
///
/// # Errors
/// [`Error::CssCycle`].
pub(crate) fn plan(sources: Vec<Source>) -> Result<Plan, Error> {
    let mut waiting: BTreeMap<String, String> = BTreeMap::new();
    let mut planner = Planner::default();
    for Source { name, bytes } in sources {
        if names::extension(&name) == "css" {
            match String::from_utf8(bytes) {
                Ok(text) => drop(waiting.insert(name, text)),
                Err(other) => planner.add(name, other.into_bytes()),
            }
        } else {
            planner.add(name, bytes);
        }
    }
    while let Some(name) = waiting.keys().next().cloned() {
        planner.stylesheet(&name, &mut waiting, &mut Vec::new())?;
    }
    planner.plan.files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(planner.plan)
}

#[derive(Default)]
struct Planner {
    plan: Plan,
    /// Addresses by name.
    addresses: BTreeMap<String, String>,
}

impl Planner {
    fn add(&mut self, name: String, bytes: Vec<u8>) {
        let file = names::hashed(&name, &names::content(&bytes));
        self.addresses.insert(name.clone(), format!("{ASSETS_PATH}/{file}"));
        self.plan.files.push(Hashed { name, file, bytes });
    }

    /// Names what the stylesheet refers to, then the stylesheet.
    fn stylesheet(
        &mut self,
        name: &str,
        waiting: &mut BTreeMap<String, String>,
        open: &mut Vec<String>,
    ) -> Result<(), Error> {
        if open.iter().any(|other| other == name) {
            open.push(name.to_owned());
            return Err(Error::CssCycle(open.join(" → ")));
        }
        let Some(text) = waiting.get(name).cloned() else {
            return Ok(());
        };
        open.push(name.to_owned());
        for reference in css::references(&text) {
            if let Some((target, _)) = css::resolve(name, reference.text) {
                self.stylesheet(&target, waiting, open)?;
            }
        }
        open.pop();
        waiting.remove(name);
        let mut missing = Vec::new();
        let text = css::rewrite(&text, |reference| {
            let (target, suffix) = css::resolve(name, reference)?;
            let address = self.addresses.get(&target);
            if address.is_none() && !reference.starts_with('/') {
                missing.push(format!("public/{name} refers to {reference}, and there is no public/{target}"));
            }
            address.map(|address| format!("{address}{suffix}"))
        });
        self.plan.warnings.append(&mut missing);
        self.add(name.to_owned(), text.into_bytes());
        Ok(())
    }
}

/// What [`write()`] did.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// For the manifest.
    pub(crate) assets: BTreeMap<String, Asset>,
    /// Files that have encodings.
    pub(crate) compressed: usize,
    /// Those of them whose encodings the build before had.
    pub(crate) reused: usize,
}

/// Compresses and writes the files, on all processors; what `before` has is not compressed again.
///
/// # Errors
/// Where something cannot be written.
pub(crate) fn write(files: &[Hashed], public: &Path, before: Option<&Before>) -> Result<Written, Error> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Ok(Written::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = write_one(file, public, before);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    match (&mut *done, result) {
                        (Ok(written), Ok((asset, reused))) => {
                            let compressed = !asset.encoded.is_empty();
                            written.compressed += usize::from(compressed);
                            written.reused += usize::from(compressed && reused);
                            written.assets.insert(file.name.clone(), asset);
                        }
                        (Ok(_), Err(error)) => *done = Err(error),
                        (Err(_), _) => {}
                    }
                    if done.is_err() {
                        return;
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn write_one(file: &Hashed, public: &Path, before: Option<&Before>) -> Result<(Asset, bool), Error> {
    let known = before.and_then(|before| before.encodings(file));
    let reused = known.is_some();
    let encodings = known.unwrap_or_else(|| compress::encodings(&file.name, &file.bytes));
    let mut places = vec![public.join(&file.file)];
    if names::belongs_at_root(&file.name) {
        places.push(public.join(ROOT).join(&file.name));
    }
    for place in places {
        put(&place, &file.bytes)?;
        for encoded in &encodings {
            let mut beside = place.clone().into_os_string();
            beside.push(format!(".{}", encoded.suffix));
            put(&PathBuf::from(beside), &encoded.bytes)?;
        }
    }
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let asset = Asset {
        file: file.file.clone(),
        bytes: length(&file.bytes),
        encoded: encodings
            .iter()
            .map(|encoded| (encoded.coding.to_owned(), length(&encoded.bytes)))
            .collect(),
    };
    Ok((asset, reused))
}

/// Writes a file, and makes its folder where there is none.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
    }
    fs::write(path, bytes).map_err(Error::file("writing", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source { name: name.into(), bytes: text.into() }
    }

    fn file<'a>(plan: &'a Plan, name: &str) -> &'a Hashed {
        plan.files.iter().find(|file| file.name == name).unwrap()
    }

    fn text(plan: &Plan, name: &str) -> String {
        String::from_utf8(file(plan, name).bytes.clone()).unwrap()
    }

    #[test]
    fn a_stylesheet_refers_to_hashed_names_also_through_one_that_it_imports() {
        let plan = plan(vec![
            source("a.css", "@import \"css/z.css\"; a { b: url(/img/x.png#f) }"),
            source("css/z.css", "c { d: url('../img/x.png') }"),
            source("img/x.png", "picture"),
        ])
        .unwrap();
        let picture = format!("{ASSETS_PATH}/{}", file(&plan, "img/x.png").file);
        let inner = format!("{ASSETS_PATH}/{}", file(&plan, "css/z.css").file);
        assert_eq!(text(&plan, "css/z.css"), format!("c {{ d: url('{picture}') }}"));
        assert_eq!(text(&plan, "a.css"), format!("@import \"{inner}\"; a {{ b: url({picture}#f) }}"));
        assert!(plan.warnings.is_empty());
    }

    #[test]
    fn a_changed_picture_renames_the_stylesheets_that_lead_to_it() {
        let named = |picture: &str| {
            let plan = plan(vec![
                source("a.css", "@import \"b.css\";"),
                source("b.css", "c { d: url(x.png) }"),
                source("x.png", picture),
            ]);
            file(&plan.unwrap(), "a.css").file.clone()
        };
        assert_eq!(named("one"), named("one"));
        assert_ne!(named("one"), named("two"));
    }

    #[test]
    fn a_missing_file_is_named_and_the_reference_left() {
        let plan = plan(vec![source(
            "css/a.css",
            "a { b: url(x.png) url(https://example.com/y.png) url(/made/by/a/page) }",
        )])
        .unwrap();
        assert_eq!(
            text(&plan, "css/a.css"),
            "a { b: url(x.png) url(https://example.com/y.png) url(/made/by/a/page) }"
        );
        assert_eq!(plan.warnings, ["public/css/a.css refers to x.png, and there is no public/css/x.png"]);
    }

    #[test]
    fn stylesheets_in_a_circle_are_refused_by_name() {
        let error = plan(vec![source("a.css", "@import \"b.css\";"), source("b.css", "@import \"a.css\";")])
            .unwrap_err();
        assert!(error.to_string().contains("a.css → b.css → a.css"), "{error}");
    }

    #[test]
    fn files_are_written_with_encodings_beside_them_and_known_names_at_the_root_too() {
        let folder = tempfile::tempdir().unwrap();
        let (public, out) = (folder.path().join("public"), folder.path().join("out"));
        for (name, text) in [
            ("style.css", "a { b: c }".repeat(50)),
            ("robots.txt", "User-agent: *".to_owned()),
            (".well-known/security.txt", "Contact: mailto:security@example.com".to_owned()),
            (".DS_Store", "x".to_owned()),
            ("deep/er/.hidden", "x".to_owned()),
            ("deep/er/seen.txt", "x".to_owned()),
        ] {
            put(&public.join(name), text.as_bytes()).unwrap();
        }
        let plan = plan(collect(&public).unwrap()).unwrap();
        let assets = write(&plan.files, &out, None).unwrap().assets;

        assert_eq!(
            assets.keys().map(String::as_str).collect::<Vec<_>>(),
            [".well-known/security.txt", "deep/er/seen.txt", "robots.txt", "style.css"]
        );
        let style = &assets["style.css"];
        assert_eq!(style.bytes, 500);
        for (coding, suffix) in [("br", "br"), ("zstd", "zst"), ("gzip", "gz")] {
            let beside = out.join(format!("{}.{suffix}", style.file));
            assert_eq!(fs::metadata(beside).unwrap().len(), style.encoded[coding], "{coding}");
        }
        assert_eq!(fs::read_to_string(out.join("root/robots.txt")).unwrap(), "User-agent: *");
        assert!(out.join("root/.well-known/security.txt").is_file());
        assert!(out.join(&assets["robots.txt"].file).is_file());
    }

    #[test]
    fn no_folder_is_no_files() {
        assert_eq!(collect(Path::new("/nonexistent/public")).unwrap(), []);
    }
}
