//! The cache's words in plain language. Pure.

use tropos_cache::{Miss, Reason, Stale, decide::TTL_OF_NEVER};

/// Why a stored page was answered as it was.
pub(super) fn of_stored(reason: Reason, degraded: bool) -> String {
    let text = match reason {
        Reason::Hit { ttl } if ttl >= TTL_OF_NEVER => {
            "stored, and fresh until something invalidates it".into()
        }
        Reason::Hit { ttl } => format!("stored, and fresh for {ttl} s more"),
        Reason::Stale { ttl, why: Stale::Age } => {
            format!(
                "stored, and {} s older than its revalidate age; a new one is made in the background",
                -ttl
            )
        }
        Reason::Stale { why: Stale::Soft, .. } => {
            "stored, and made stale by a soft invalidation; a new one is made in the background".into()
        }
        Reason::Stale { why: Stale::Error, .. } => {
            "stored, since the render that was to replace it has failed; it is tried again".into()
        }
        Reason::Miss { why, stored, collapsed } => {
            let because = match why {
                Miss::Absent => "nothing was stored for it",
                Miss::Expired => "what was stored is past its expire age",
                Miss::Invalidated => "a tag of what was stored has been invalidated",
                Miss::Stale => "what was stored is stale, and a fresh one was asked for",
                Miss::Unconfirmed => "the shared store has been out of reach for too long",
            };
            let became = match (collapsed, stored) {
                (true, _) => "; it waited for the render of another request",
                (false, true) => "; rendered, and stored",
                (false, false) => "; rendered, and not stored",
            };
            format!("{because}{became}")
        }
        Reason::Bypass => "the cache was not asked".into(),
    };
    if degraded { format!("{text} (the shared store is out of reach)") } else { text }
}

/// Why a page that is not stored was answered as it was.
pub(super) fn of_mode(mode: tropos_core::Mode, draft: bool, built: bool) -> &'static str {
    use tropos_core::Mode;
    match mode {
        _ if draft => "a draft: rendered for this visitor alone, and stored by nobody",
        Mode::Server => "a `server` page is rendered for each request",
        Mode::Live => {
            "a `live` page is rendered for each request, and again when something that it read changes"
        }
        Mode::Ssg if built => "made by the build",
        Mode::Ssg | Mode::Isr => "not answered by the cache",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_said_in_plain_words() {
        let miss = |why, stored, collapsed| Reason::Miss { why, stored, collapsed };
        for (reason, words) in [
            (Reason::Hit { ttl: 57 }, "fresh for 57 s more"),
            (Reason::Hit { ttl: TTL_OF_NEVER }, "until something invalidates it"),
            (Reason::Stale { ttl: -3, why: Stale::Age }, "3 s older than its revalidate age"),
            (Reason::Stale { ttl: 0, why: Stale::Soft }, "soft invalidation"),
            (Reason::Stale { ttl: 0, why: Stale::Error }, "has failed"),
            (miss(Miss::Absent, true, false), "nothing was stored for it; rendered, and stored"),
            (miss(Miss::Expired, true, false), "past its expire age"),
            (miss(Miss::Invalidated, false, false), "invalidated; rendered, and not stored"),
            (miss(Miss::Absent, true, true), "waited for the render of another request"),
        ] {
            let text = of_stored(reason, false);
            assert!(text.contains(words), "{text}");
            assert!(of_stored(reason, true).ends_with("out of reach)"));
        }
    }
}
