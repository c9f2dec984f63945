//! Why a path would hit or miss, as a server says it and as people read it.
//!
//! The server fills an [`Explanation`] and sends it as JSON; `cargo tropos explain` shows it as text. Plain data here,
//! and nothing that decides.

mod text;

use serde::{Deserialize, Serialize};

/// Everything about one path, as of now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The path that was asked about, with its query.
    pub asked: String,
    /// The route that it belongs to; `None` where there is none.
    pub route: Option<RouteFacts>,
    /// The query as it is declared and as it came.
    pub query: Option<QueryFacts>,
    /// What the page is stored under; `None` for what is not stored.
    pub key: Option<String>,
    /// The variants that the key is of, such as `ab=a`: those that count where no hook chooses. Each other choice has an
    /// entry of its own. Empty where the page declares none.
    #[serde(default)]
    pub variants: String,
    /// Whether hooks may decide before any of this: answer, lead elsewhere, or choose other variants.
    #[serde(default)]
    pub hooked: bool,
    /// Tags: those of the entry where there is one, else those that the route declares.
    pub tags: Vec<String>,
    /// Where the sequence of invalidations stands.
    pub sequence: u64,
    /// The entry.
    pub entry: Option<EntryFacts>,
    /// What would be answered now, and why.
    pub verdict: Verdict,
    /// The `Cache-Status` that a request would get first; `None` where the answer has none.
    pub cache_status: Option<String>,
    /// The last render that made no entry, where it is newer than the entry.
    pub last_unstored: Option<Unstored>,
}

/// A route, as it is declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteFacts {
    /// The page function.
    pub name: String,
    /// Its path.
    pub pattern: String,
    /// `ssg`, `isr`, `server` or `live`.
    pub mode: String,
    /// The age after which an entry is stale, such as `60s` or `never`; `None` where nothing is stored by age.
    pub revalidate: Option<String>,
    /// The age after which an entry may not be served.
    pub expire: Option<String>,
    /// Whether parameters that were not listed are not found.
    pub closed: bool,
    /// Where the page is written.
    pub source: String,
}

/// The query of a request, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryFacts {
    /// What is a part of the key, in its one spelling; empty where nothing is declared.
    pub canonical: String,
    /// Keys that came and never reach the page.
    pub ignored: Vec<String>,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFacts {
    /// `memory`, `disk`, `shared` or `build`.
    pub place: String,
    /// How long ago its render started, in milliseconds.
    pub age_ms: u64,
    /// The age after which it is stale, in milliseconds, by what was declared and what it read; `None`: never.
    pub revalidate_ms: Option<u64>,
    /// The age after which it may not be served, in milliseconds; `None`: no such age.
    pub expire_ms: Option<u64>,
    /// The number of the latest invalidation when its render started; `None` for what a build made.
    pub started_at_sequence: Option<u64>,
    /// Whether it says that there is no such page.
    pub not_found: bool,
    /// Its tags that were invalidated since.
    pub invalidated: Vec<Invalidated>,
    /// Renders of its successor that failed in a row.
    pub failures: u32,
}

/// A tag of an entry that was invalidated after the entry's render had started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalidated {
    /// The tag.
    pub tag: String,
    /// The number that the invalidation took.
    pub sequence: u64,
    /// Whether it was soft.
    pub soft: bool,
}

/// What would be answered, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// The entry, which is fresh.
    Hit {
        /// Seconds for which it stays fresh.
        ttl_seconds: i64,
    },
    /// The entry, which is stale.
    Stale {
        /// Why.
        why: StaleBecause,
        /// Whether one render replaces it meanwhile; false while the last failure is too recent.
        regenerates: bool,
    },
    /// A render.
    Render {
        /// Why no entry can be served.
        why: RenderBecause,
    },
    /// A render for each request: nothing of this mode is stored.
    Bypass,
    /// No page.
    Refused {
        /// The status.
        status: u16,
        /// Why.
        why: RefusedBecause,
        /// More about it, such as what is wrong with the path.
        detail: Option<String>,
    },
}

/// Why an entry is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StaleBecause {
    /// It is older than its revalidate age.
    Age,
    /// A tag on it was invalidated softly.
    Soft,
    /// The render of its successor failed.
    Error,
}

/// Why no entry can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RenderBecause {
    /// There is none.
    Absent,
    /// It is past its expire age.
    Expired,
    /// A tag on it was invalidated.
    Invalidated,
    /// It was made under another sequence of invalidations, so that nothing is known of its tags.
    OtherSequence,
    /// The shared store has been out of reach for too long to know whether it still holds.
    Unconfirmed,
}

/// Why there is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RefusedBecause {
    /// The path has no single meaning.
    Malformed,
    /// The address is longer than the server takes.
    TooLong,
    /// The path ends with a slash, and no page's does.
    TrailingSlash,
    /// No route has such a path.
    NoRoute,
    /// The route is closed, and the parameters were not listed.
    NotListed,
    /// The declared query cannot be read.
    Query,
    /// The build has no such page, and this mode makes none later.
    NotBuilt,
}

/// A render that made no entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unstored {
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
    /// Why.
    pub why: UnstoredBecause,
    /// What a failed render said.
    pub detail: Option<String>,
}

/// Why a render made no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UnstoredBecause {
    /// It failed.
    Failed,
    /// Something that it read was invalidated while it ran.
    Outdated,
    /// It read more tags than an entry may carry.
    TooManyTags,
    /// Its result may not be stored.
    Refused,
}
