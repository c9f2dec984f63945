//! Size budgets: `[budgets]` in `tropos.toml`. What is sent counts, that is, bytes by brotli where a file has that encoding.

use crate::{Error, near, table::Route, terminal::bytes};
use std::{collections::BTreeMap, fmt, fs, io, path::Path};
use tropos_core::manifest::{Manifest, Measured, PageIndex, Weight};

/// What has a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Html,
    Style,
    Script,
    Wasm,
    Page,
}

const PARTS: [(&str, Part); 5] = [
    ("html", Part::Html),
    ("style", Part::Style),
    ("script", Part::Script),
    ("wasm", Part::Wasm),
    ("page", Part::Page),
];

/// The table that holds those of single routes.
const ROUTES: &str = "routes";

impl Part {
    /// As it is written in `tropos.toml`.
    pub(crate) fn name(self) -> &'static str {
        PARTS.iter().find(|(_, part)| *part == self).map_or("", |(name, _)| name)
    }

    fn of(self, measured: &Measured) -> &Weight {
        match self {
            Part::Html => &measured.html,
            Part::Style => &measured.style,
            Part::Script => &measured.script,
            Part::Wasm => &measured.wasm,
            Part::Page => &measured.page,
        }
    }
}

/// Bytes that may be sent, by part.
type Limits = BTreeMap<Part, u64>;

/// The budgets of an application.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Budgets {
    all: Limits,
    /// By pattern; each takes the place of the budget for all routes.
    routes: BTreeMap<String, Limits>,
}

/// A budget, and what the build made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measure {
    /// The route's pattern; `islands` for the application's islands as a whole.
    pub(crate) route: String,
    pub(crate) part: Part,
    pub(crate) limit: u64,
    pub(crate) bytes: u64,
    /// The heaviest page.
    pub(crate) path: String,
}

impl Measure {
    /// Whether more is sent than may be.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.bytes > self.limit
    }
}

/// `/products/:id: html is 112.4 kB, 12.4 kB over its budget of 100.0 kB (/products/42)`.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = bytes(self.bytes.saturating_sub(self.limit));
        let (size, limit) = (bytes(self.bytes), bytes(self.limit));
        write!(f, "{}: {} is {size}, {over} over its budget of {limit}", self.route, self.part.name())?;
        if self.path.is_empty() || self.path == self.route { Ok(()) } else { write!(f, " ({})", self.path) }
    }
}

impl Budgets {
    /// Those of `tropos.toml` in this folder; none where there is no such file.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("tropos.toml");
        match fs::read_to_string(&path) {
            Ok(text) => {
                Self::parse(&text).map_err(|says| Error::Config(format!("{}: {says}", path.display())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::file("reading", path)(error)),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        // The line itself is not shown: it may hold a password.
        let line = |span: Option<std::ops::Range<usize>>| {
            let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
            before.lines().count().max(1)
        };
        let file: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| format!("line {}: {}", line(error.span()), error.message()))?;
        let Some(value) = file.get("budgets") else { return Ok(Self::default()) };
        let mut table = value.as_table().ok_or("budgets: it is a table: write [budgets]")?.clone();
        let mut budgets = Self::default();
        if let Some(routes) = table.remove(ROUTES) {
            let routes = routes.as_table().ok_or("budgets.routes: write [budgets.routes.\"/a/:b\"]")?.clone();
            for (pattern, value) in routes {
                let place = format!("budgets.routes.\"{pattern}\"");
                let table = value.as_table().ok_or_else(|| format!("{place}: write [{place}]"))?;
                budgets.routes.insert(pattern, limits(&place, table, false)?);
            }
        }
        budgets.all = limits("budgets", &table, true)?;
        Ok(budgets)
    }

    /// Whether there is anything to hold a build to.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.routes.values().all(Limits::is_empty)
    }

    /// Each budget with what it came to, and notes on budgets of which nothing can be said.
    ///
    /// # Errors
    /// [`Error::Config`] for a route that there is none of.
    pub(crate) fn measure(
        &self,
        routes: &[Route],
        index: &PageIndex,
        manifest: &Manifest,
    ) -> Result<(Vec<Measure>, Vec<String>), Error> {
        let known = |pattern: &str| routes.iter().any(|route| route.pattern == pattern);
        if let Some(pattern) = self.routes.keys().find(|pattern| !known(pattern)) {
            let near = near::route(pattern, routes.iter().map(|route| route.pattern.as_str()));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(Error::Config(format!("tropos.toml: budgets.routes: no route `{pattern}`{hint}")));
        }
        let (mut measures, mut notes) = (Vec::new(), Vec::new());
        let nothing = Limits::new();
        for route in routes {
            let own = self.routes.get(&route.pattern).unwrap_or(&nothing);
            let measured = index.routes.get(&route.pattern).and_then(|pages| pages.measured.as_ref());
            let Some(measured) = measured else {
                if !own.is_empty() {
                    notes.push(format!(
                        "the budget of {} is not held: it is `{}`, and the build made no page of it",
                        route.pattern, route.mode
                    ));
                }
                continue;
            };
            for (_, part) in PARTS {
                let Some(limit) = own.get(&part).or_else(|| self.all.get(&part)) else { continue };
                let Weight { bytes, path } = part.of(measured).clone();
                let route = route.pattern.clone();
                measures.push(Measure { route, part, limit: *limit, bytes, path });
            }
        }
        measures.extend(self.of_islands(index, manifest));
        Ok((measures, notes))
    }

    /// Where no page of the build loads them, such as in an application of `server` pages, the islands are held by
    /// themselves.
    fn of_islands(&self, index: &PageIndex, manifest: &Manifest) -> Vec<Measure> {
        let loaded = index
            .routes
            .values()
            .any(|pages| pages.measured.as_ref().is_some_and(|measured| measured.wasm.bytes > 0));
        let Some(islands) = manifest.islands.as_ref().filter(|_| !loaded) else { return Vec::new() };
        let size = |name: &str| {
            let asset = manifest.assets.get(name);
            asset.map_or(0, |asset| asset.encoded.get("br").copied().unwrap_or(asset.bytes))
        };
        [(Part::Script, &islands.script), (Part::Wasm, &islands.wasm)]
            .into_iter()
            .filter_map(|(part, name)| {
                let limit = *self.all.get(&part)?;
                Some(Measure { route: "islands".into(), part, limit, bytes: size(name), path: String::new() })
            })
            .collect()
    }
}

fn limits(place: &str, table: &toml::Table, with_routes: bool) -> Result<Limits, String> {
    let mut limits = Limits::new();
    for (key, value) in table {
        let Some((_, part)) = PARTS.iter().find(|(name, _)| name == key) else {
            let names = PARTS.iter().map(|(name, _)| *name).chain(with_routes.then_some(ROUTES));
            let meant = near::name(key, names.clone()).map(|near| format!("; did you mean `{near}`?"));
            let listed = || format!("; known are {}", names.collect::<Vec<_>>().join(", "));
            return Err(format!("unknown key `{key}` in {place}{}", meant.unwrap_or_else(listed)));
        };
        let size = match value {
            toml::Value::Integer(number) => u64::try_from(*number).ok(),
            toml::Value::String(text) => size(text),
            _ => None,
        };
        let wrong = || format!("{place}.{key}: {value} is not a size, such as \"20 kB\"");
        limits.insert(*part, size.ok_or_else(wrong)?);
    }
    Ok(limits)
}

/// Reads `300`, `300 B`, `20 kB`, `1.5 MB`, `64 KiB`, `1 MiB`. Units as browsers' tools show them: 1 kB is 1,000 bytes.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let scale = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    // Three digits are bytes of a kB; more say nothing.
    let thousandths: u64 = format!("{rest:0<3}").get(..3)?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(scale * thousandths / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_core::manifest::{Asset, Islands, RoutePages, VERSION};

    #[test]
    fn sizes_are_read_in_units_of_a_thousand_and_of_1024() {
        for (text, expected) in [
            ("300", Some(300)),
            ("300 B", Some(300)),
            ("20kB", Some(20_000)),
            ("1.5 MB", Some(1_500_000)),
            ("0.0625 kB", Some(62)),
            ("64 KiB", Some(65_536)),
            ("1 MiB", Some(1_048_576)),
            ("", None),
            ("kB", None),
            ("-1 kB", None),
            ("1 gB", None),
            ("1.2.3 kB", None),
            ("99999999999999 MB", None),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        for (text, message) in [
            ("[budgets]\nscirpt = 1", "unknown key `scirpt` in budgets; did you mean `script`?"),
            (
                "[budgets]\ncss = 1",
                "unknown key `css` in budgets; known are html, style, script, wasm, page, routes",
            ),
            ("[budgets.route.\"/a\"]\nhtml = 1", "unknown key `route` in budgets; did you mean `routes`?"),
            (
                "[budgets.routes.\"/a\"]\nhmtl = 1",
                "unknown key `hmtl` in budgets.routes.\"/a\"; did you mean `html`?",
            ),
            ("[budgets]\nhtml = \"big\"", "budgets.html: \"big\" is not a size, such as \"20 kB\""),
            ("[budgets]\nhtml = -1", "budgets.html: -1 is not a size"),
            ("budgets = 1", "write [budgets]"),
            ("secret = \"hunter2\"\nx = ", "line 2: "),
        ] {
            let error = Budgets::parse(text).unwrap_err();
            assert!(error.contains(message) && !error.contains("hunter2"), "{error}");
        }
        assert!(Budgets::parse("addr = \"x\"").unwrap().is_empty());
        assert!(Budgets::parse("[budgets.routes.\"/a\"]").unwrap().is_empty());
    }

    fn example() -> (Vec<Route>, PageIndex, Manifest) {
        let routes = serde_json::from_str(
            r#"[{"name":"A","pattern":"/a/:id","mode":"isr"},{"name":"B","pattern":"/b","mode":"server"},
                {"name":"C","pattern":"/c","mode":"ssg"}]"#,
        );
        let weight = |bytes, path: &str| Weight { bytes, path: path.into() };
        let pages = |path: &str, html, wasm| RoutePages {
            measured: Some(Measured {
                html: weight(html, path),
                wasm: weight(wasm, path),
                page: weight(html + wasm, path),
                ..Measured::default()
            }),
            ..RoutePages::default()
        };
        let index = PageIndex {
            version: VERSION,
            routes: [("/a/:id", pages("/a/7", 112_400, 0)), ("/c", pages("/c", 1_000, 50_000))]
                .map(|(pattern, pages)| (pattern.to_owned(), pages))
                .into(),
        };
        let asset =
            |bytes| Asset { file: "f".into(), bytes: 900_000, encoded: [("br".into(), bytes)].into() };
        let manifest = Manifest {
            version: VERSION,
            build_id: String::new(),
            islands: Some(Islands { script: "app.js".into(), wasm: "app.wasm".into() }),
            assets: [("app.js".to_owned(), asset(9_000)), ("app.wasm".to_owned(), asset(50_000))].into(),
        };
        (routes.unwrap(), index, manifest)
    }

    fn exceeded(text: &str, example: &(Vec<Route>, PageIndex, Manifest)) -> Vec<String> {
        let (measures, _) =
            Budgets::parse(text).unwrap().measure(&example.0, &example.1, &example.2).unwrap();
        measures.iter().filter(|measure| measure.is_exceeded()).map(ToString::to_string).collect()
    }

    #[test]
    fn a_budget_that_is_exceeded_says_where_and_by_how_much() {
        let example = example();
        assert_eq!(
            exceeded("[budgets]\nhtml = \"100 kB\"\nwasm = 50000", &example),
            ["/a/:id: html is 112.4 kB, 12.4 kB over its budget of 100.0 kB (/a/7)"]
        );
        assert_eq!(
            exceeded("[budgets]\npage = \"50 kB\"\n[budgets.routes.\"/a/:id\"]\npage = \"1 MB\"", &example),
            ["/c: page is 51.0 kB, 1.0 kB over its budget of 50.0 kB"],
            "a route's own budget takes the place of the one for all"
        );
        assert!(exceeded("[budgets]\nhtml = 112400", &example).is_empty(), "as much as may be is not more");
    }

    #[test]
    fn islands_that_no_page_of_the_build_loads_are_held_by_themselves() {
        let mut example = example();
        example.1.routes.remove("/c");
        assert_eq!(
            exceeded("[budgets]\nwasm = \"40 kB\"\nscript = \"10 kB\"", &example),
            ["islands: wasm is 50.0 kB, 10.0 kB over its budget of 40.0 kB"]
        );
    }

    #[test]
    fn a_budget_of_no_route_is_an_error_and_of_a_route_without_pages_a_note() {
        let (routes, index, manifest) = example();
        let measure = |text: &str| Budgets::parse(text).unwrap().measure(&routes, &index, &manifest);
        let error = measure("[budgets.routes.\"/a/:di\"]\nhtml = 1").unwrap_err().to_string();
        assert!(error.contains("no route `/a/:di`; did you mean `/a/:id`?"), "{error}");
        let (measures, notes) = measure("[budgets.routes.\"/b\"]\nhtml = 1").unwrap();
        assert!(measures.is_empty());
        assert!(notes[0].contains("/b is not held: it is `server`"), "{notes:?}");
    }
}
