//! An answer as it is stored: what is known of it, read once when it comes.

use super::{
    Exchange, Freshness, NotStored, Rules, age, directives::Control, fields, freshness, storable,
    vary::Selecting,
};
use ::http::{HeaderMap, StatusCode, header};
use std::time::Duration;
use tropos_core::Tick;

/// An answer without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields, without those that are for one hop, or not to be stored.
    pub headers: HeaderMap,
    /// What it says of its own storing.
    pub control: Control,
    /// For how long it is fresh.
    pub freshness: Freshness,
    /// How old it was when it came, or was last found valid.
    pub initial_age: Duration,
    /// When that was.
    pub received: Tick,
    /// Which requests it is for.
    pub selecting: Selecting,
}

impl Stored {
    /// What is to be stored of an answer to a `GET`.
    ///
    /// # Errors
    /// With the reason why it may not be.
    pub fn new(
        request: &HeaderMap,
        status: StatusCode,
        mut headers: HeaderMap,
        exchange: &Exchange,
        rules: &Rules,
    ) -> Result<Self, NotStored> {
        let control = Control::of_response(&headers, rules);
        let freshness = freshness::lifetime(status, &headers, &control, exchange.received_wall, rules);
        storable::check(request, status, &headers, &control, freshness, rules)?;
        let selecting = Selecting::of(&headers, request).ok_or(NotStored::VaryAny)?;
        let initial_age = age::initial(&headers, exchange);
        fields::strip_not_stored(&mut headers, &control);
        // RFC 9110 §6.6.1: who keeps an answer without `Date` adds the time at which it came.
        if !headers.contains_key(header::DATE)
            && let Some(date) = age::date_value(exchange.received_wall)
        {
            headers.insert(header::DATE, date);
        }
        Ok(Self { status, headers, control, freshness, initial_age, received: exchange.received, selecting })
    }

    /// How old it is now (RFC 9111 §4.2.3).
    pub fn age(&self, now: Tick) -> Duration {
        self.initial_age.saturating_add(now.since(self.received))
    }

    /// Whole seconds for which it is fresh yet, rounded down; negative when it is stale (RFC 9211 §2.4).
    pub fn ttl(&self, now: Tick) -> i64 {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        millis(self.freshness.lifetime).saturating_sub(millis(self.age(now))).div_euclid(1000)
    }

    /// By how much it is stale; `None` while it is fresh (§4.2: as long as its lifetime exceeds its age).
    pub fn staleness(&self, now: Tick) -> Option<Duration> {
        self.age(now).checked_sub(self.freshness.lifetime)
    }

    /// The bytes of memory that it holds, about.
    pub fn weight(&self) -> usize {
        // The parsed directives, the times, the map's own slots.
        const FIXED: usize = 512;
        FIXED + fields::weight(&self.headers) + self.selecting.weight()
    }
}
