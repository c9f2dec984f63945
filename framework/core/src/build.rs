//! What an application's program tells the command that builds it: the pages it made, those that failed, and what it
//! hands out for a host of plain files.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// What `prerender --json` prints, whether pages failed or not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prerendered {
    /// Pages that were asked for.
    pub pages: u64,
    /// How long the renders took, in milliseconds.
    pub milliseconds: u64,
    /// Pages that could not be made. The first one alone, unless the rest was to be made nevertheless.
    pub failures: Vec<PageFailure>,
}

/// A page that could not be made at build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageFailure {
    /// The page's route.
    pub route: String,
    /// The path, or the route's pattern where its list could not be made.
    pub path: String,
    /// The parameters of the path, decoded.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// What the page, or its list, said.
    pub cause: String,
}

/// `/products/42 (route /products/:id, id = 42): the cause`.
impl fmt::Display for PageFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (route {}", self.path, self.route)?;
        for (name, value) in &self.params {
            write!(f, ", {name} = {value}")?;
        }
        write!(f, "): {}", self.cause)
    }
}

/// What `export --out DIR` prints: the `ssg` pages of a build as plain files, and what they need of the program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exported {
    /// The pages of the build.
    pub pages: Vec<ExportedPage>,
    /// The file with the page for "not found".
    pub not_found: String,
    /// Scripts that are built into the program: files that are served below [`crate::manifest::ASSETS_PATH`].
    pub scripts: Vec<String>,
}

/// A page as a plain file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedPage {
    /// Its canonical path.
    pub path: String,
    /// 200, or 307 or 308 for a redirect.
    pub status: u16,
    /// The page's own headers, such as its content type.
    pub headers: Vec<(String, String)>,
    /// The file that holds the body, within the folder that was named.
    pub file: String,
    /// Whether hooks stand in front of it, which may guard it or change it for each visitor.
    #[serde(default)]
    pub hooked: bool,
}

impl ExportedPage {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_path_route_parameters_and_cause() {
        let mut failure = PageFailure {
            route: "/c/:colour/:size".into(),
            path: "/c/red/9".into(),
            params: [("colour", "red"), ("size", "9")].map(|(n, v)| (n.into(), v.into())).into(),
            cause: "no such colour".into(),
        };
        assert_eq!(
            failure.to_string(),
            "/c/red/9 (route /c/:colour/:size, colour = red, size = 9): no such colour"
        );
        failure.params.clear();
        assert_eq!(failure.to_string(), "/c/red/9 (route /c/:colour/:size): no such colour");
    }
}
