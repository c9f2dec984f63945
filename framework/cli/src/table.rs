//! Tables: that of routes, which a build ends with too, and plain ones.

use crate::{
    build::growth::{Growth, Since, sizes},
    terminal::{Look, bytes, count},
};
use serde::Deserialize;
use tropos_core::manifest::{Manifest, PageIndex};

/// A route, as the server binary's `routes --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) pattern: String,
    pub(crate) mode: String,
    #[serde(default)]
    pub(crate) revalidate: Option<String>,
    #[serde(default)]
    pub(crate) expire: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) closed: bool,
}

/// A piece of the table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Cell {
    text: String,
    look: Look,
    right: bool,
}

impl Cell {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn look(mut self, look: Look) -> Self {
        self.look = look;
        self
    }

    fn number(text: String) -> Self {
        Self { text, right: true, ..Self::default() }
    }

    /// Where there is nothing to say.
    fn none(right: bool) -> Self {
        Self { text: "–".into(), look: Look::Dim, right }
    }

    fn or_none(text: Option<String>) -> Self {
        text.map_or_else(|| Self::none(false), Self::new)
    }

    fn size(number: u64) -> Self {
        if number == 0 { Self::none(true) } else { Self::number(bytes(number)) }
    }
}

const HEAD: [(&str, bool); 9] = [
    ("route", false),
    ("mode", false),
    ("age", false),
    ("expire", false),
    ("tags", false),
    ("pages", true),
    ("HTML", true),
    ("script", true),
    ("wasm", true),
];

/// The most tags that a row names.
const TAGS: usize = 3;

/// Of these columns, how many say what is declared; the rest says what a build made of it.
const DECLARED: usize = 5;

fn head() -> [Cell; 9] {
    HEAD.map(|(text, right)| Cell { text: text.into(), look: Look::Dim, right })
}

/// A table of plain text, each cell with its look; the first row is its head.
pub(crate) fn plain(head: &[&str], rows: &[Vec<(String, Look)>], color: bool) -> String {
    let head = head.iter().map(|text| Cell::new(*text).look(Look::Dim)).collect();
    let rows = rows.iter().map(|row| row.iter().map(|(text, look)| Cell::new(text).look(*look)).collect());
    lay_out(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), color)
}

/// The routes as the source code declares them.
pub(crate) fn declared(routes: &[Route], color: bool) -> String {
    let none = PageIndex::default();
    let rows = std::iter::once(head().to_vec()).chain(routes.iter().map(|route| row(route, &none)));
    let rows: Vec<_> = rows.map(|row| row.into_iter().take(DECLARED).collect()).collect();
    lay_out(&rows, color)
}

/// The routes with what the build made of each, what has grown `since` the one before, and the totals.
pub(crate) fn built(
    routes: &[Route],
    index: &PageIndex,
    manifest: &Manifest,
    since: Option<&Since>,
    color: bool,
) -> String {
    let mut rows = vec![head().to_vec()];
    rows.extend(routes.iter().map(|route| row(route, index)));
    // A column of its own, and only where it has something to say.
    let grown = |route: &Route| since?.routes.get(&route.pattern).copied().and_then(changed);
    if routes.iter().any(|route| grown(route).is_some()) {
        let title = Cell::new("since the last build").look(Look::Dim);
        let cells = std::iter::once(title)
            .chain(routes.iter().map(|route| grown(route).unwrap_or_else(|| Cell::new(""))));
        rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell));
    }
    let mut text = lay_out(&rows, color);

    let pages = index.routes.values().map(|pages| pages.paths.len() as u64).sum();
    let html = index.routes.values().map(|pages| pages.html_bytes).sum();
    let mut totals = vec![
        plural(routes.len() as u64, "route"),
        format!("{} ({} of HTML)", plural(pages, "page"), bytes(html)),
        plural(manifest.assets.len() as u64, "asset"),
    ];
    if manifest.islands.is_some() {
        let (script, wasm) = sizes(manifest);
        totals.push(format!(
            "islands {} ({} of script, {} of wasm, by brotli)",
            bytes(script + wasm),
            bytes(script),
            bytes(wasm)
        ));
        if let Some(cell) = since.and_then(|since| changed(since.islands)) {
            totals.push(cell.look.paint(&format!("islands {}", cell.text), color));
        }
    } else {
        totals.push("no islands".into());
    }
    text.push_str(&format!("\n  {}\n", totals.join(" · ")));
    text
}

/// What has changed, red where it is more.
fn changed(growth: Growth) -> Option<Cell> {
    let look = if growth.is_more() { Look::Red } else { Look::Green };
    growth.text().map(|text| Cell::new(text).look(look))
}

fn row(route: &Route, index: &PageIndex) -> Vec<Cell> {
    let pages = index.routes.get(&route.pattern);
    let mut tags = route.tags.clone();
    let carried = pages.map(|pages| pages.tags.as_slice()).unwrap_or_default();
    tags.extend(carried.iter().filter(|tag| !route.tags.contains(tag)).cloned());
    let stored = route.mode == "ssg" || route.mode == "isr";
    let number = |value: Option<u64>| {
        value.filter(|_| stored).map_or_else(|| Cell::none(true), |n| Cell::number(count(n)))
    };
    // An ssg route is closed in any case.
    let closed = route.closed && route.mode == "isr";
    let pattern = if closed { format!("{} (closed)", route.pattern) } else { route.pattern.clone() };
    vec![
        Cell::new(pattern).look(Look::Bold),
        Cell::new(&route.mode).look(match route.mode.as_str() {
            "ssg" => Look::Green,
            "isr" => Look::Cyan,
            "server" => Look::Yellow,
            _ => Look::Magenta,
        }),
        Cell::or_none(route.revalidate.clone()),
        Cell::or_none(route.expire.clone()),
        Cell::or_none(shorten(&tags)),
        number(pages.map(|pages| pages.paths.len() as u64)),
        Cell::size(pages.map_or(0, |pages| pages.html_bytes)),
        Cell::size(pages.map_or(0, |pages| pages.script_bytes)),
        Cell::size(pages.map_or(0, |pages| pages.wasm_bytes)),
    ]
}

fn shorten(tags: &[String]) -> Option<String> {
    let shown: Vec<_> = tags.iter().take(TAGS).map(String::as_str).collect();
    match tags.len().checked_sub(TAGS) {
        _ if tags.is_empty() => None,
        Some(more) if more > 0 => Some(format!("{} +{more}", shown.join(", "))),
        _ => Some(shown.join(", ")),
    }
}

pub(crate) fn plural(number: u64, word: &str) -> String {
    format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Columns as wide as their widest cell, two spaces apart, without spaces at the ends of lines.
fn lay_out(rows: &[Vec<Cell>], color: bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let padding = " ".repeat(width.saturating_sub(cell.text.chars().count()));
            let text = cell.look.paint(&cell.text, color);
            line.push_str("  ");
            line.push_str(&if cell.right { format!("{padding}{text}") } else { format!("{text}{padding}") });
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tropos_core::manifest::{Asset, Islands, RoutePages, VERSION};

    fn example() -> (Vec<Route>, PageIndex, Manifest) {
        let routes = r#"[
            {"name":"Home","pattern":"/","mode":"ssg","revalidate":null,"expire":null,"tags":[],"closed":true},
            {"name":"Item","pattern":"/items/:id","mode":"isr","revalidate":"60s","expire":"1h","tags":[],"closed":true},
            {"name":"Basket","pattern":"/basket","mode":"server","revalidate":null,"expire":null,"tags":[],"closed":false}
        ]"#;
        let paths = |number: usize| (0..number).map(|n| (format!("/{n}"), format!("{n}.html"))).collect();
        let pages = |number, html_bytes, wasm_bytes, tags: &[&str]| RoutePages {
            paths: paths(number),
            unmade: Vec::new(),
            html_bytes,
            script_bytes: wasm_bytes / 10,
            wasm_bytes,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            measured: None,
        };
        let index = PageIndex {
            version: VERSION,
            routes: BTreeMap::from([
                ("/".to_owned(), pages(1, 4_200, 0, &[])),
                ("/items/:id".to_owned(), pages(1_200, 9_800_000, 61_000, &["items", "a", "b", "c"])),
            ]),
        };
        let asset = |file: &str, br| Asset {
            file: file.into(),
            bytes: 200_000,
            encoded: BTreeMap::from([("br".into(), br)]),
        };
        let manifest = Manifest {
            version: VERSION,
            build_id: "0".repeat(16),
            islands: Some(Islands { script: "app.js".into(), wasm: "app_bg.wasm".into() }),
            assets: BTreeMap::from([
                ("app.js".into(), asset("app.1.js", 4_000)),
                ("app_bg.wasm".into(), asset("app_bg.1.wasm", 61_000)),
            ]),
        };
        (serde_json::from_str(routes).unwrap(), index, manifest)
    }

    #[test]
    fn columns_line_up_and_totals_add_up() {
        let (rows, index, manifest) = example();
        let expected = "  route                mode    age  expire  tags            pages    HTML  script     wasm
  /                    ssg     –    –       –                   1  4.2 kB       –        –
  /items/:id (closed)  isr     60s  1h      items, a, b +1  1,200  9.8 MB  6.1 kB  61.0 kB
  /basket              server  –    –       –                   –       –       –        –

  3 routes · 1,201 pages (9.8 MB of HTML) · 2 assets · islands 65.0 kB (4.0 kB of script, 61.0 kB of wasm, by brotli)
";
        assert_eq!(built(&rows, &index, &manifest, None, false), expected);
    }

    #[test]
    fn what_has_grown_has_a_column_where_anything_has() {
        let (rows, index, manifest) = example();
        let mut since = Since {
            routes: BTreeMap::from([("/".to_owned(), Growth::default())]),
            islands: Growth::default(),
        };
        assert_eq!(
            built(&rows, &index, &manifest, Some(&since), false),
            built(&rows, &index, &manifest, None, false)
        );
        let grown = Growth { html: 1_200, script: 0, wasm: -300 };
        since.routes.insert("/items/:id".to_owned(), grown);
        since.islands = Growth { html: 0, script: 0, wasm: -300 };
        let text = built(&rows, &index, &manifest, Some(&since), false);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].ends_with("    wasm  since the last build"), "{text}");
        assert!(lines[1].ends_with("       –"), "{text}");
        assert!(lines[2].ends_with("61.0 kB  HTML +1.2 kB, wasm −300 B"), "{text}");
        assert!(lines[5].ends_with("by brotli) · islands wasm −300 B"), "{text}");
        let painted = built(&rows, &index, &manifest, Some(&since), true);
        assert!(painted.contains("\u{1b}[31mHTML +1.2 kB, wasm −300 B\u{1b}[0m"), "more is red");
        assert!(painted.contains("\u{1b}[32mislands wasm −300 B\u{1b}[0m"), "less is green");
    }

    #[test]
    fn what_is_declared_is_shown_without_what_only_a_build_knows() {
        let (rows, ..) = example();
        let expected = "  route                mode    age  expire  tags
  /                    ssg     –    –       –
  /items/:id (closed)  isr     60s  1h      –
  /basket              server  –    –       –
";
        assert_eq!(declared(&rows, false), expected);
    }

    #[test]
    fn colours_do_not_move_the_columns() {
        let (rows, index, manifest) = example();
        let painted = built(&rows, &index, &manifest, None, true);
        assert!(painted.contains("\u{1b}[32mssg\u{1b}[0m"));
        let mut plain = String::new();
        let mut skipping = false;
        for c in painted.chars() {
            match c {
                '\u{1b}' => skipping = true,
                'm' if skipping => skipping = false,
                c if !skipping => plain.push(c),
                _ => {}
            }
        }
        assert_eq!(plain, built(&rows, &index, &manifest, None, false));
    }

    #[test]
    fn many_tags_are_counted() {
        let tags = |number: usize| (0..number).map(|n| format!("t{n}")).collect::<Vec<_>>();
        assert_eq!(shorten(&tags(0)), None);
        assert_eq!(shorten(&tags(3)).as_deref(), Some("t0, t1, t2"));
        assert_eq!(shorten(&tags(5)).as_deref(), Some("t0, t1, t2 +2"));
    }
}
