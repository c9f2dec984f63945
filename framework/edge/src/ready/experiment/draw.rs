//! Who takes part, which value they see, and the cookie that keeps it.

use super::Experiment;
use crate::{
    EdgeRequest, Edits, Platform, VariantName,
    ready::{
        bucket::{WHOLE, below_whole, bucket},
        visitor::visitor,
    },
};
use cookie::{Cookie, time::Duration};

impl<V: VariantName> Experiment<V> {
    /// The value of a visitor who has none, and the cookie that keeps it; `None` for who does not take part.
    pub(super) fn draw(
        &self,
        kept: Option<&str>,
        request: &EdgeRequest<'_>,
        edits: &mut Edits,
        platform: &dyn Platform,
    ) -> Option<V> {
        let visitor = self.visitor.as_ref().and_then(|cookie| visitor(request, cookie));
        let throw = |what: &str| match visitor {
            Some(visitor) => bucket(&[&self.salt, &self.name, what, visitor]),
            None => below_whole(platform.random()),
        };
        let earlier = kept.and_then(place_outside);
        let place = earlier.unwrap_or_else(|| throw("share"));
        if place >= self.share {
            if earlier.is_none() {
                self.keep(format!("{OUTSIDE}{place}"), edits);
            }
            return None;
        }
        let value = self.weighted(throw("value"));
        self.keep(value.as_str().to_owned(), edits);
        Some(value)
    }

    fn weighted(&self, at: u16) -> V {
        let mut end = 0u16;
        let found = self.weights.iter().find(|(_, weight)| {
            end = end.saturating_add(*weight);
            at < end
        });
        found.map_or(V::at(0), |(value, _)| *value)
    }

    /// Pages' own scripts may read it, to name the variant in what they measure.
    fn keep(&self, value: String, edits: &mut Edits) {
        let cookie = Cookie::build((self.cookie.clone(), value)).path("/");
        edits.set_cookie(cookie.max_age(Duration::days(i64::from(self.days))).build());
    }
}

/// What the cookie of who does not take part begins with; behind it is their place, of 1,000. No value of a variant has a dot.
const OUTSIDE: &str = "out.";

fn place_outside(kept: &str) -> Option<u16> {
    let place = kept.strip_prefix(OUTSIDE)?;
    let plain = (1..=3).contains(&place.len()) && place.bytes().all(|byte| byte.is_ascii_digit());
    if plain { place.parse().ok() } else { None }
}

pub(super) fn even<V: VariantName>() -> Vec<(V, u16)> {
    let many = u16::try_from(V::VALUES.len()).unwrap_or(1).max(1);
    // What does not go up in even parts goes to the first, one each.
    (0..many).map(|at| (V::at(usize::from(at)), WHOLE / many + u16::from(at < WHOLE % many))).collect()
}
