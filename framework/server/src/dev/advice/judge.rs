//! What the counts of a route mean. Pure, and never a false accusation: where anything seen speaks against a finding,
//! nothing is said.

use super::counts::Seen;
use std::time::Duration;
use tropos_core::{
    Ages, Mode, Revalidate,
    advice::{Finding, Rule, Saving},
    age::Span,
};

/// Fewer answers say nothing.
pub(crate) const FEWEST_ANSWERS: u64 = 20;

/// A `server` page must have been asked for by visitors with different cookies: one visitor is always the same.
const FEWEST_VISITORS: u64 = 2;

/// The cookies that a page looks at must have had so many different values, for it to be called the same for all.
const FEWEST_VALUES: u64 = 5;

/// So many answers must have been compared with another under the same address.
const FEWEST_COMPARED: u64 = 10;

/// That an address is never asked for twice is believed of more answers alone: a page with many addresses may be asked for
/// under one after the other, and then again.
const FEWEST_ADDRESSES: u64 = 100;

/// A page that would be rendered almost as often in another mode is left alone.
const LEAST_SAVING_PERCENT: u64 = 20;

/// A rate is told of what was seen for a minute at least, in milliseconds: a sample that is sent at once has none.
const LEAST_SPAN: u64 = 60_000;

/// A day, in milliseconds.
const DAY: u64 = 86_400_000;

/// A route, as it is declared.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    pub(crate) pattern: &'static str,
    pub(crate) mode: Mode,
    pub(crate) ages: Ages,
    pub(crate) source: String,
    /// Whether the queries of its renders are counted.
    pub(crate) counts_queries: bool,
}

/// Whether enough was seen to judge the route by.
pub(crate) fn is_enough(route: &Declared, seen: &Seen) -> bool {
    match route.mode {
        Mode::Server => seen.answers >= FEWEST_ANSWERS && seen.visitors() >= FEWEST_VISITORS,
        Mode::Isr => seen.answers >= FEWEST_ANSWERS,
        // Made by the build, or kept open: there is nothing to save.
        Mode::Ssg | Mode::Live => false,
    }
}

/// What there is to say of a route.
pub(crate) fn judge(route: &Declared, seen: &Seen) -> Option<Finding> {
    if !is_enough(route, seen) {
        return None;
    }
    let (rule, reason, advice, saving) = match route.mode {
        Mode::Server => of_server(route, seen)?,
        Mode::Isr => {
            let (rule, reason, advice) = of_isr(route, seen)?;
            (rule, reason, advice, None)
        }
        Mode::Ssg | Mode::Live => return None,
    };
    Some(Finding {
        rule,
        name: route.name.to_owned(),
        pattern: route.pattern.to_owned(),
        mode: route.mode.as_str().to_owned(),
        source: route.source.clone(),
        reason,
        advice,
        saving,
    })
}

/// A `server` page whose answers were alike.
fn of_server(route: &Declared, seen: &Seen) -> Option<(Rule, String, String, Option<Saving>)> {
    // A page that shows the clock or something by chance answers otherwise each time, and so does one whose data changes
    // without an invalidation: stored, it would be wrong. And one that writes would not write each time any more.
    if seen.compared < FEWEST_COMPARED || seen.differed > 0 || seen.acted > 0 {
        return None;
    }
    let saving = saving(route, seen).filter(|saving| saving.renders_percent >= LEAST_SAVING_PERCENT)?;
    let answers = seen.answers;
    if seen.read_visitor == 0 {
        let (but, query) = match seen.read_query {
            0 => ("", ""),
            _ => (" but its query", ", with the query declared by `query = …`"),
        };
        let reason = format!(
            "in {answers} renders for {} visitors it read nothing of the request{but}, and answered the same wherever it was asked the same",
            seen.visitors()
        );
        let advice = format!("declare it `isr`{query}: {}", when_to_renew(seen));
        return Some((Rule::ReadsNothing, reason, advice, Some(saving)));
    }
    // What it reads only sometimes it may need the other times as well. And visitors must differ in what it looks at: a
    // page that shows a basket is the same for all who have none. So a page that reads the session, all headers or what
    // hooks left is not judged: nobody can tell in what its visitors differ to it.
    let always = seen.read_visitor == answers;
    let differ = seen.read_more == 0 && seen.read_values() >= FEWEST_VALUES;
    if !always || !differ || seen.anonymous == 0 || seen.compared_across < FEWEST_COMPARED {
        return None;
    }
    let reason = format!(
        "it reads {}, and its {answers} answers to {} visitors, those without cookies among them, were the same for all",
        read(seen),
        seen.visitors()
    );
    let advice = format!(
        "if nothing that it shows depends on who asks, take that out of its arguments (or read it in an island) and declare it `isr`: {}",
        when_to_renew(seen)
    );
    Some((Rule::SameForAll, reason, advice, Some(saving)))
}

/// An `isr` page that was never found fresh, and why.
fn of_isr(route: &Declared, seen: &Seen) -> Option<(Rule, String, String)> {
    let cache = &seen.cache;
    if cache.fresh > 0 || cache.asked < FEWEST_ANSWERS {
        return None;
    }
    let again = cache.asked - cache.first - cache.unstored;
    // Nine of ten, and enough of them: the odd one out does not change what is to be done.
    let mostly = |count: u64| count * 10 >= again * 9 && again >= FEWEST_COMPARED;
    if mostly(cache.invalidated) {
        let tags = tags(seen);
        let reason = format!(
            "invalidated before each of {} reads; never answered while it was fresh",
            cache.invalidated
        );
        let advice = format!(
            "invalidate more narrowly{}: one tag for each thing, not one for all; where it really changes that often, declare it `server`",
            if tags.is_empty() { String::new() } else { format!(" (it carries {tags})") }
        );
        return Some((Rule::AlwaysInvalidated, reason, advice));
    }
    if mostly(cache.too_old) {
        let gap = Span(Duration::from_secs((cache.gaps_ms / cache.gaps.max(1) / 1_000).max(1)));
        let stale = Span(Duration::from_millis(cache.revalidate_ms?));
        let reason = format!(
            "stale at each of {} reads: it is asked for every {gap} or so, and stale after {stale}",
            cache.too_old
        );
        let own = matches!(route.ages.revalidate(), Revalidate::After(own) if own <= stale.0);
        let advice = match own {
            true => {
                "give it a longer `revalidate`, or `never` with tags that are invalidated when its data changes"
            }
            false => {
                "a fetch or cached function that it reads is stale earlier than the page would be: give that a longer age, or tags"
            }
        };
        let advice = advice.to_owned();
        return Some((Rule::TooShort, reason, advice));
    }
    if mostly(cache.gone) {
        let reason = format!("driven out of the store before each of {} reads", cache.gone);
        let advice = "give the store more room: `cache_bytes`".into();
        return Some((Rule::DrivenOut, reason, advice));
    }
    if cache.unstored * 10 >= cache.asked * 9 {
        let reason = format!("none of its {} renders was stored", cache.unstored);
        let advice = "ask `cargo tropos explain` with one of its paths why not; what may not be stored is a `server` page".into();
        return Some((Rule::NeverStored, reason, advice));
    }
    if cache.first == cache.asked && cache.asked >= FEWEST_ADDRESSES && seen.beyond == 0 {
        let reason = format!("asked for under {} addresses, under none of them twice", seen.targets());
        let advice =
            "declare it `server`, or leave keys out of its declared query that make no difference".into();
        return Some((Rule::NeverTwice, reason, advice));
    }
    None
}

fn when_to_renew(seen: &Seen) -> String {
    match tags(seen) {
        tags if tags.is_empty() => {
            "with a `revalidate` as long as its data may be old, or `never` and tags on what it reads".into()
        }
        tags => format!(
            "`revalidate = \"never\"` is enough where its tags ({tags}) are invalidated when its data changes"
        ),
    }
}

/// The tags that most answers carried.
fn tags(seen: &Seen) -> String {
    const MOST: usize = 5;
    let mut tags: Vec<(&String, u64)> = seen.tags.iter().map(|(tag, count)| (tag, *count)).collect();
    tags.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = if tags.len() > MOST { ", …" } else { "" };
    let named: Vec<String> = tags.iter().take(MOST).map(|(tag, _)| format!("`{tag}`")).collect();
    if named.is_empty() { String::new() } else { format!("{}{more}", named.join(", ")) }
}

fn read(seen: &Seen) -> String {
    let parts = [
        (seen.read_cookies, "cookies"),
        (seen.read_headers, "headers"),
        (seen.read_session, "the session"),
        (seen.read_hooks, "what hooks left"),
    ];
    let read: Vec<&str> = parts.iter().filter(|(count, _)| *count > 0).map(|(_, name)| *name).collect();
    if read.is_empty() { "the request".into() } else { read.join(" and ") }
}

/// What one render for each address would have saved.
fn saving(route: &Declared, seen: &Seen) -> Option<Saving> {
    let compared = seen.answers.checked_sub(seen.beyond)?;
    let needless = compared.checked_sub(seen.targets())?;
    let renders_percent = needless * 100 / compared.max(1);
    let span = u64::try_from(seen.last_ms.saturating_sub(seen.first_ms)).unwrap_or(0);
    let a_day = |total: u64| {
        let total = u128::from(total) * u128::from(renders_percent) / 100;
        let a_day = total * u128::from(DAY) / u128::from(span.max(1));
        (span >= LEAST_SPAN).then(|| u64::try_from(a_day).unwrap_or(u64::MAX))
    };
    Some(Saving {
        renders_percent,
        us_each: seen.took_us / seen.answers.max(1),
        ms_a_day: a_day(seen.took_us).map(|us| us / 1_000),
        queries_a_day: a_day(seen.queries).filter(|_| route.counts_queries),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::dev::{
        advice::counts::Sample,
        record::{Part, Parts},
    };
    use tropos_cache::{Miss, Reason, Stale, Stamp};

    pub(crate) fn sample() -> Sample {
        Sample {
            target: 1,
            visitor: 0,
            stamp: Stamp::BUILD,
            at_ms: 0,
            parts: Parts::default(),
            read_value: Some(0),
            status: 200,
            body: 7,
            acts: false,
            revalidate_ms: Some(2_000),
            took_us: 4_000,
            queries: 2,
            tags: Vec::new(),
            reason: None,
        }
    }

    fn declared(mode: Mode) -> Declared {
        Declared {
            name: "Terms",
            pattern: "/terms",
            mode,
            ages: Ages::from_millis(Some(2_000), None),
            source: "src/pages.rs:1".into(),
            counts_queries: true,
        }
    }

    /// What is found after so many answers, each made by its number.
    fn found(mode: Mode, count: u64, each: impl Fn(u64) -> Sample) -> Option<Finding> {
        found_where(mode, count, each, false)
    }

    /// The same, where something that the page reads is invalidated between any two answers.
    fn found_where(mode: Mode, count: u64, each: impl Fn(u64) -> Sample, changed: bool) -> Option<Finding> {
        let mut seen = Seen::default();
        for at in 0..count {
            seen.add(&Sample { at_ms: i64::try_from(at * 1_000).unwrap(), ..each(at) }, |_| changed);
        }
        judge(&declared(mode), &seen)
    }

    fn rule(mode: Mode, count: u64, each: impl Fn(u64) -> Sample) -> Option<Rule> {
        found(mode, count, each).map(|finding| finding.rule)
    }

    const COOKIES: Parts = Parts(Part::Cookies as u8 | Part::Sender as u8);
    const QUERY: Parts = Parts(Part::Query as u8);

    #[test]
    fn of_server_pages() {
        let visitor = |at: u64| at % 3;
        type Each = Box<dyn Fn(u64) -> Sample>;
        let cases: Vec<(&str, u64, Each, Option<Rule>)> = vec![
            (
                "reads nothing",
                40,
                Box::new(move |at| Sample { visitor: visitor(at), ..sample() }),
                Some(Rule::ReadsNothing),
            ),
            ("too few answers", 19, Box::new(move |at| Sample { visitor: visitor(at), ..sample() }), None),
            ("one visitor", 400, Box::new(|_| sample()), None),
            (
                "reads its query alone",
                40,
                Box::new(move |at| Sample {
                    visitor: visitor(at),
                    parts: QUERY,
                    target: at % 4,
                    body: at % 4,
                    ..sample()
                }),
                Some(Rule::ReadsNothing),
            ),
            (
                "another address each time",
                400,
                Box::new(move |at| Sample { visitor: visitor(at), target: at, ..sample() }),
                None,
            ),
            (
                "an address twice",
                400,
                Box::new(move |at| Sample { visitor: visitor(at), target: at / 2, ..sample() }),
                Some(Rule::ReadsNothing),
            ),
            (
                "shows the clock",
                40,
                Box::new(move |at| Sample { visitor: visitor(at), body: at, ..sample() }),
                None,
            ),
            (
                "shows the clock in minutes",
                400,
                Box::new(move |at| Sample { visitor: visitor(at), body: at / 60, ..sample() }),
                None,
            ),
            (
                "reads a cookie sometimes",
                40,
                Box::new(move |at| Sample {
                    visitor: visitor(at),
                    parts: if at == 20 { COOKIES } else { Parts(0) },
                    ..sample()
                }),
                None,
            ),
            (
                "reads cookies, and is the same for all",
                60,
                Box::new(move |at| Sample {
                    visitor: visitor(at),
                    parts: COOKIES,
                    read_value: Some(at % 6),
                    ..sample()
                }),
                Some(Rule::SameForAll),
            ),
            (
                "reads cookies that nobody has",
                60,
                Box::new(move |at| Sample { visitor: visitor(at), parts: COOKIES, ..sample() }),
                None,
            ),
            (
                "reads the session",
                60,
                Box::new(move |at| Sample {
                    visitor: visitor(at),
                    parts: COOKIES,
                    read_value: None,
                    ..sample()
                }),
                None,
            ),
            (
                "reads cookies, and nobody came without",
                60,
                Box::new(move |at| Sample {
                    visitor: 1 + visitor(at),
                    parts: COOKIES,
                    read_value: Some(at % 6),
                    ..sample()
                }),
                None,
            ),
            (
                "reads cookies, and is another's for each",
                60,
                Box::new(move |at| Sample {
                    visitor: visitor(at),
                    body: visitor(at),
                    parts: COOKIES,
                    read_value: Some(at % 6),
                    ..sample()
                }),
                None,
            ),
            (
                "sets a cookie, or writes",
                60,
                Box::new(move |at| Sample {
                    visitor: visitor(at),
                    acts: at == 0,
                    parts: COOKIES,
                    read_value: Some(at % 6),
                    ..sample()
                }),
                None,
            ),
            (
                "fails always",
                60,
                Box::new(move |at| Sample { visitor: visitor(at), status: 500, ..sample() }),
                None,
            ),
        ];
        for (name, count, each, expected) in cases {
            assert_eq!(rule(Mode::Server, count, each), expected, "{name}");
        }
        for mode in [Mode::Ssg, Mode::Live] {
            assert_eq!(rule(mode, 40, |at| Sample { visitor: visitor(at), ..sample() }), None);
        }
    }

    #[test]
    fn data_that_changes_is_no_clock() {
        let each =
            |body: fn(u64) -> u64| move |at: u64| Sample { visitor: at % 3, body: body(at), ..sample() };
        let sometimes = found_where(Mode::Server, 40, each(|at| at / 10), true).map(|finding| finding.rule);
        assert_eq!(sometimes, Some(Rule::ReadsNothing));
        assert_eq!(found_where(Mode::Server, 40, each(|at| at / 10), false), None);
        assert_eq!(found_where(Mode::Server, 40, each(|at| at), true), None, "nothing can be compared");
    }

    #[test]
    fn of_isr_pages() {
        let miss = |why, stored| Reason::Miss { why, stored, collapsed: false };
        let first = move |at: u64, then: Reason| if at == 0 { miss(Miss::Absent, true) } else { then };
        type Each = Box<dyn Fn(u64) -> (u64, Reason)>;
        let cases: Vec<(&str, u64, Each, Option<Rule>)> = vec![
            ("good hits", 40, Box::new(move |at| (1, first(at, Reason::Hit { ttl: 1 }))), None),
            (
                "one hit is enough to say nothing",
                40,
                Box::new(move |at| {
                    (1, if at == 30 { Reason::Hit { ttl: 1 } } else { miss(Miss::Invalidated, true) })
                }),
                None,
            ),
            (
                "invalidated at each read",
                40,
                Box::new(move |at| (1, first(at, miss(Miss::Invalidated, true)))),
                Some(Rule::AlwaysInvalidated),
            ),
            (
                "softly",
                40,
                Box::new(move |at| (1, first(at, Reason::Stale { ttl: 0, why: Stale::Soft }))),
                Some(Rule::AlwaysInvalidated),
            ),
            (
                "stale at each read",
                40,
                Box::new(move |at| (1, first(at, Reason::Stale { ttl: -9, why: Stale::Age }))),
                Some(Rule::TooShort),
            ),
            (
                "expired at each read",
                40,
                Box::new(move |at| (1, first(at, miss(Miss::Expired, true)))),
                Some(Rule::TooShort),
            ),
            (
                "of each kind some",
                40,
                Box::new(move |at| {
                    (1, if at % 2 == 0 { miss(Miss::Expired, true) } else { miss(Miss::Invalidated, true) })
                }),
                None,
            ),
            ("driven out", 40, Box::new(move |_| (1, miss(Miss::Absent, true))), Some(Rule::DrivenOut)),
            ("never stored", 40, Box::new(move |_| (1, miss(Miss::Absent, false))), Some(Rule::NeverStored)),
            ("some addresses, once each", 40, Box::new(move |at| (at, miss(Miss::Absent, true))), None),
            (
                "many addresses, once each",
                400,
                Box::new(move |at| (at, miss(Miss::Absent, true))),
                Some(Rule::NeverTwice),
            ),
            (
                "more addresses than are told apart",
                4_000,
                Box::new(move |at| (at, miss(Miss::Absent, true))),
                None,
            ),
            ("too few answers", 19, Box::new(move |_| (1, miss(Miss::Invalidated, true))), None),
            (
                "all waited for one render",
                40,
                Box::new(|_| (1, Reason::Miss { why: Miss::Absent, stored: true, collapsed: true })),
                None,
            ),
        ];
        for (name, count, each, expected) in cases {
            let found = rule(Mode::Isr, count, |at| {
                let (target, reason) = each(at);
                Sample { target, reason: Some(reason), ..sample() }
            });
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn a_saving_is_told_at_the_present_rate() {
        // 101 renders of 4 ms and two queries in 100 s, of which one would have been enough.
        let finding =
            found(Mode::Server, 101, |at| Sample { visitor: at % 2, tags: vec!["terms".into()], ..sample() });
        let finding = finding.unwrap();

        let found = finding.saving.unwrap();
        assert_eq!(found.renders_percent, 99);
        // 864 times what 100 s took: 404 ms and 202 queries.
        assert!((340_000..350_000).contains(&found.ms_a_day.unwrap()), "{found:?}");
        assert!((170_000..175_000).contains(&found.queries_a_day.unwrap()), "{found:?}");
        assert!(finding.advice.contains("(`terms`)"), "{}", finding.advice);
    }
}
