//! Which page is asked for, by its address. Pure.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tropos_telemetry::trace::TraceId;

/// Where the dashboard begins.
pub(super) const ROOT: &str = "/dashboard";

/// What is written into a filter is cut at so many characters: routes and tags are shorter.
const LONGEST_FILTER: usize = 200;

/// A page of the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The last requests, and how the parts stand.
    Overview,
    /// The last traces.
    Traces(TracesOf),
    /// One trace.
    Trace(TraceId),
    /// The slowest routes and queries.
    Slowest,
    /// What the cache holds.
    Cache(CacheOf),
    /// Pools and servers.
    Database,
    /// Open pages.
    Live,
    /// Business figures beside latency.
    Business,
}

/// Which traces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TracesOf {
    pub(super) only: Only,
    /// The pattern of a route.
    pub(super) route: Option<String>,
}

/// Which traces, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Only {
    #[default]
    All,
    Slow,
    Failed,
}

impl Only {
    pub(super) const ALL: [Self; 3] = [Self::All, Self::Slow, Self::Failed];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Slow => "slow",
            Self::Failed => "failed",
        }
    }
}

/// Which entries, and what was done to them before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CacheOf {
    /// A route, a cached function, or `fetch`.
    pub(super) source: Option<String>,
    pub(super) tag: Option<String>,
    /// The sequence of an invalidation that was asked for here.
    pub(super) invalidated: Option<u64>,
}

/// The pages that the navigation names.
pub(super) fn sections() -> [(&'static str, Asked); 7] {
    [
        ("Requests", Asked::Overview),
        ("Traces", Asked::Traces(TracesOf::default())),
        ("Slowest", Asked::Slowest),
        ("Cache", Asked::Cache(CacheOf::default())),
        ("Database", Asked::Database),
        ("Live pages", Asked::Live),
        ("Business", Asked::Business),
    ]
}

impl Asked {
    /// By the path and the query; `None` where there is no such page.
    pub(super) fn parse(path: &str, query: &str) -> Option<Self> {
        let beneath = path.strip_prefix(ROOT)?;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        let named = |name: &str| {
            let (_, value) = pairs.iter().find(|(known, value)| known == name && !value.is_empty())?;
            Some(value.chars().take(LONGEST_FILTER).collect::<String>())
        };
        Some(match beneath {
            "" | "/" => Self::Overview,
            "/traces" => {
                let only = named("only").unwrap_or_default();
                let only = Only::ALL.into_iter().find(|known| known.as_str() == only).unwrap_or_default();
                Self::Traces(TracesOf { only, route: named("route") })
            }
            "/slowest" => Self::Slowest,
            "/cache" => Self::Cache(CacheOf {
                source: named("source"),
                tag: named("tag"),
                invalidated: named("invalidated").and_then(|number| number.parse().ok()),
            }),
            "/database" => Self::Database,
            "/live" => Self::Live,
            "/business" => Self::Business,
            _ => Self::Trace(TraceId::parse(beneath.strip_prefix("/trace/")?)?),
        })
    }

    /// The address of the page, always spelled the same way.
    pub(super) fn href(&self) -> String {
        match self {
            Self::Overview => ROOT.to_owned(),
            Self::Traces(of) => {
                let only = Some(of.only).filter(|only| *only != Only::All).map(Only::as_str);
                with_query("traces", &[("only", only), ("route", of.route.as_deref())])
            }
            Self::Trace(id) => format!("{ROOT}/trace/{id}"),
            Self::Slowest => format!("{ROOT}/slowest"),
            Self::Cache(of) => {
                let number = of.invalidated.map(|number| number.to_string());
                let query = [
                    ("source", of.source.as_deref()),
                    ("tag", of.tag.as_deref()),
                    ("invalidated", number.as_deref()),
                ];
                with_query("cache", &query)
            }
            Self::Database => format!("{ROOT}/database"),
            Self::Live => format!("{ROOT}/live"),
            Self::Business => format!("{ROOT}/business"),
        }
    }

    /// What the page is called.
    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::Overview => "Requests",
            Self::Traces(_) => "Traces",
            Self::Trace(_) => "Trace",
            Self::Slowest => "Slowest",
            Self::Cache(_) => "Cache",
            Self::Database => "Database",
            Self::Live => "Live pages",
            Self::Business => "Business",
        }
    }

    /// Whether `section` is the part of the navigation that this page belongs to.
    pub(super) fn is_in(&self, section: &Self) -> bool {
        use std::mem::discriminant;
        match (self, section) {
            (Self::Trace(_), Self::Traces(_)) => true,
            _ => discriminant(self) == discriminant(section),
        }
    }
}

fn with_query(page: &str, pairs: &[(&str, Option<&str>)]) -> String {
    let mut href = format!("{ROOT}/{page}");
    let mut mark = '?';
    for (name, value) in pairs.iter().filter_map(|(name, value)| value.map(|value| (name, value))) {
        href.push(mark);
        href.push_str(&format!("{name}={}", encoded(value)));
        mark = '&';
    }
    href
}

/// A text as a part of a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_of_one_page_and_is_spelled_one_way() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        for (asked, spelled) in [
            ("/dashboard", "/dashboard"),
            ("/dashboard/", "/dashboard"),
            ("/dashboard?x=1", "/dashboard"),
            ("/dashboard/traces", "/dashboard/traces"),
            ("/dashboard/traces?only=all&route=", "/dashboard/traces"),
            ("/dashboard/traces?only=slow", "/dashboard/traces?only=slow"),
            ("/dashboard/traces?route=/a/:b&only=failed", "/dashboard/traces?only=failed&route=%2Fa%2F%3Ab"),
            ("/dashboard/traces?only=wrong", "/dashboard/traces"),
            ("/dashboard/cache?tag=a-1&source=fetch", "/dashboard/cache?source=fetch&tag=a%2D1"),
            ("/dashboard/cache?invalidated=12", "/dashboard/cache?invalidated=12"),
            ("/dashboard/cache?invalidated=<b>", "/dashboard/cache"),
            (&format!("/dashboard/trace/{id}"), &format!("/dashboard/trace/{id}")),
        ] {
            let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
            let page = Asked::parse(path, query).unwrap();
            assert_eq!(page.href(), spelled, "{asked}");
            let (path, query) = spelled.split_once('?').unwrap_or((spelled, ""));
            assert_eq!(Asked::parse(path, query), Some(page), "{spelled}");
        }
        for (_, section) in sections() {
            assert_eq!(Asked::parse(&section.href(), ""), Some(section));
        }
    }

    #[test]
    fn what_is_no_page_is_none() {
        for path in [
            "/",
            "/dashboardx",
            "/dashboard/x",
            "/dashboard/trace/",
            "/dashboard/trace/0",
            "/dashboard/trace/x",
        ] {
            assert_eq!(Asked::parse(path, ""), None, "{path}");
        }
    }

    #[test]
    fn what_is_written_into_a_filter_is_bounded() {
        let long = "x".repeat(10_000);
        let asked = Asked::parse("/dashboard/cache", &format!("tag={long}")).unwrap();
        assert!(asked.href().len() < 300);
    }
}
