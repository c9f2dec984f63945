//! An explanation as people read it.

use super::{
    EntryFacts, Explanation, RefusedBecause, RenderBecause, RouteFacts, StaleBecause, Unstored,
    UnstoredBecause, Verdict,
};
use crate::age::Span;
use std::{fmt, time::Duration};

/// More tags than this are counted instead of shown: a page may carry a thousand.
const MOST_TAGS: usize = 12;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, text: &dyn fmt::Display| writeln!(f, "  {name:<13} {text}");
        line("path", &self.asked)?;
        if let Some(route) = &self.route {
            line("route", route)?;
        }
        if let Some(query) = self.query.as_ref().filter(|query| !query.ignored.is_empty()) {
            line(
                "query",
                &format_args!("not declared, so never seen by the page: {}", query.ignored.join(", ")),
            )?;
        }
        if let Some(key) = &self.key {
            line("key", key)?;
        }
        if !self.variants.is_empty() {
            let note = "where no hook chooses; each other choice has an entry of its own";
            line("variants", &format_args!("{} ({note})", self.variants))?;
        }
        if self.hooked {
            line("hooks", &"may decide before this: answer, lead elsewhere, or choose variants")?;
        }
        if !self.tags.is_empty() {
            line("tags", &tags(&self.tags))?;
        }
        if let Some(entry) = &self.entry {
            line("entry", entry)?;
        }
        line("answer", &verdict(self))?;
        if let Some(status) = &self.cache_status {
            line("Cache-Status", status)?;
        }
        if let Some(unstored) = &self.last_unstored {
            line("last render", unstored)?;
        }
        Ok(())
    }
}

impl fmt::Display for RouteFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", self.name, self.pattern, self.mode)?;
        if let Some(revalidate) = &self.revalidate {
            write!(f, ", revalidate {revalidate}")?;
        }
        if let Some(expire) = &self.expire {
            write!(f, ", expire {expire}")?;
        }
        if self.closed {
            f.write_str(", closed")?;
        }
        write!(f, " ({})", self.source)
    }
}

impl fmt::Display for EntryFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.not_found {
            f.write_str("\"not found\", ")?;
        }
        match self.place.as_str() {
            "memory" => f.write_str("in memory")?,
            "disk" => f.write_str("on disk")?,
            "shared" => f.write_str("in the shared store")?,
            place => write!(f, "of the {place}")?,
        }
        write!(f, ", {} old", rough(self.age_ms))?;
        match self.revalidate_ms {
            Some(age) => write!(f, ", stale after {}", rough(age))?,
            None => f.write_str(", never stale by age")?,
        }
        if let Some(age) = self.expire_ms {
            write!(f, ", expires after {}", rough(age))?;
        }
        match self.started_at_sequence {
            Some(sequence) => write!(f, "; its render started at sequence {sequence}"),
            None => f.write_str("; made by the build"),
        }
    }
}

impl fmt::Display for Unstored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ago, not stored: ", rough(self.ago_ms))?;
        f.write_str(match self.why {
            UnstoredBecause::Failed => "it failed",
            UnstoredBecause::Outdated => "something that it read was invalidated while it ran",
            UnstoredBecause::TooManyTags => {
                "it read more tags than an entry may carry; put one tag on the whole list"
            }
            UnstoredBecause::Refused => "its result may not be stored",
        })?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

fn tags(tags: &[String]) -> String {
    let shown = tags.iter().take(MOST_TAGS).map(String::as_str).collect::<Vec<_>>().join(", ");
    match tags.len().saturating_sub(MOST_TAGS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn verdict(of: &Explanation) -> String {
    match &of.verdict {
        Verdict::Hit { ttl_seconds } => match of.entry.as_ref().map(|entry| entry.revalidate_ms) {
            Some(Some(_)) => format!("hit: fresh for {ttl_seconds} s more"),
            _ => "hit: fresh until something invalidates it".to_owned(),
        },
        Verdict::Stale { why, regenerates } => {
            let why = match why {
                StaleBecause::Age => "stale by age".to_owned(),
                StaleBecause::Soft => format!("stale: {}", causes(of.entry.as_ref())),
                StaleBecause::Error => {
                    let failures = of.entry.as_ref().map_or(1, |entry| entry.failures);
                    format!("stale, and the last {failures} render(s) failed")
                }
            };
            let then = match regenerates {
                true => "it is served, while one render replaces it",
                false => "it is served; the next render waits until some time has passed since the failure",
            };
            format!("{why}; {then}")
        }
        Verdict::Render { why } => match why {
            RenderBecause::Absent => "miss: there is no entry; the next request renders".to_owned(),
            RenderBecause::Expired => {
                "miss: the entry is past its expire age; the next request renders".to_owned()
            }
            RenderBecause::Invalidated => {
                format!("miss: {}; the next request renders", causes(of.entry.as_ref()))
            }
            RenderBecause::Unconfirmed => {
                "miss: the shared store is out of reach for too long to know whether the entry holds; the next request renders"
                    .to_owned()
            }
            RenderBecause::OtherSequence => {
                "miss: the entry was made under another sequence of invalidations; the next request renders"
                    .to_owned()
            }
        },
        Verdict::Bypass => {
            let mode = of.route.as_ref().map_or("", |route| route.mode.as_str());
            format!("bypass: a `{mode}` page is made for every request")
        }
        Verdict::Refused { status, why, detail } => {
            let why = match why {
                RefusedBecause::Malformed => "the path has no single meaning",
                RefusedBecause::TooLong => "the address is too long",
                RefusedBecause::TrailingSlash => "no page's path ends with a slash",
                RefusedBecause::NoRoute => "no route has such a path",
                RefusedBecause::NotListed => "the route is closed, and these parameters were not listed",
                RefusedBecause::Query => "the declared query cannot be read",
                RefusedBecause::NotBuilt => "the build made no such page, and this mode makes none later",
            };
            let detail = detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("refused with {status}: {why}{detail}")
        }
    }
}

/// The tags that were invalidated, the first few.
fn causes(entry: Option<&EntryFacts>) -> String {
    let invalidated = entry.map(|entry| entry.invalidated.as_slice()).unwrap_or_default();
    let shown: Vec<_> = invalidated
        .iter()
        .take(MOST_TAGS)
        .map(|it| {
            let soft = if it.soft { "softly " } else { "" };
            format!("tag `{}` was {soft}invalidated at sequence {}", it.tag, it.sequence)
        })
        .collect();
    if shown.is_empty() { "a tag on it was invalidated".to_owned() } else { shown.join(", ") }
}

/// To the second above one, since nobody counts the milliseconds of a minute.
fn rough(ms: u64) -> Span {
    Span(Duration::from_millis(if ms < 1_000 { ms } else { ms - ms % 1_000 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::{Invalidated, QueryFacts};

    fn explanation(verdict: Verdict) -> Explanation {
        let of_tag = |tag: &str, sequence, soft| Invalidated { tag: tag.to_owned(), sequence, soft };
        Explanation {
            asked: "/isr/a?utm=x".into(),
            route: Some(RouteFacts {
                name: "Isr".into(),
                pattern: "/isr/:key".into(),
                mode: "isr".into(),
                revalidate: Some("2s".into()),
                expire: Some("10s".into()),
                closed: false,
                source: "src/pages.rs:7".into(),
            }),
            query: Some(QueryFacts { canonical: String::new(), ignored: vec!["utm".into()] }),
            key: Some("page /isr/:key /isr/a#ab=a".into()),
            variants: "ab=a".into(),
            hooked: true,
            tags: vec!["isr".into(), "isr-a".into()],
            sequence: 9,
            entry: Some(EntryFacts {
                place: "memory".into(),
                age_ms: 3_250,
                revalidate_ms: Some(2_000),
                expire_ms: Some(10_000),
                started_at_sequence: Some(4),
                not_found: false,
                invalidated: vec![of_tag("isr-a", 9, false), of_tag("isr", 7, true)],
                failures: 2,
            }),
            verdict,
            cache_status: Some("tropos; hit; ttl=-2; detail=stale".into()),
            last_unstored: Some(Unstored {
                ago_ms: 900,
                why: UnstoredBecause::Failed,
                detail: Some("it rained".into()),
            }),
        }
    }

    #[test]
    fn all_that_is_known_is_said_line_by_line() {
        let text = explanation(Verdict::Stale { why: StaleBecause::Age, regenerates: true }).to_string();
        let expected = "  path          /isr/a?utm=x
  route         Isr /isr/:key, isr, revalidate 2s, expire 10s (src/pages.rs:7)
  query         not declared, so never seen by the page: utm
  key           page /isr/:key /isr/a#ab=a
  variants      ab=a (where no hook chooses; each other choice has an entry of its own)
  hooks         may decide before this: answer, lead elsewhere, or choose variants
  tags          isr, isr-a
  entry         in memory, 3s old, stale after 2s, expires after 10s; its render started at sequence 4
  answer        stale by age; it is served, while one render replaces it
  Cache-Status  tropos; hit; ttl=-2; detail=stale
  last render   900ms ago, not stored: it failed: it rained
";
        assert_eq!(text, expected);
    }

    #[test]
    fn each_answer_names_its_reason() {
        let refused = |status, why| Verdict::Refused { status, why, detail: None };
        for (verdict, reason) in [
            (Verdict::Hit { ttl_seconds: 57 }, "hit: fresh for 57 s more"),
            (
                Verdict::Stale { why: StaleBecause::Soft, regenerates: true },
                "tag `isr` was softly invalidated at sequence 7",
            ),
            (Verdict::Stale { why: StaleBecause::Error, regenerates: false }, "the last 2 render(s) failed"),
            (Verdict::Render { why: RenderBecause::Absent }, "there is no entry"),
            (Verdict::Render { why: RenderBecause::Expired }, "past its expire age"),
            (
                Verdict::Render { why: RenderBecause::Invalidated },
                "miss: tag `isr-a` was invalidated at sequence 9",
            ),
            (Verdict::Render { why: RenderBecause::OtherSequence }, "another sequence"),
            (Verdict::Bypass, "bypass: a `isr` page"),
            (
                refused(404, RefusedBecause::TrailingSlash),
                "refused with 404: no page's path ends with a slash",
            ),
            (refused(404, RefusedBecause::NotListed), "closed"),
        ] {
            let text = explanation(verdict).to_string();
            assert!(text.contains(reason), "{reason}: {text}");
        }
    }

    #[test]
    fn what_is_sent_as_json_reads_back() {
        for verdict in [
            Verdict::Hit { ttl_seconds: 1 },
            Verdict::Bypass,
            Verdict::Refused { status: 400, why: RefusedBecause::Malformed, detail: Some("x".into()) },
        ] {
            let explanation = explanation(verdict);
            let json = serde_json::to_string(&explanation).unwrap();
            assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation, "{json}");
        }
    }
}
