//! Which traces are kept: at their beginning by the sampler, at their end by what became of them. Pure, but for the buckets.

use super::context::TraceId;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Traces a second that the default sampler keeps, on one instance, for roots and for callers that ask for it each: enough to see every
/// route within a minute, and so few that export costs the same at any load.
pub const DEFAULT_PER_SECOND: u32 = 200;

/// Slow and failed traces a second that are kept beside the sampler's. When everything fails, fifty examples a second say so.
pub const TAILS_PER_SECOND: u32 = 50;

/// Which traces are kept, as it is known when they begin (`OTEL_TRACES_SAMPLER`).
///
/// Slow and failed ones are kept beside, whatever it says, unless it is [`OFF`](Self::OFF).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler {
    /// Whether a caller's decision goes first.
    by_parent: bool,
    root: Root,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    On,
    Off,
    /// Where the lower 63 bits of the trace's number, of which all are random, lie below this.
    Below(u64),
    /// So many a second, by the bucket.
    Bounded,
}

/// By the caller, and [`DEFAULT_PER_SECOND`] of the traces that begin here. What callers ask for has the same bound: anybody may send
/// `traceparent`.
impl Default for Sampler {
    fn default() -> Self {
        Self { by_parent: true, root: Root::Bounded }
    }
}

/// What a sampler says of one trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept.
    Keep,
    /// It is not, unless it fails or is slow.
    Leave,
    /// It is kept if there is something in the bucket of traces that begin here.
    AskOwn,
    /// It is kept if there is something in the bucket of traces that callers want kept.
    AskCalled,
}

impl Sampler {
    /// Keeps nothing, not even what failed.
    pub const OFF: Self = Self { by_parent: false, root: Root::Off };
    /// Keeps everything.
    pub const ON: Self = Self { by_parent: false, root: Root::On };

    /// By its name, with the argument of those that have one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn named(name: &str, argument: Option<&str>) -> Result<Self, String> {
        let (by_parent, of_root) = match name.strip_prefix("parentbased_") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let root = match of_root {
            "always_on" => Root::On,
            "always_off" => Root::Off,
            "traceidratio" => {
                // The specification's default is 1.
                let text = argument.unwrap_or("1");
                let ratio = text.parse().ok().filter(|ratio: &f64| (0.0..=1.0).contains(ratio));
                let ratio =
                    ratio.ok_or_else(|| format!("`{text}` is no ratio from 0 to 1, and 1 is taken"))?;
                Root::Below((ratio * (1u64 << 63) as f64) as u64)
            }
            _ => {
                return Err(format!(
                    "`{name}` is not known here: write `always_on`, `always_off`, `traceidratio`, or one of them after `parentbased_`; the default holds"
                ));
            }
        };
        Ok(Self { by_parent, root })
    }

    /// What it says of a trace whose caller has decided so, if there is one.
    pub fn decide(self, caller: Option<bool>, trace: TraceId) -> Verdict {
        match caller.filter(|_| self.by_parent) {
            Some(false) => return Verdict::Leave,
            Some(true) if self.root == Root::Bounded => return Verdict::AskCalled,
            Some(true) => return Verdict::Keep,
            None => {}
        }
        match self.root {
            Root::On => Verdict::Keep,
            Root::Off => Verdict::Leave,
            Root::Below(bound) if (trace.number() as u64) >> 1 < bound => Verdict::Keep,
            Root::Below(_) => Verdict::Leave,
            Root::Bounded => Verdict::AskOwn,
        }
    }
}

/// Why a trace is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The sampler, or the caller, wanted it.
    Sampled,
    /// Something in it failed.
    Failed,
    /// It took longer than a request should.
    Slow,
}

impl Kept {
    /// The word for it, as the attribute `tropos.trace.kept` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::Failed => "failed",
            Self::Slow => "slow",
        }
    }
}

/// Whether a trace that is over is kept, and why. `None` where it is not. `slow` is `None` for what takes as long as it likes, as the session
/// of a live page.
pub fn keep(
    sampler: Sampler,
    sampled: bool,
    failed: bool,
    took: Duration,
    slow: Option<Duration>,
) -> Option<Kept> {
    match (sampled, failed) {
        (true, _) => Some(Kept::Sampled),
        _ if sampler == Sampler::OFF => None,
        (false, true) => Some(Kept::Failed),
        (false, false) => slow.filter(|slow| took > *slow).map(|_| Kept::Slow),
    }
}

/// So many a second, and no more at once. All threads take from it, and while it is empty nobody writes to it: so it costs a hit no
/// more than a look.
#[derive(Debug)]
pub struct Bucket {
    left: AtomicU32,
    most: u32,
}

impl Bucket {
    /// A full one.
    pub fn new(most: u32) -> Self {
        Self { left: AtomicU32::new(most), most }
    }

    /// Takes one, where there is one.
    pub fn take(&self) -> bool {
        let mut left = self.left.load(Ordering::Relaxed);
        while left > 0 {
            match self.left.compare_exchange_weak(left, left - 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => left = now,
            }
        }
        false
    }

    /// Puts in what `span` brings.
    pub fn fill(&self, span: Duration) {
        let more = (f64::from(self.most) * span.as_secs_f64()).min(f64::from(self.most)) as u32;
        let filled = |left: u32| Some(left.saturating_add(more).min(self.most));
        // A closure that gives something always does.
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, filled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samplers_decide_by_name_caller_and_trace() {
        let low = TraceId::new(1).unwrap();
        let high = TraceId::new(u128::from(u64::MAX)).unwrap();
        let (yes, no) = (Some(true), Some(false));
        use Verdict::{AskCalled, AskOwn, Keep, Leave};
        for (name, argument, caller, trace, expected) in [
            ("always_on", None, no, low, Keep),
            ("always_off", None, yes, low, Leave),
            ("traceidratio", Some("0.5"), None, low, Keep),
            ("traceidratio", Some("0.5"), None, high, Leave),
            ("traceidratio", Some("0.5"), yes, high, Leave),
            ("traceidratio", Some("1"), None, high, Keep),
            ("traceidratio", None, None, high, Keep),
            ("traceidratio", Some("0"), None, low, Leave),
            ("parentbased_always_on", None, None, low, Keep),
            ("parentbased_always_on", None, no, low, Leave),
            ("parentbased_always_off", None, None, low, Leave),
            ("parentbased_always_off", None, yes, low, Keep),
            ("parentbased_traceidratio", Some("0"), yes, high, Keep),
            ("parentbased_traceidratio", Some("0"), None, low, Leave),
        ] {
            let sampler = Sampler::named(name, argument).unwrap();
            assert_eq!(sampler.decide(caller, trace), expected, "{name} {argument:?} {caller:?}");
        }
        for (caller, expected) in [(None, AskOwn), (yes, AskCalled), (no, Leave)] {
            assert_eq!(Sampler::default().decide(caller, low), expected, "the default, {caller:?}");
        }
        for (name, argument) in [
            ("parentbased", None),
            ("xray", None),
            ("traceidratio", Some("2")),
            ("traceidratio", Some("NaN")),
        ] {
            assert!(Sampler::named(name, argument).is_err(), "{name}");
        }
    }

    #[test]
    fn what_failed_or_was_slow_is_kept_in_the_end() {
        let (s, slow) = (Duration::from_secs, Some(Duration::from_millis(500)));
        let default = Sampler::default();
        for (name, sampler, sampled, failed, took, slow, expected) in [
            ("sampled", default, true, false, s(0), slow, Some(Kept::Sampled)),
            ("sampled and failed", default, true, true, s(9), slow, Some(Kept::Sampled)),
            ("failed", default, false, true, s(0), slow, Some(Kept::Failed)),
            ("slow", default, false, false, s(1), slow, Some(Kept::Slow)),
            ("quick", default, false, false, Duration::from_millis(500), slow, None),
            ("as long as it likes", default, false, false, s(9), None, None),
            ("off", Sampler::OFF, false, true, s(9), slow, None),
            (
                "off by the caller alone",
                Sampler::named("parentbased_always_off", None).unwrap(),
                false,
                true,
                s(0),
                slow,
                Some(Kept::Failed),
            ),
        ] {
            assert_eq!(keep(sampler, sampled, failed, took, slow), expected, "{name}");
        }
    }

    #[test]
    fn a_bucket_gives_what_time_brings_and_no_more() {
        let bucket = Bucket::new(10);
        assert_eq!((0..20).filter(|_| bucket.take()).count(), 10);
        bucket.fill(Duration::from_millis(300));
        assert_eq!((0..20).filter(|_| bucket.take()).count(), 3);
        bucket.fill(Duration::from_secs(60));
        assert_eq!((0..20).filter(|_| bucket.take()).count(), 10);
    }
}
