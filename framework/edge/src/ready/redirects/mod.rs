//! Redirects and rewrites from a table.

mod chains;
mod index;
mod read;
mod rule;
mod target;

pub use rule::Rule;

use super::wrong;
use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Redirect, Verdict, decision::is_location};
use http::StatusCode;
use index::{Index, Only, Ready};
use rule::Kind;
use target::{Target, split};
use tropos_core::{CanonicalPath, Pattern};

/// A table has this many rules at most.
pub const MOST_RULES: usize = 100_000;

/// So many rules may have parameters: those that begin alike are tried one by one.
pub const MOST_PATTERNS: usize = 2_000;

/// So many problems are named at once.
const MOST_PROBLEMS: usize = 20;

/// Sends visitors of old addresses to new ones, and shows pages at addresses of others, by a table.
///
/// - A rule without parameters is found by one look-up in a hash table (two where rules name hosts), however many there are. One of the request's host goes before one of `*.` hosts, and that before one of any; these before patterns;
///   of patterns, the more specific, as the router does.
/// - A slash at the end makes no difference; capitals do.
/// - The query goes with the visitor, behind that of the target, unless the rule says otherwise.
/// - Parameters are encoded anew, so an address made of them is always one of the site that the rule names.
/// - Rules that redirect see addresses as visitors see them: not what a rewrite made of them. So `/new` may show what is at `/old` while `/old` sends to `/new`.
/// - Rules in circles and rules for the same addresses fail [`check`](Hook::check), with their lines. Chains become one step, with a [note](Self::notes).
///
/// ```
/// use tropos_edge::{Hooks, ready::redirects::{Redirects, Rule}};
/// let table = Redirects::new([
///     Rule::new("/shop.php", "/").permanent(),
///     Rule::new("/item/:id", "/products/:id").permanent(),
/// ]);
/// let more = Redirects::from_csv("from,to,status,host\n/old,/new,308\n/sale,/campaigns/7,rewrite\n").unwrap();
/// let hooks = Hooks::new().hook(table).hook(more);
/// # hooks.check().unwrap();
/// ```
#[derive(Debug)]
pub struct Redirects {
    rules: Vec<Ready>,
    index: Index,
    notes: Vec<String>,
    problems: Vec<String>,
}

impl Redirects {
    /// A table of these rules.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut problems = Vec::new();
        let mut ready = Vec::new();
        for rule in rules {
            match prepare(rule) {
                Ok(rule) => ready.push(rule),
                Err(problem) => problems.push(problem),
            }
        }
        let patterns = ready.iter().filter(|ready: &&Ready| ready.literal.is_none()).count();
        if ready.len() > MOST_RULES || patterns > MOST_PATTERNS {
            problems.push(format!(
                "there are {} rules, {patterns} of them with parameters: {MOST_RULES} and {MOST_PATTERNS} at most are held",
                ready.len()
            ));
            ready.clear();
        }
        let (index, twice) = Index::new(&ready);
        let found = chains::follow(&ready, &index);
        problems.extend(twice);
        problems.extend(found.circles);
        for (at, shorter) in found.shorter {
            if let Some(rule) = ready.get_mut(at) {
                *rule = shorter;
            }
        }
        Self { rules: ready, index, notes: found.notes, problems }
    }

    /// A table of lines: `from,to,status,host`. The status is a number, or `rewrite`; 307 where there is none.
    ///
    /// # Errors
    /// [`Error::Hook`] with the line that cannot be read.
    pub fn from_csv(text: &str) -> Result<Self, Error> {
        read::csv(text).map(Self::new).map_err(|problem| wrong("redirects", problem))
    }

    /// A table of an array: `[{"from": "/a", "to": "/b"}]`, with `permanent`, `status` or `rewrite`, and with `host` and `query`.
    ///
    /// # Errors
    /// [`Error::Hook`] with the line that cannot be read.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        read::json(text).map(Self::new).map_err(|problem| wrong("redirects", problem))
    }

    /// A table of `[[redirect]]`, with the keys of the JSON.
    ///
    /// # Errors
    /// [`Error::Hook`] with the line that cannot be read.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        read::toml(text).map(Self::new).map_err(|problem| wrong("redirects", problem))
    }

    /// What the table could say more shortly: chains that were made one step.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

fn prepare(rule: Rule) -> Result<Ready, String> {
    if let Some(problem) = rule.problem() {
        return Err(problem);
    }
    let label = rule.label();
    if rule.from.contains(['?', '#']) {
        return Err(format!("{label}: a rule is for a path: leave out what is behind `?` or `#`"));
    }
    let (literal, from) = match rule.from.contains("/:") || rule.from.contains("/*") {
        true => (None, Pattern::parse(&rule.from).map_err(|error| format!("{label}: {error}"))?),
        false => {
            let path = CanonicalPath::parse(&rule.from);
            let path = path.map_err(|error| format!("{label}: the path {error}"))?;
            // It has no parameters, as the root has none.
            let none = Pattern::parse("/").map_err(|error| error.to_string())?;
            (Some(path.as_str().to_owned()), none)
        }
    };
    let target = Target::parse(&rule.to, &from).map_err(|problem| format!("{label} {problem}"))?;
    let (origin, _, tail) = split(&rule.to);
    if rule.kind == Kind::Rewrite && (!origin.is_empty() || tail.contains('#')) {
        return Err(format!("{label} rewrites to `{}`: write a path of this site", rule.to));
    }
    let odd = rule.host.as_ref().filter(|host| {
        let name = host.strip_prefix("*.").unwrap_or(host);
        name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
    });
    match odd {
        Some(host) => Err(format!(
            "{label} is for `{host}`, which is no host: write a name without a port, or `*.` and a name"
        )),
        None => Ok(Ready { rule, literal, from, target }),
    }
}

/// The address with the query of the request behind its own.
fn with_query(address: String, query: &str) -> String {
    if query.is_empty() {
        return address;
    }
    let (before, fragment) = address.split_at(address.find('#').unwrap_or(address.len()));
    let mark = if before.contains('?') { '&' } else { '?' };
    let whole = format!("{before}{mark}{query}{fragment}");
    // A query of what no address may hold is left behind.
    if is_location(&whole) { whole } else { address }
}

impl Hook for Redirects {
    fn name(&self) -> &str {
        "redirects"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        _: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        let only = if request.rewritten_from().is_some() { Only::Rewrites } else { Only::All };
        let found = self.index.find(&self.rules, request.host(), request.path(), only);
        let Some((ready, params)) = found.and_then(|(at, params)| Some((self.rules.get(at)?, params))) else {
            return Decision::Next.into();
        };
        let address = ready.target.fill(&params);
        let query = if ready.rule.keep_query { request.query() } else { "" };
        match ready.rule.kind {
            Kind::Redirect(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::TEMPORARY_REDIRECT);
                Redirect::new(status, &with_query(address, query)).map(Decision::Redirect).into()
            }
            Kind::Rewrite if address.contains('?') => Decision::rewrite(&with_query(address, query)).into(),
            // Without a query, a rewrite keeps that of the request; with an empty one it has none.
            Kind::Rewrite if ready.rule.keep_query => Decision::rewrite(&address).into(),
            Kind::Rewrite => Decision::rewrite(&format!("{address}?")).into(),
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
        self.index.may_find(&self.rules, path)
    }

    fn check(&self) -> Result<(), Error> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut text = self.problems.iter().take(MOST_PROBLEMS).cloned().collect::<Vec<_>>().join("; ");
        if let Some(more) = self.problems.len().checked_sub(MOST_PROBLEMS).filter(|more| *more > 0) {
            text.push_str(&format!("; and {more} more"));
        }
        Err(wrong("redirects", text))
    }
}
