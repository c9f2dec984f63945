//! What is known of one answer, or of one render in the background.

use super::{ring::Ring, why};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tropos_cache::{Meta, Reason, Scope};
use tropos_core::{Key, Tags, Tick, manifest::Manifest};
use xxhash_rust::xxh3::xxh3_64;

/// Pieces of work that one record keeps: more than a page should have. Others are counted.
const MOST_WORK: usize = 300;

/// Tags that one record names; others are counted.
const MOST_TAGS: usize = 200;

/// Bytes of each text of a piece of work; longer ones are cut. A statement of this length fills two screens.
pub(super) const LONGEST_TEXT: usize = 2_000;

/// Names of cookies that one record keeps.
const MOST_COOKIES: usize = 32;

/// A part of a request that a page may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    Headers = 1,
    Cookies = 2,
    Session = 4,
    Query = 8,
    Draft = 16,
    /// Anything of it that belongs to its sender, however it was taken.
    Sender = 32,
    /// What hooks made of it: variants, and values that they left.
    Hooks = 64,
}

/// The parts of a request that one render read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Parts(pub(crate) u8);

impl Parts {
    pub(crate) fn has(self, part: Part) -> bool {
        self.0 & part as u8 != 0
    }
}

/// What a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// An answer to a request.
    #[default]
    Answer,
    /// A render that replaces a stale entry while that is served.
    Background,
}

/// One answer or render, as `/dev/renders/ID` gives it. Times are in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    /// The answer that caused this render in the background.
    pub(crate) caused_by: Option<u64>,
    /// When it began, in milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The query as it came.
    pub(crate) query: String,
    /// The pattern of the route.
    pub(crate) route: String,
    /// The page function.
    pub(crate) name: String,
    pub(crate) mode: String,
    /// Where the page is written.
    pub(crate) source: String,
    pub(crate) status: u16,
    pub(crate) cache_status: Option<String>,
    /// The same in plain language.
    pub(crate) why: Option<String>,
    /// What the entry is stored under.
    pub(crate) key: Option<String>,
    /// How old the entry was when it was answered.
    pub(crate) age_ms: Option<u64>,
    /// The age after which the entry is stale; none: never.
    pub(crate) revalidate_ms: Option<u64>,
    /// The age after which the entry may not be served; none: no such age.
    pub(crate) expire_ms: Option<u64>,
    /// The tags of all that was read, without those of the path.
    pub(crate) tags: Vec<String>,
    pub(crate) tags_left_out: usize,
    /// Until the head of the answer was there.
    pub(crate) head_ms: Option<f64>,
    /// Until the last byte; none while it runs.
    pub(crate) total_ms: Option<f64>,
    /// Whether it is over.
    pub(crate) done: bool,
    pub(crate) work: Vec<Work>,
    pub(crate) work_left_out: usize,
    pub(crate) read: Read,
    pub(crate) islands: Vec<Islands>,
    /// What a page with islands loads for them; none where the application has none.
    pub(crate) islands_files: Option<IslandsFiles>,
    /// Length of the HTML, uncompressed; none where there was no body.
    pub(crate) html_bytes: Option<usize>,
    /// For an answer that was stored: the record of the render that made it, where it is still kept.
    pub(crate) made_by: Option<u64>,
    /// The trace that the request belongs to (W3C Trace Context).
    pub(crate) trace: Option<String>,
    /// What a failed render said, with its causes.
    pub(crate) failure: Option<String>,
}

/// What of the request was read.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Read {
    pub(crate) headers: bool,
    pub(crate) cookies: bool,
    /// The names of the cookies that were looked at.
    pub(crate) cookie_names: BTreeSet<String>,
    pub(crate) session: bool,
    pub(crate) query: bool,
    pub(crate) draft: bool,
    /// Variants, or values that hooks left.
    pub(crate) hooks: bool,
}

/// All islands of one kind in a page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Islands {
    pub(crate) name: String,
    pub(crate) count: usize,
    /// The bytes of their props in the HTML.
    pub(crate) props_bytes: usize,
}

/// The lengths of the files that hold all islands of the application, uncompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct IslandsFiles {
    pub(crate) script_bytes: u64,
    pub(crate) wasm_bytes: u64,
}

impl IslandsFiles {
    pub(crate) fn of(manifest: &Manifest) -> Option<Self> {
        let islands = manifest.islands.as_ref()?;
        let bytes = |name: &str| manifest.assets.get(name).map_or(0, |asset| asset.bytes);
        Some(Self { script_bytes: bytes(&islands.script), wasm_bytes: bytes(&islands.wasm) })
    }
}

/// What a piece of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WorkKind {
    Query,
    Fetch,
    Function,
}

/// A query, a fetch or a cached function. Times are in milliseconds from the beginning of the record.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Work {
    /// From 1, in the order of their beginning.
    pub(crate) id: usize,
    /// The piece of work within which this one was done.
    pub(crate) parent: Option<usize>,
    pub(crate) kind: WorkKind,
    /// The summary of a statement, the method of a fetch, the name of a function.
    pub(crate) name: String,
    /// The statement without values, the address without its query.
    pub(crate) text: String,
    /// The server that answered a query.
    pub(crate) server: Option<String>,
    pub(crate) rows: Option<u64>,
    /// The status of a fetch.
    pub(crate) status: Option<u64>,
    /// What the cache did, in the words of `Cache-Status`.
    pub(crate) cache: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) start_ms: f64,
    pub(crate) took_ms: Option<f64>,
}

impl Work {
    pub(crate) fn new(kind: WorkKind) -> Self {
        Self {
            id: 0,
            parent: None,
            kind,
            name: String::new(),
            text: String::new(),
            server: None,
            rows: None,
            status: None,
            cache: None,
            error: None,
            start_ms: 0.0,
            took_ms: None,
        }
    }
}

/// A record while it is being written.
pub(crate) struct Recording {
    pub(crate) id: u64,
    pub(crate) ring: Weak<Ring>,
    began: Instant,
    parts: AtomicU8,
    panicked: AtomicBool,
    /// Whether a render made something in it.
    rendered: AtomicBool,
    /// Whether the page changed something elsewhere as it was rendered.
    acted: AtomicBool,
    state: Mutex<State>,
}

struct State {
    record: Record,
    /// What the page was rendered in, until it is over.
    scope: Option<Scope>,
    reason: Option<Reason>,
    /// The cookies that were looked at, with hashes of their values.
    cookies: BTreeMap<String, u64>,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Recording {
    pub(crate) fn new(ring: Weak<Ring>, record: Record) -> Self {
        Self {
            id: record.id,
            ring,
            began: Instant::now(),
            parts: AtomicU8::default(),
            panicked: AtomicBool::default(),
            rendered: AtomicBool::default(),
            acted: AtomicBool::default(),
            state: Mutex::new(State { record, scope: None, reason: None, cookies: BTreeMap::new() }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a part of the request was read.
    pub(crate) fn reads(&self, part: Part) {
        self.parts.fetch_or(part as u8, Ordering::Relaxed);
    }

    /// Notes which cookie was looked at, and a hash of what was found.
    pub(crate) fn reads_cookie(&self, name: &str, value: Option<&str>) {
        let mut state = self.lock();
        if state.cookies.len() < MOST_COOKIES {
            state.record.read.cookie_names.insert(name.to_owned());
            let hash = value.map_or(0, |value| xxh3_64(value.as_bytes()).max(1));
            state.cookies.insert(name.to_owned(), hash);
        }
    }

    /// What was found in the cookies that were looked at, where nothing else of who asks was read; `None` where it was, so
    /// that nobody can tell which visitors are alike to the page.
    pub(crate) fn read_value(&self) -> Option<u64> {
        let known = Part::Cookies as u8 | Part::Sender as u8 | Part::Query as u8 | Part::Draft as u8;
        let state = self.lock();
        let all = self.parts().0 & !known == 0 && state.cookies.len() < MOST_COOKIES;
        all.then(|| xxh3_64(format!("{:?}", state.cookies).as_bytes()))
    }

    pub(crate) fn parts(&self) -> Parts {
        Parts(self.parts.load(Ordering::Relaxed))
    }

    /// The scope that the page renders in: its tags are read when it is over.
    pub(crate) fn within(&self, scope: &Scope) {
        self.rendered.store(true, Ordering::Relaxed);
        self.lock().scope = Some(scope.clone());
    }

    /// What the cache answered for a page that is stored.
    pub(crate) fn answered(&self, key: &Key, meta: Option<&Meta>, reason: Reason, degraded: bool, now: Tick) {
        let collapsed = matches!(reason, Reason::Miss { collapsed: true, .. });
        if matches!(reason, Reason::Miss { .. }) && !collapsed {
            self.rendered.store(true, Ordering::Relaxed);
        }
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let mut state = self.lock();
        state.reason = Some(reason);
        let record = &mut state.record;
        record.key = Some(key.to_string());
        record.why = Some(why::of_stored(reason, degraded));
        if let Some(meta) = meta {
            record.age_ms = Some(ms(now.since(meta.started)));
            record.revalidate_ms = meta.revalidate.map(ms);
            record.expire_ms = meta.expire.map(ms);
            note_tags(record, &meta.tags);
        }
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        self.lock().reason
    }

    /// Whether a panic within it has been told of.
    pub(crate) fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed)
    }

    pub(crate) fn panics(&self) {
        self.panicked.store(true, Ordering::Relaxed);
    }

    /// Whether the page changed something elsewhere; known when it is over.
    pub(crate) fn has_acted(&self) -> bool {
        self.acted.load(Ordering::Relaxed)
    }

    pub(crate) fn has_rendered(&self) -> bool {
        self.rendered.load(Ordering::Relaxed)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.lock().record);
    }

    pub(crate) fn look<R>(&self, look: impl FnOnce(&Record) -> R) -> R {
        look(&self.lock().record)
    }

    pub(crate) fn elapsed_ms(&self) -> f64 {
        ms(self.began.elapsed())
    }

    /// Adds a piece of work that begins now; `None` where there are too many.
    pub(crate) fn begin(&self, mut work: Work, parent: Option<usize>) -> Option<usize> {
        let start = self.elapsed_ms();
        let mut state = self.lock();
        let record = &mut state.record;
        if record.work.len() >= MOST_WORK {
            record.work_left_out += 1;
            return None;
        }
        (work.id, work.parent, work.start_ms) = (record.work.len() + 1, parent, start);
        let id = work.id;
        record.work.push(work);
        Some(id)
    }

    /// Changes a piece of work.
    pub(crate) fn work(&self, id: usize, change: impl FnOnce(&mut Work)) {
        if let Some(work) = self.lock().record.work.get_mut(id - 1) {
            change(work);
        }
    }

    /// It is over: what can only be known now is noted.
    pub(crate) fn finish(&self) {
        let (total, parts) = (self.elapsed_ms(), self.parts());
        let mut state = self.lock();
        let scope = state.scope.take();
        let record = &mut state.record;
        if record.done {
            return;
        }
        record.done = true;
        record.total_ms = Some(total);
        record.read.headers = parts.has(Part::Headers);
        record.read.cookies = parts.has(Part::Cookies);
        record.read.session = parts.has(Part::Session);
        record.read.query = parts.has(Part::Query);
        record.read.draft = parts.has(Part::Draft);
        record.read.hooks = parts.has(Part::Hooks);
        if let Some(scope) = scope {
            self.acted.store(scope.has_effects(), Ordering::Relaxed);
            note_tags(record, &scope.reads().tags);
        }
    }
}

/// The sum of what was done of a kind, in milliseconds; what ran within another of the kind counts once.
pub(crate) fn total(record: &Record, kind: WorkKind) -> f64 {
    let of_kind = record.work.iter().filter(|work| work.kind == kind);
    // The sum of nothing is a negative zero.
    rounded(of_kind.filter_map(|work| work.took_ms).sum::<f64>() + 0.0)
}

pub(crate) fn ms(span: Duration) -> f64 {
    rounded(span.as_secs_f64() * 1000.0)
}

/// To hundredths: more digits would be noise.
fn rounded(ms: f64) -> f64 {
    (ms * 100.0).round() / 100.0
}

/// Those of the path every page carries; they say nothing.
pub(crate) fn note_tags(record: &mut Record, tags: &Tags) {
    let named: Vec<&str> = tags.iter().filter(|tag| !tag.is_internal()).map(|tag| tag.as_str()).collect();
    record.tags_left_out = named.len().saturating_sub(MOST_TAGS);
    record.tags = named.into_iter().take(MOST_TAGS).map(str::to_owned).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_islands_load_is_known_by_the_manifest() {
        let manifest = |islands: &str| {
            let text = format!(
                r#"{{"version":1,"build_id":"b","islands":{islands},"assets":{{"app.js":{{"file":"a","bytes":7}},"app.wasm":{{"file":"b","bytes":9}}}}}}"#
            );
            IslandsFiles::of(&serde_json::from_str(&text).unwrap())
        };
        let files = IslandsFiles { script_bytes: 7, wasm_bytes: 9 };
        assert_eq!(manifest(r#"{"script":"app.js","wasm":"app.wasm"}"#), Some(files));
        assert_eq!(manifest("null"), None);
    }
}
