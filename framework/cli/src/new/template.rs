//! The files of `app-template/`, and how they are rendered. They are part of the command, so that an installed one has them.

use super::{Database, origin::Origin};
use crate::Error;
use minijinja::{Environment, UndefinedBehavior, context, syntax::SyntaxConfig};

/// A file of the template.
struct Source {
    /// Below the template's folder. One that ends with `.jinja` is rendered, and loses the ending: files that would
    /// mean something to cargo or git where they lie have it too.
    path: &'static str,
    text: &'static str,
    when: When,
}

/// For which applications a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// It looks after its own repository: the service looks for this at the root alone.
    OwnRepository,
    Tailwind,
}

/// Names the files once: what the list lacks, a test finds in the folder.
macro_rules! sources {
    ($($when:ident $path:literal)*) => {
        &[$(Source {
            path: $path,
            text: include_str!(concat!("../../template/", $path)),
            when: When::$when,
        }),*]
    };
}

const SOURCES: &[Source] = sources! {
    Always "Cargo.toml.jinja"
    Always "README.md.jinja"
    Always ".cargo/config.toml.jinja"
    Always ".gitignore.jinja"
    OwnRepository ".github/workflows/ci.yml.jinja"
    Always "build.rs"
    Always "migrations/0001_notes.sql"
    Always "public/favicon.svg"
    Always "public/style.css"
    Always "src/actions.rs"
    Always "src/app.rs"
    Always "src/frame.rs.jinja"
    Always "src/hooks.rs"
    Always "src/islands.rs"
    Always "src/lib.rs.jinja"
    Always "src/main.rs.jinja"
    Always "src/notes.rs"
    Always "src/pages/board.rs"
    Always "src/pages/home.rs"
    Always "src/pages/lost.rs"
    Always "src/pages/mod.rs"
    Always "src/pages/note.rs"
    Always "src/pages/write.rs"
    Always "src/seed.rs"
    Tailwind "styles/app.css"
    Always "tests/pages.rs.jinja"
    Always "tropos.toml.jinja"
};

/// The sheet that is served as it is; Tailwind makes it of another, and then this is a part of that one.
const SHEET: &str = "public/style.css";
const SHEET_FOR_TAILWIND: &str = "styles/site.css";

/// The oldest compiler that the framework builds with.
const RUST_VERSION: &str = env!("CARGO_PKG_RUST_VERSION");

/// All that a new application depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choices {
    /// The package's name.
    pub(crate) name: String,
    pub(crate) database: Database,
    /// The command that makes the style sheet, where Tailwind is used.
    pub(crate) tailwind: Option<String>,
    /// Whether it is a workspace of its own: profiles count there alone.
    pub(crate) own_workspace: bool,
    /// Whether it is a repository of its own.
    pub(crate) own_repository: bool,
    /// Whether Tropos comes from a release.
    pub(crate) released: bool,
    /// How `Cargo.toml` names `tropos` and `tropos-testing`.
    pub(crate) tropos: String,
    pub(crate) testing: String,
    /// What `cargo install` is to be told for the command.
    pub(crate) install: String,
}

impl Choices {
    /// An application of this name, with everything else as it is where nothing is said.
    pub(crate) fn new(name: &str, origin: &Origin) -> Self {
        let released = matches!(origin, Origin::Release { .. });
        Self {
            name: name.to_owned(),
            database: Database::Sqlite,
            tailwind: None,
            own_workspace: true,
            own_repository: true,
            released,
            tropos: origin.dependency("tropos"),
            testing: match origin {
                Origin::Release { .. } => origin.dependency("tropos-testing"),
                Origin::Checkout { .. } => origin.dependency("testing"),
            },
            install: origin.install(),
        }
    }

    fn is_for(&self, when: When) -> bool {
        match when {
            When::Always => true,
            When::OwnRepository => self.own_repository,
            When::Tailwind => self.tailwind.is_some(),
        }
    }
}

/// A file of the new application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Below its folder, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All files of an application.
///
/// # Errors
/// Where the template itself is at fault.
pub(crate) fn render(choices: &Choices) -> Result<Vec<File>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(syntax().map_err(unfit)?);
    // TOML, Markdown and Rust: nothing here is HTML.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let context = context! {
        name => choices.name.as_str(),
        krate => krate(&choices.name),
        title => title(&choices.name),
        postgres => choices.database == Database::Postgres,
        tailwind => choices.tailwind.is_some(),
        tailwind_command => choices.tailwind.as_deref(),
        own_workspace => choices.own_workspace,
        released => choices.released,
        tropos => choices.tropos.as_str(),
        testing => choices.testing.as_str(),
        install => choices.install.as_str(),
        rust_version => RUST_VERSION,
    };
    let mut files = Vec::new();
    for source in SOURCES.iter().filter(|source| choices.is_for(source.when)) {
        let (path, text) = match source.path.strip_suffix(".jinja") {
            Some(path) => {
                let text = environment.render_named_str(source.path, source.text, &context);
                (path, text.map_err(unfit)?)
            }
            None => (source.path, source.text.to_owned()),
        };
        if path == SHEET && choices.tailwind.is_some() {
            files.push(File { path: SHEET_FOR_TAILWIND.to_owned(), text: text.clone() });
        }
        files.push(File { path: path.to_owned(), text });
    }
    Ok(files)
}

/// The template is a part of this command, so that only a mistake in it can lead here.
fn unfit(source: minijinja::Error) -> Error {
    Error::Template { name: "a new application".into(), source: Box::new(source) }
}

/// A line that holds a condition alone leaves nothing behind.
fn syntax() -> Result<SyntaxConfig, minijinja::Error> {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()
}

/// The name as code has it.
pub(crate) fn krate(name: &str) -> String {
    name.replace('-', "_")
}

/// The name as people have it: `my-shop` is "My shop".
fn title(name: &str) -> String {
    let words = name.replace(['-', '_'], " ");
    let mut letters = words.trim().chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

#[cfg(test)]
mod tests;
