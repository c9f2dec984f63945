//! Which change does what. Decided from paths alone.

use super::inputs::Inputs;
use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

/// Where things are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// The application's package.
    pub(crate) package: PathBuf,
    /// The workspace.
    pub(crate) workspace: PathBuf,
    /// The folders of the packages that the application is made of.
    pub(crate) packages: Vec<PathBuf>,
    /// What lies in these is made, not written: the target folder, the output of builds.
    pub(crate) made: Vec<PathBuf>,
}

/// What the last build was made of; empty before the first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Built {
    pub(crate) server: Inputs,
    pub(crate) islands: Inputs,
    /// Whether the last attempt failed: any source may be what it lacked.
    pub(crate) failed: bool,
    /// What the compiler said then. A file that it names, and that is no source, may be what it lacked, too.
    pub(crate) said: String,
}

impl Built {
    /// Takes over what a round was made of, as far as it compiled.
    pub(crate) fn learn(&mut self, server: Option<Inputs>, islands: Option<Inputs>) {
        if let Some(inputs) = server {
            self.server = inputs;
        }
        if let Some(inputs) = islands {
            self.islands = inputs;
        }
    }

    /// Whether the last attempt may have failed for want of this file.
    fn lacks(&self, name: &str) -> bool {
        // As rustc quotes it: "couldn't read `src/post.md`: No such file or directory".
        self.failed && !name.is_empty() && self.said.contains(&format!("{name}`"))
    }
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Addresses of style sheets that are to be swapped in.
    pub(crate) styles: BTreeSet<String>,
    /// Addresses of other static files.
    pub(crate) files: BTreeSet<String>,
    /// Sources that changed: their views may be all that did.
    pub(crate) sources: BTreeSet<PathBuf>,
    /// Something else changed that the application is made of: no view says what became of that.
    pub(crate) others: bool,
    /// Migrations were added, changed or removed: they are compiled in, and the compiler does not see new ones.
    pub(crate) migrations: bool,
    /// The server is to be compiled.
    pub(crate) server: bool,
    /// The islands are to be compiled.
    pub(crate) islands: bool,
    /// The process is to be started anew.
    pub(crate) restart: bool,
    /// Dependencies changed: what cargo says of the package is to be asked again.
    pub(crate) full: bool,
}

impl Plan {
    /// Whether there is anything to build or restart.
    pub(crate) fn builds(&self) -> bool {
        self.server || self.islands || self.restart
    }

    /// Whether open pages may show it before it is built, which they do where views are all that changed. What earlier rounds
    /// `owed` no page shows.
    pub(crate) fn may_be_shown(&self, owed: &Self) -> bool {
        !self.sources.is_empty() && !self.others && *owed == Self::default()
    }

    /// What is left to do where `before` was given up half-way.
    pub(crate) fn and(mut self, before: &Self) -> Self {
        self.migrations |= before.migrations;
        self.server |= before.server;
        self.islands |= before.islands;
        self.restart |= before.restart;
        self.full |= before.full;
        self
    }
}

/// Decides what a change of these files takes.
pub(crate) fn plan<'a>(
    changed: impl IntoIterator<Item = &'a PathBuf>,
    places: &Places,
    built: &Built,
) -> Plan {
    let mut plan = Plan::default();
    for path in changed {
        if !is_ignored(path, places) {
            one(path, places, built, &mut plan);
        }
    }
    plan
}

fn one(path: &Path, places: &Places, built: &Built, plan: &mut Plan) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if let Some(address) = address(path, places) {
        match ending {
            "css" => plan.styles.insert(address),
            _ => plan.files.insert(address),
        };
        // A file of `public/` may be included in the program, too.
    }
    let in_package = path.strip_prefix(&places.package).ok();
    if in_package == Some(Path::new("tropos.toml")) {
        (plan.restart, plan.others) = (true, true);
        return;
    }
    // A folder that was just made may have its file already.
    let of_cargo =
        name == ".cargo" || [".cargo/config.toml", ".cargo/config"].iter().any(|end| path.ends_with(end));
    if of_cargo || matches!(name, "Cargo.toml" | "Cargo.lock") {
        (plan.full, plan.server, plan.islands, plan.restart, plan.others) = (true, true, true, true, true);
        return;
    }
    if in_package.is_some_and(|path| path.starts_with("migrations")) && ending == "sql" {
        (plan.migrations, plan.server, plan.restart, plan.others) = (true, true, true, true);
        return;
    }
    let of = |inputs: &Inputs| inputs.contains(path) || (path.extension().is_none() && holds(inputs, path));
    let (server, islands) = (of(&built.server), of(&built.islands));
    // Before the first build, and after one that failed, nobody knows what it is made of.
    let unknown = !server && !islands && (built.failed || built.server.is_empty());
    let lacking = unknown && (ending == "rs" || built.lacks(name));
    if lacking {
        (plan.server, plan.islands, plan.restart) = (true, true, true);
    }
    if server || islands {
        plan.server |= server;
        plan.islands |= islands;
        plan.restart = true;
    }
    if server || islands || lacking {
        match ending {
            "rs" => _ = plan.sources.insert(path.to_owned()),
            _ => plan.others = true,
        }
    }
}

/// Whether a folder holds something that a build read: one that is moved is one event.
fn holds(inputs: &Inputs, folder: &Path) -> bool {
    inputs.range(folder.to_owned()..).next().is_some_and(|first| first.starts_with(folder))
}

/// The address of a file of `public/`.
fn address(path: &Path, places: &Places) -> Option<String> {
    let file = path.strip_prefix(places.package.join("public")).ok()?;
    let names: Option<Vec<&str>> = file
        .components()
        .map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    names.filter(|names| !names.is_empty()).map(|names| format!("/{}", names.join("/")))
}

/// Folders in which nothing is written by hand.
const MADE: [&str; 3] = [".git", ".tropos", "node_modules"];

/// Such folders beside a manifest. Elsewhere they may be anything, such as the module `src/target/`.
const MADE_AT_ROOTS: [&str; 2] = ["target", "dist"];

/// Whether a change says nothing: build products, the version control's own files, what editors write beside a file.
pub(crate) fn is_ignored(path: &Path, places: &Places) -> bool {
    if places.made.iter().any(|made| path.starts_with(made)) {
        return true;
    }
    let below = path.strip_prefix(&places.workspace).or_else(|_| path.strip_prefix(&places.package));
    let made = below
        .unwrap_or(path)
        .components()
        .any(|component| component.as_os_str().to_str().is_some_and(|name| MADE.contains(&name)));
    let mut roots = [&places.package, &places.workspace].into_iter().chain(&places.packages);
    let made_at_root = roots.any(|root| {
        let first = path.strip_prefix(root).ok().and_then(|below| below.components().next());
        first.and_then(|first| first.as_os_str().to_str()).is_some_and(|name| MADE_AT_ROOTS.contains(&name))
    });
    made || made_at_root || path.file_name().and_then(|name| name.to_str()).is_none_or(is_temporary)
}

/// Names by which editors keep copies, locks and half-written files.
fn is_temporary(name: &str) -> bool {
    let kept = matches!(name, ".cargo" | ".well-known");
    let vim_probe = name.len() == 4 && name.bytes().all(|byte| byte.is_ascii_digit());
    !kept
        && (name.starts_with('.')
            || name.starts_with('#')
            || name.ends_with('~')
            || vim_probe
            || [".swp", ".swx", ".tmp", ".bak", ".orig", ".part", "___jb_tmp___", "___jb_old___"]
                .iter()
                .any(|ending| name.ends_with(ending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places {
            package: "/w/shop".into(),
            workspace: "/w".into(),
            packages: vec!["/w/lib".into()],
            made: vec!["/elsewhere/out".into()],
        }
    }

    fn inputs(files: &[&str]) -> Inputs {
        files.iter().map(PathBuf::from).collect()
    }

    fn built() -> Built {
        Built {
            server: inputs(&[
                "/w/shop/src/main.rs",
                "/w/shop/src/page.rs",
                "/w/shop/src/island.rs",
                "/w/shop/public/logo.svg",
                "/w/lib/src/lib.rs",
                "/w/shop/src/deep/a.rs",
                "/w/shop/src/target/mod.rs",
            ]),
            islands: inputs(&["/w/shop/src/island.rs", "/w/shop/src/only_browser.rs"]),
            ..Built::default()
        }
    }

    /// A plan in short: `s`erver, `i`slands, `r`estart, `m`igrations, `f`ull, then styles, files, sources.
    fn short(plan: &Plan) -> String {
        let flags = [
            (plan.server, 's'),
            (plan.islands, 'i'),
            (plan.restart, 'r'),
            (plan.migrations, 'm'),
            (plan.full, 'f'),
        ];
        let mut text: String = flags.iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
        plan.styles.iter().chain(&plan.files).for_each(|file| text.push_str(&format!(" {file}")));
        plan.sources.iter().for_each(|file| text.push_str(&format!(" +{}", file.display())));
        text
    }

    #[test]
    fn each_change_takes_what_it_needs_and_no_more() {
        for (path, expected) in [
            ("/w/shop/public/style.css", " /style.css"),
            ("/w/shop/public/img/a b.png", " /img/a b.png"),
            ("/w/shop/public/.well-known/security.txt", " /.well-known/security.txt"),
            // Also compiled in.
            ("/w/shop/public/logo.svg", "sr /logo.svg"),
            ("/w/shop/src/page.rs", "sr +/w/shop/src/page.rs"),
            ("/w/shop/src/island.rs", "sir +/w/shop/src/island.rs"),
            ("/w/shop/src/only_browser.rs", "ir +/w/shop/src/only_browser.rs"),
            ("/w/lib/src/lib.rs", "sr +/w/lib/src/lib.rs"),
            // A folder that was moved.
            ("/w/shop/src/deep", "sr"),
            // Nothing was made of it: a test, a new file that no module names yet.
            ("/w/shop/tests/pages.rs", ""),
            ("/w/shop/src/new.rs", ""),
            ("/w/shop/README.md", ""),
            ("/w/shop/tropos.toml", "r"),
            // Neither the application nor the dev server reads it.
            ("/w/shop/.env", ""),
            ("/w/shop/migrations/0002_more.sql", "srm"),
            ("/w/shop/Cargo.toml", "sirf"),
            ("/w/Cargo.lock", "sirf"),
            ("/w/.cargo/config.toml", "sirf"),
            ("/w/.cargo", "sirf"),
            ("/w/shop/.cargo/config", "sirf"),
            ("/w/.cargo/registry", ""),
            ("/w/target/debug/shop", ""),
            ("/w/shop/dist/manifest.json", ""),
            ("/w/lib/target/debug/build.rs", ""),
            // Names of folders that are made, and these are not.
            ("/w/shop/src/target/mod.rs", "sr +/w/shop/src/target/mod.rs"),
            ("/w/shop/public/dist/a.css", " /dist/a.css"),
            ("/w/shop/.tropos/app.db-wal", ""),
            ("/w/.git/index.lock", ""),
            ("/w/shop/node_modules/a/style.css", ""),
            ("/elsewhere/out/x.rs", ""),
        ] {
            assert_eq!(short(&plan([&PathBuf::from(path)], &places(), &built())), expected, "{path}");
        }
    }

    #[test]
    fn what_editors_write_beside_a_file_is_no_change() {
        for name in
            ["page.rs~", ".page.rs.swp", "4913", "#page.rs#", ".#page.rs", "page.rs___jb_tmp___", "a.css.tmp"]
        {
            let path = PathBuf::from(format!("/w/shop/public/{name}"));
            assert_eq!(plan([&path], &places(), &built()), Plan::default(), "{name}");
        }
    }

    #[test]
    fn while_nothing_is_known_every_source_counts() {
        let path = PathBuf::from("/w/shop/src/new.rs");
        for built in [Built { failed: true, ..built() }, Built::default()] {
            assert_eq!(short(&plan([&path], &places(), &built)), "sir +/w/shop/src/new.rs");
        }
    }

    #[test]
    fn a_file_that_the_compiler_lacked_counts_and_others_do_not() {
        let said = "error: couldn't read `src/../content/post.md`: No such file or directory".to_owned();
        let built = Built { failed: true, said, ..built() };
        for (path, expected) in
            [("content/post.md", "sir"), ("content/other.md", ""), ("data/app.db", ""), ("tory", "")]
        {
            let path = PathBuf::from("/w/shop").join(path);
            assert_eq!(short(&plan([&path], &places(), &built)), expected, "{}", path.display());
        }
    }

    #[test]
    fn what_a_round_was_made_of_is_known_whether_or_not_it_started() {
        let new = PathBuf::from("/w/shop/src/new.rs");
        let mut built = built();
        built.learn(Some(inputs(&["/w/shop/src/main.rs", "/w/shop/src/new.rs"])), None);
        assert_eq!(short(&plan([&new], &places(), &built)), "sr +/w/shop/src/new.rs");
        let island = PathBuf::from("/w/shop/src/island.rs");
        assert_eq!(short(&plan([&island], &places(), &built)), "ir +/w/shop/src/island.rs", "as before");
    }

    #[test]
    fn pages_show_early_what_is_of_sources_alone() {
        let owed = Plan { restart: true, ..Plan::default() };
        for (paths, owed, expected) in [
            (&["/w/shop/src/page.rs"][..], Plan::default(), true),
            (&["/w/shop/src/page.rs", "/w/shop/public/style.css"], Plan::default(), true),
            (&["/w/shop/src/page.rs", "/w/shop/tests/pages.rs"], Plan::default(), true),
            (&["/w/shop/src/page.rs"], owed, false),
            (&["/w/shop/src/page.rs", "/w/shop/tropos.toml"], Plan::default(), false),
            (&["/w/shop/src/page.rs", "/w/shop/public/logo.svg"], Plan::default(), false),
            (&["/w/shop/src/page.rs", "/w/shop/migrations/1.sql"], Plan::default(), false),
            (&["/w/shop/src/page.rs", "/w/Cargo.lock"], Plan::default(), false),
            (&["/w/shop/src/page.rs", "/w/shop/src/deep"], Plan::default(), false),
            (&["/w/shop/tropos.toml"], Plan::default(), false),
        ] {
            let changed: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            assert_eq!(plan(&changed, &places(), &built()).may_be_shown(&owed), expected, "{paths:?}");
        }
    }

    #[test]
    fn what_was_given_up_is_still_to_be_done() {
        let first = Plan { islands: true, restart: true, migrations: true, ..Plan::default() };
        let second = Plan { server: true, restart: true, ..Plan::default() };
        assert_eq!(short(&second.and(&first)), "sirm");
    }
}
