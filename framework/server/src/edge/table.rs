//! A table of redirects from a file, read when the application starts.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};
use tropos_core::CanonicalPath;
use tropos_edge::{EdgeRequest, Edits, Error, Hook, Platform, Verdict, ready::redirects::Redirects};

/// A longer file is no table: 100,000 rules are some ten megabytes.
const LONGEST: u64 = 32 << 20;

/// The table, or why there is none: an application whose table is wrong does not start.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    read: Result<Redirects, String>,
}

impl Table {
    /// Reads the file, by the ending of its name.
    pub(crate) fn read(path: PathBuf) -> Self {
        let read = text(&path).and_then(|text| parsed(&path, &text));
        if let Ok(table) = &read {
            let notes = table.notes().iter();
            notes.for_each(
                |note| tracing::info!(table = %path.display(), note, "a redirect could be written shorter"),
            );
        }
        Self { path, read }
    }

    fn wrong(&self, problem: &str) -> Error {
        // What the table itself says begins with its hook's name.
        let problem = problem.strip_prefix("the hook `redirects`: ").unwrap_or(problem);
        let problem = format!("{}: {problem}", self.path.display());
        Error::Configured { hook: "redirects".to_owned(), problem }
    }
}

/// Why there is no such table where hooks run at the edge: a Worker has no files, and its word takes the place of all hooks here.
pub(crate) fn behind_worker() -> Error {
    let problem = "`App::redirects` reads a file that a Worker does not have, so with `edge_secret` nothing would run it: write the \
                   table into the hooks by `Redirects::from_csv(include_str!(…))`, or leave `edge_secret` out";
    Error::Configured { hook: "redirects".to_owned(), problem: problem.to_owned() }
}

fn text(path: &Path) -> Result<String, String> {
    let unread = |error: std::io::Error| {
        let here = std::env::current_dir().unwrap_or_default();
        format!("it cannot be read in {}: {error}", here.display())
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unread)?;
    let length = file.take(LONGEST + 1).read_to_string(&mut text).map_err(unread)?;
    match length as u64 > LONGEST {
        true => Err("it is longer than 32 MiB, and no table".to_owned()),
        false => Ok(text),
    }
}

fn parsed(path: &Path, text: &str) -> Result<Redirects, String> {
    let table = match path.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Redirects::from_csv(text),
        Some("json") => Redirects::from_json(text),
        #[cfg(feature = "toml")]
        Some("toml") => Redirects::from_toml(text),
        #[cfg(not(feature = "toml"))]
        Some("toml") => return Err("turn the feature `toml` of `tropos` on to read it".to_owned()),
        _ => return Err("name it with `.csv`, `.json` or `.toml`, by what is in it".to_owned()),
    };
    table.map_err(|error| error.to_string())
}

impl Hook for Table {
    fn name(&self) -> &str {
        "redirects"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        platform: &'a dyn Platform,
    ) -> Verdict<'a> {
        match &self.read {
            Ok(table) => table.decide(request, edits, platform),
            Err(problem) => Verdict::Now(Err(self.wrong(problem))),
        }
    }

    /// By the address alone.
    fn depends_on_visitor(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn concerns(&self, path: &CanonicalPath) -> bool {
        self.read.as_ref().map_or(true, |table| table.concerns(path))
    }

    fn check(&self) -> Result<(), Error> {
        match &self.read {
            Ok(table) => table.check().map_err(|error| self.wrong(&error.to_string())),
            Err(problem) => Err(self.wrong(problem)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_costs_no_path_that_it_is_not_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "/old,/new\n/items/:id,/products/:id\n").unwrap();
        let table = Table::read(path);
        let concerns = |path: &str| table.concerns(&CanonicalPath::parse(path).unwrap());
        assert!(concerns("/old") && concerns("/items/7"));
        assert!(!concerns("/new") && !concerns("/items"));
    }

    #[test]
    fn a_table_that_is_wrong_says_which_file_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text, problem) in [
            ("a.csv", Some("/a,/b\n/c,/d,308\n"), None),
            ("a.json", Some(r#"[{"from": "/a", "to": "/b"}]"#), None),
            ("b.csv", Some("/a\n"), Some("line 1: write `from,to`")),
            ("c.csv", Some("/a,/b\n/b,/a\n"), Some("/a")),
            ("d.json", Some("{}"), Some("no JSON array")),
            ("e.txt", Some("/a,/b"), Some("`.csv`, `.json` or `.toml`")),
            ("f.csv", None, Some("cannot be read in ")),
            #[cfg(feature = "toml")]
            ("g.toml", Some("[[redirect]]\nfrom = \"/a\"\nto = \"/b\"\n"), None),
            #[cfg(feature = "toml")]
            ("h.toml", Some("[[redirect]]\nfrom = \"/a\"\n"), Some("missing field `to`")),
            #[cfg(not(feature = "toml"))]
            ("g.toml", Some(""), Some("turn the feature `toml`")),
        ] {
            let path = folder.path().join(name);
            text.into_iter().for_each(|text| std::fs::write(&path, text).unwrap());
            let said = Table::read(path.clone()).check().map_err(|error| error.to_string());
            match problem {
                None => assert_eq!(said, Ok(()), "{name}"),
                Some(problem) => {
                    let said = said.unwrap_err();
                    assert!(
                        said.contains(problem) && said.contains(&*path.to_string_lossy()),
                        "{name}: {said}"
                    );
                }
            }
        }
    }
}
