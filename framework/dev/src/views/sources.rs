//! The sources of an application, and what an edit of one means to the open pages.

use super::{
    ViewPatch,
    diff::{self, Pair},
    patch::Renamed,
    read::{self, Parsed},
    template,
};
use std::{collections::BTreeMap, sync::Arc};

/// What an edit of a source means to the open pages.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// Nothing: comments, whitespace, or the same text again. Nothing need be compiled.
    None,
    /// The pages can be patched now; the compile may follow behind, and changes nothing that is seen.
    Patch(Vec<ViewPatch>),
    /// Only the compiler can tell.
    Code,
}

/// The Rust sources of an application.
///
/// A path is what the compiler calls the file: relative to the folder that cargo runs rustc in, the root of the workspace
/// (or of the package, if it is in none), with the separators of the system; absolute for a package outside of it.
#[derive(Debug, Default)]
pub struct Sources {
    files: BTreeMap<String, File>,
    /// Whether a build has been announced that has not finished.
    announced: bool,
}

#[derive(Debug)]
struct File {
    /// What the running program was made from.
    compiled: Arc<Parsed>,
    /// What the open pages show: `compiled`, patched. Its views carry the ids of `compiled`.
    shown: Arc<Parsed>,
    /// What stands in the file. `None`: something that is not Rust.
    latest: Option<Arc<Parsed>>,
    /// Whether `latest` differs from `shown` by more than patches.
    dirty: bool,
    /// What stood in the file when the build that runs began; `None` for a file that came later.
    building: Option<Option<Arc<Parsed>>>,
}

impl Sources {
    /// No sources.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a source as compiled: before the first build, for each `.rs` file of the workspace that the program is made
    /// of. A text that is not Rust is taken too: all that becomes of it is [`Change::Code`]. While a build is announced,
    /// it is taken as a part of that.
    pub fn load(&mut self, path: &str, text: &str) {
        let parsed = read::parse(path, text).map(Arc::new);
        let shown = parsed.clone().unwrap_or_default();
        let dirty = parsed.is_none();
        let building = self.announced.then(|| parsed.clone());
        let file = File { compiled: shown.clone(), shown, latest: parsed, dirty, building };
        self.files.insert(path.to_owned(), file);
    }

    /// Takes a file away. That is code.
    pub fn remove(&mut self, path: &str) -> Change {
        if self.files.remove(path).is_some() { Change::Code } else { Change::None }
    }

    /// What it means that `path` now holds `text`, beyond what earlier calls told. Patches go from what the pages show.
    ///
    /// After [`Change::Code`] all changes of that file are code until [`compiled`](Self::compiled).
    pub fn change(&mut self, path: &str, text: &str) -> Change {
        let Some(file) = self.files.get(path) else {
            self.load(path, text);
            // The running program knows nothing of it, and neither does a build that has begun.
            if let Some(file) = self.files.get_mut(path) {
                (file.dirty, file.building) = (true, None);
            }
            return Change::Code;
        };
        let parsed = read::parse(path, text).map(Arc::new);
        let change = match &parsed {
            None => None,
            Some(new) if file.dirty => {
                file.latest.as_ref().is_some_and(|latest| latest.same(new)).then(Vec::new)
            }
            Some(new) => self.patches(file, new),
        };
        let pairs = change.as_ref().map(|pairs| pairs.iter().filter_map(Pair::patch).collect::<Vec<_>>());
        let adopted = match (&change, &parsed) {
            (Some(pairs), Some(new)) if !file.dirty => Some(Arc::new(new.adopting(pairs))),
            _ => None,
        };
        let Some(file) = self.files.get_mut(path) else { return Change::Code };
        file.latest = parsed;
        if let Some(adopted) = adopted {
            file.shown = adopted;
        }
        match pairs {
            None => {
                file.dirty = true;
                Change::Code
            }
            Some(patches) if patches.is_empty() => Change::None,
            Some(patches) => Change::Patch(patches),
        }
    }

    /// What a page must be told that was loaded from the running program: from what was compiled to what is shown.
    pub fn pending(&self) -> Vec<ViewPatch> {
        let pairs =
            self.files.values().filter_map(|file| diff::files(&file.compiled, &file.compiled, &file.shown));
        pairs.flatten().filter_map(|pair| pair.patch()).collect()
    }

    /// A build begins: it is made from the sources as they are now.
    pub fn building(&mut self) {
        self.announced = true;
        for file in self.files.values_mut() {
            file.building = Some(file.latest.clone());
        }
    }

    /// The build that the last [`building`](Self::building) announced has finished, and its program runs (without an
    /// announcement: one that was made from the sources as they are). Gives the new names of views, for pages that stay
    /// open.
    pub fn compiled(&mut self) -> Vec<Renamed> {
        let mut renamed = Vec::new();
        let announced = std::mem::take(&mut self.announced);
        let paths: Vec<_> = self.files.keys().cloned().collect();
        for path in paths {
            let Some(file) = self.files.get_mut(&path) else { continue };
            let built = match file.building.take() {
                Some(built) => built,
                // It came while that was built: it is not in the program, and stays code.
                None if announced => continue,
                None => file.latest.clone(),
            };
            let fresh = built.map(|built| Arc::new(built.as_compiled(&path)));
            if let Some(fresh) = &fresh
                && let Some(pairs) = diff::files(&file.shown, &file.shown, fresh)
            {
                let names =
                    pairs.iter().map(|pair| (&pair.shown.id, &pair.new.id)).filter(|(from, to)| from != to);
                renamed.extend(names.map(|(from, to)| Renamed { from: from.clone(), to: to.clone() }));
            }
            file.dirty = fresh.is_none();
            file.compiled = fresh.unwrap_or_default();
            file.shown = file.compiled.clone();
            // What was edited while it was built.
            let Some(latest) = file.latest.clone() else {
                file.dirty = true;
                continue;
            };
            let file = &self.files[&path];
            let pairs = if file.dirty { None } else { self.patches(file, &latest) };
            let shown = pairs.map(|pairs| Arc::new(latest.adopting(&pairs)));
            if let Some(file) = self.files.get_mut(&path) {
                file.dirty = shown.is_none();
                file.shown = shown.unwrap_or_else(|| file.compiled.clone());
            }
        }
        renamed
    }

    /// The views of `new` beside those that are shown, if patches lead from the one to the other, and also from what was
    /// compiled.
    fn patches<'a>(&self, file: &'a File, new: &'a Parsed) -> Option<Vec<Pair<'a>>> {
        let pairs = diff::files(&file.compiled, &file.shown, new)?;
        let first = Arc::ptr_eq(&file.compiled, &file.shown);
        let accumulated = if first { Vec::new() } else { diff::files(&file.compiled, &file.compiled, new)? };
        let all_sure = pairs.iter().chain(&accumulated).all(|pair| self.sure(pair));
        all_sure.then_some(pairs)
    }

    /// Whether what is searched for among a component's nodes can be nothing else, as far as the sources tell.
    fn sure(&self, pair: &Pair<'_>) -> bool {
        pair.needles().iter().all(|needle| {
            let views = self.files.values().flat_map(|file| file.shown.all_views());
            let places: usize = views
                .filter_map(|view| view.template.as_ref())
                .map(|template| diff::occurrences(needle.nodes, &template.nodes))
                .sum();
            places <= 1 && (!needle.lone_text || self.renders_children(needle.of))
        })
    }

    /// Whether a component takes its children as a view, and not as a string that it may use otherwise.
    fn renders_children(&self, component: &str) -> bool {
        let known = |file: &File| file.compiled.components.get(component).cloned();
        let mut definitions = self.files.values().filter_map(known).peekable();
        if definitions.peek().is_none() {
            return super::html::LEPTOS_COMPONENTS.contains(&component);
        }
        definitions.all(|children| children.contains("Children"))
    }
}

impl Pair<'_> {
    /// The patch from what is shown to what is new; none where nothing differs.
    fn patch(&self) -> Option<ViewPatch> {
        let (old, new) = self.scope.as_ref()?.clone();
        let state = |view: &template::View| view.template.as_ref().map(template::version).unwrap_or_default();
        Some(ViewPatch {
            id: self.shown.id.clone(),
            base: state(self.compiled),
            from: state(self.shown),
            to: state(self.new),
            old,
            new,
        })
    }
}
