//! Why a path would hit or miss: collects the facts. `tropos_core::explain` says how they are sent and shown.

use crate::{dispatch::LONGEST_TARGET, page::Route, routing::PageRoute, site::Site};
use std::{collections::HashSet, time::Duration};
use tropos_cache::{
    Decision, Miss, Reason, Stale, Stamp, Strength,
    decide::TTL_OF_NEVER,
    explain::{Looked, Note, Place, Unstored},
    http::CacheStatus,
};
use tropos_core::{
    CanonicalPath, Key, Mode, Params, Tick,
    age::Span,
    explain::{
        self, EntryFacts, Explanation, Invalidated, QueryFacts, RefusedBecause, RenderBecause, RouteFacts,
        StaleBecause, UnstoredBecause, Verdict,
    },
};

impl Site {
    /// What a request for `asked`, a path with or without a query, would be answered now, and why. Changes nothing.
    pub async fn explain(&self, asked: &str) -> Explanation {
        let sequence = self.engine.tags().current().sequence;
        let without_fragment = asked.split('#').next().unwrap_or_default();
        let (path, query) = without_fragment.split_once('?').unwrap_or((without_fragment, ""));
        let refused = |status, why, detail| refused(asked, sequence, status, why, detail);
        if path.len() + query.len() > LONGEST_TARGET {
            return refused(414, RefusedBecause::TooLong, None);
        }
        let path = match CanonicalPath::parse(path) {
            Ok(path) => path,
            Err(error) => return refused(400, RefusedBecause::Malformed, Some(format!("it {error}"))),
        };
        let Some((page, params)) = self.table.find(&path) else {
            let why = match path.has_trailing_slash() {
                true => RefusedBecause::TrailingSlash,
                false => RefusedBecause::NoRoute,
            };
            let api = self.api.is_some().then(|| "the application's API may answer it".to_owned());
            let hooked = !self.hooks.at_path(&path, None).is_empty();
            return Explanation { hooked, ..refused(404, why, api) };
        };
        let mut explanation = Explanation {
            route: Some(route_facts(&page.route)),
            hooked: !self.hooks.at_path(&path, Some(page.route.pattern())).is_empty(),
            ..refused(404, RefusedBecause::NotListed, None)
        };
        if !self.listed.has(page, path.as_str()) {
            return explanation;
        }
        let mode = page.route.mode();
        if !mode.is_stored() {
            explanation.verdict = Verdict::Bypass;
            explanation.cache_status = Some(CacheStatus::of(Reason::Bypass, mode).to_string());
            explanation.tags = shown_tags(&page.route, &path, &params);
            return explanation;
        }
        let canonical = match page.route.canonical_query(query) {
            Ok(canonical) => canonical,
            Err(detail) => {
                explanation.verdict =
                    Verdict::Refused { status: 404, why: RefusedBecause::Query, detail: Some(detail) };
                return explanation;
            }
        };
        let variants = page.route.inputs_of_build().variants;
        let key = Key::page_variant(page.route.pattern(), path.as_str(), &canonical, &variants);
        explanation.query = Some(QueryFacts { ignored: ignored(query, &canonical), canonical });
        self.explain_entry(&mut explanation, page, &key, shown_tags(&page.route, &path, &params)).await;
        (explanation.key, explanation.variants) = (Some(key.to_string()), variants);
        explanation
    }

    async fn explain_entry(
        &self,
        explanation: &mut Explanation,
        page: &PageRoute,
        key: &Key,
        declared: Vec<String>,
    ) {
        let mode = page.route.mode();
        let looked = self.engine.look(key).await;
        let by_build = mode == Mode::Ssg && self.dist.is_some();
        let (verdict, reason) = verdict(looked.as_ref(), by_build);
        explanation.verdict = verdict;
        let degraded = !by_build && looked.as_ref().is_some_and(|looked| looked.degraded);
        let status = |reason| match (CacheStatus::of(reason, mode), degraded) {
            (status, true) => status.degraded(),
            (status, false) => status,
        };
        explanation.cache_status = reason.map(|reason| status(reason).to_string());
        let note = self.engine.last_unstored(key);
        explanation.last_unstored = last_unstored(note, looked.as_ref(), self.engine.clock().now());
        explanation.tags = match &looked {
            Some(looked) => looked.meta.tags.iter().map(ToString::to_string).collect(),
            None => declared,
        };
        explanation.entry = looked.as_ref().map(entry_facts);
    }
}

fn refused(
    asked: &str,
    sequence: u64,
    status: u16,
    why: RefusedBecause,
    detail: Option<String>,
) -> Explanation {
    Explanation {
        asked: asked.to_owned(),
        route: None,
        query: None,
        key: None,
        variants: String::new(),
        hooked: false,
        tags: Vec::new(),
        sequence,
        entry: None,
        verdict: Verdict::Refused { status, why, detail },
        cache_status: None,
        last_unstored: None,
    }
}

fn shown_tags(route: &Route, path: &CanonicalPath, params: &Params) -> Vec<String> {
    route.tags(path.as_str(), params).iter().map(ToString::to_string).collect()
}

fn route_facts(route: &Route) -> RouteFacts {
    let by_age = route.mode() == Mode::Isr;
    RouteFacts {
        name: route.name().to_owned(),
        pattern: route.pattern().to_owned(),
        mode: route.mode().to_string(),
        revalidate: by_age.then(|| route.ages().revalidate().to_string()),
        expire: route.ages().expire().filter(|_| by_age).map(|expire| Span(expire).to_string()),
        closed: route.is_closed(),
        source: format!("{}:{}", route.spec.file, route.spec.line),
    }
}

/// Keys of the query that are no part of the canonical one.
fn ignored(query: &str, canonical: &str) -> Vec<String> {
    let keys = |query: &str| -> Vec<String> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        pairs.into_iter().map(|(name, _)| name).collect()
    };
    let (declared, mut seen) = (keys(canonical), HashSet::new());
    keys(query).into_iter().filter(|name| !declared.contains(name) && seen.insert(name.clone())).collect()
}

/// What would be answered from this entry, and the reason that goes with it. An entry that only a build makes is served
/// whatever its age and tags.
fn verdict(looked: Option<&Looked>, by_build: bool) -> (Verdict, Option<Reason>) {
    let missing = |why, miss| {
        (Verdict::Render { why }, Some(Reason::Miss { why: miss, stored: true, collapsed: false }))
    };
    let hit = |ttl| (Verdict::Hit { ttl_seconds: ttl }, Some(Reason::Hit { ttl }));
    match (looked, by_build) {
        (None, true) => (Verdict::Refused { status: 404, why: RefusedBecause::NotBuilt, detail: None }, None),
        (Some(_), true) => hit(TTL_OF_NEVER),
        (None, false) => missing(RenderBecause::Absent, Miss::Absent),
        (Some(looked), false) => match looked.decision {
            Decision::Hit { ttl_seconds } => hit(ttl_seconds),
            Decision::Stale { ttl_seconds: ttl, why, regenerate: regenerates } => {
                let because = match why {
                    Stale::Age => StaleBecause::Age,
                    Stale::Soft => StaleBecause::Soft,
                    Stale::Error => StaleBecause::Error,
                };
                (Verdict::Stale { why: because, regenerates }, Some(Reason::Stale { ttl, why }))
            }
            Decision::Miss { why } => {
                let because = match (why, looked.foreign) {
                    (Miss::Invalidated, true) => RenderBecause::OtherSequence,
                    (Miss::Invalidated, false) => RenderBecause::Invalidated,
                    (Miss::Expired, _) => RenderBecause::Expired,
                    (Miss::Unconfirmed, _) => RenderBecause::Unconfirmed,
                    (Miss::Absent | Miss::Stale, _) => RenderBecause::Absent,
                };
                missing(because, why)
            }
        },
    }
}

fn entry_facts(looked: &Looked) -> EntryFacts {
    let Looked { meta, .. } = looked;
    let place = match looked.place {
        Place::Memory => "memory",
        Place::Disk => "disk",
        Place::Shared => "shared",
        Place::Build => "build",
        _ => "store",
    };
    let cause = |(tag, strength, sequence): &(tropos_core::Tag, Strength, u64)| Invalidated {
        tag: tag.to_string(),
        sequence: *sequence,
        soft: *strength == Strength::Soft,
    };
    EntryFacts {
        place: place.to_owned(),
        age_ms: millis(looked.age),
        revalidate_ms: meta.revalidate.map(millis),
        expire_ms: meta.expire.map(millis),
        started_at_sequence: (meta.stamp != Stamp::BUILD).then_some(meta.stamp.sequence),
        not_found: meta.negative,
        invalidated: looked.invalidated.iter().map(cause).collect(),
        failures: looked.backoff.failures,
    }
}

/// The last render that made no entry, unless an entry has been made since.
fn last_unstored(note: Option<Note>, looked: Option<&Looked>, now: Tick) -> Option<explain::Unstored> {
    let note = note.filter(|note| looked.is_none_or(|looked| note.at > looked.meta.started))?;
    let (why, detail) = match note.why {
        Unstored::Failed(text) => (UnstoredBecause::Failed, Some(text)),
        Unstored::Outdated => (UnstoredBecause::Outdated, None),
        Unstored::TooManyTags => (UnstoredBecause::TooManyTags, None),
        _ => (UnstoredBecause::Refused, None),
    };
    Some(explain::Unstored { ago_ms: millis(now.since(note.at)), why, detail })
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_not_declared_are_named_once() {
        assert_eq!(ignored("page=2&utm=x&utm=y&ref=z", "page=2"), ["utm", "ref"]);
        assert_eq!(ignored("page=2", "page=2"), [] as [&str; 0]);
        assert_eq!(ignored("", "page=1"), [] as [&str; 0]);
    }

    #[test]
    fn a_page_that_only_a_build_makes_is_there_or_it_is_not() {
        let (verdict, reason) = verdict(None, true);
        assert!(matches!(verdict, Verdict::Refused { status: 404, why: RefusedBecause::NotBuilt, .. }));
        assert_eq!(reason, None);
        assert!(matches!(super::verdict(None, false).0, Verdict::Render { why: RenderBecause::Absent }));
    }
}
