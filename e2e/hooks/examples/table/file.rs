//! The table as text: requests and whole answers.
//!
//! ```text
//! == 45 a guard refuses            a case: its number in the list of cases, or none, and a fact
//! -> GET /guarded/a                a request; `host` and `user-agent` are added where they are not said
//! cookie: pass=bad
//! <- 401                           the whole answer: status, headers in their order, an empty line and the body
//! cache-control: no-store
//!
//! sign in first
//! <~ 400                           another answer at the edge; the line before says why
//! ```
//!
//! An empty line parts headers and body. Lines that begin with `#` stay where they are, before a case.

use std::{
    fs,
    path::{Path, PathBuf},
};
use tropos_cases::check::{Problem, fail};

/// One file.
#[derive(Debug)]
pub struct Table {
    pub path: PathBuf,
    /// What stands before the first case.
    head: String,
    pub cases: Vec<Case>,
}

/// Requests that follow each other.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub steps: Vec<Step>,
}

/// A request and its answer.
#[derive(Debug, Default)]
pub struct Step {
    /// Method and target.
    pub first: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Status, headers, an empty line, the body.
    pub expected: String,
    /// Where the edge answers otherwise: the whole answer, and behind `#` in its first line the reason.
    pub at_the_edge: Option<String>,
}

/// All files, in the order of their names.
///
/// # Errors
/// Where one cannot be read, or is no table.
pub fn read(folder: &Path) -> Result<Vec<Table>, Problem> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.into_iter().map(Table::read).collect()
}

impl Table {
    fn read(path: PathBuf) -> Result<Self, Problem> {
        let text = fs::read_to_string(&path)?;
        let mut parts = text.split("\n== ");
        let head = parts.next().unwrap_or_default().to_owned();
        let cases = parts.map(case).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { path, head, cases })
    }

    /// Writes it back.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self) -> Result<(), Problem> {
        let mut out = format!("{}\n", self.head.trim_end_matches('\n'));
        for case in &self.cases {
            out.push_str(&format!("\n== {}\n", case.name));
            for step in &case.steps {
                out.push_str(&format!("-> {}\n", step.first));
                step.headers.iter().for_each(|(name, value)| out.push_str(&format!("{name}: {value}\n")));
                if !step.body.is_empty() {
                    out.push_str(&format!("\n{}\n", step.body));
                }
                out.push_str(&format!("<- {}\n", step.expected.trim_end()));
                if let Some(edge) = &step.at_the_edge {
                    out.push_str(&format!("<~ {}\n", edge.trim_end()));
                }
            }
        }
        Ok(fs::write(&self.path, out)?)
    }
}

fn case(text: &str) -> Result<Case, Problem> {
    let (name, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut steps: Vec<Step> = Vec::new();
    // What the lines belong to: the request, its answer, or that at the edge.
    let mut part = '-';
    let mut in_body = false;
    for line in rest.trim_end().lines() {
        if let Some(first) = line.strip_prefix("-> ") {
            steps.push(Step { first: first.to_owned(), ..Step::default() });
            (part, in_body) = ('-', false);
            continue;
        }
        let Some(step) = steps.last_mut() else {
            return fail(format!("`{name}` does not begin with a request"));
        };
        if let Some(status) = line.strip_prefix("<- ") {
            (part, in_body, step.expected) = ('<', false, status.to_owned());
        } else if let Some(status) = line.strip_prefix("<~ ") {
            (part, in_body, step.at_the_edge) = ('~', false, Some(status.to_owned()));
        } else if part == '<' {
            step.expected.push_str(&format!("\n{line}"));
        } else if let Some(edge) = step.at_the_edge.as_mut().filter(|_| part == '~') {
            edge.push_str(&format!("\n{line}"));
        } else if in_body {
            let end = if step.body.is_empty() { "" } else { "\n" };
            step.body.push_str(&format!("{end}{line}"));
        } else if line.is_empty() {
            in_body = true;
        } else {
            let header = line.split_once(':');
            let (of, value) =
                header.ok_or_else(|| Problem::Failed(format!("`{name}`: {line} is no header")))?;
            step.headers.push((of.to_owned(), value.trim().to_owned()));
        }
    }
    Ok(Case { name: name.to_owned(), steps })
}
