//! Time, which tests can turn.
//!
//! Ages are measured by a monotonic clock, so that a clock that is set an hour back or forth neither lengthens nor
//! ends the life of an entry. The wall clock serves headers, and entries that outlive the process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A moment of the monotonic clock, in milliseconds since the clock was made.
///
/// May lie before the clock was made: an entry that an earlier process left is older than this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(pub i64);

/// A moment of the wall clock, in milliseconds since 1970.
pub type UnixMillis = u64;

impl Tick {
    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment, later by `span`.
    pub fn plus(self, span: Duration) -> Tick {
        Tick(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment, earlier by `span`.
    pub fn minus(self, span: Duration) -> Tick {
        Tick(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Where Tropos reads the time.
pub trait Clock: Send + Sync + 'static {
    /// The monotonic clock: never goes back.
    fn now(&self) -> Tick;
    /// The wall clock: may jump.
    fn wall(&self) -> UnixMillis;
}

/// The machine's own clocks.
///
/// On Linux the monotonic one goes on while the machine sleeps (`CLOCK_BOOTTIME`): who wakes must know that time has
/// passed. Elsewhere it is what the standard library offers, which may stand still meanwhile.
#[derive(Debug, Clone)]
pub struct SystemClock {
    made: Moment,
}

impl SystemClock {
    /// A clock whose [`Tick`]s count from now.
    pub fn new() -> Self {
        Self { made: Moment::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Copy)]
struct Moment(Duration);

#[cfg(target_os = "linux")]
impl Moment {
    fn now() -> Self {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Self(Duration::try_from(since_boot).unwrap_or_default())
    }

    fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug, Clone, Copy)]
struct Moment(std::time::Instant);

#[cfg(not(target_os = "linux"))]
impl Moment {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is to ask")]
    fn now() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Tick {
        Tick(i64::try_from(self.made.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is to ask")]
    fn wall(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that stands still until it is turned.
///
/// ```
/// use std::time::Duration;
/// use tropos_core::{Clock, ManualClock};
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now().since(before), Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    now: Arc<AtomicI64>,
    wall_ahead: Arc<AtomicU64>,
}

/// Where the wall of a [`ManualClock`] starts: 2020-01-01, late enough to go back from.
const MANUAL_WALL_START: UnixMillis = 1_577_836_800_000;

impl ManualClock {
    /// A clock at tick zero.
    pub fn new() -> Self {
        let clock = Self::default();
        clock.wall_ahead.store(MANUAL_WALL_START, Ordering::SeqCst);
        clock
    }

    /// Turns both clocks forward.
    pub fn advance(&self, span: Duration) {
        self.now.fetch_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as an administrator or a leap would.
    pub fn set_wall(&self, wall: UnixMillis) {
        let now = u64::try_from(self.now.load(Ordering::SeqCst)).unwrap_or(0);
        self.wall_ahead.store(wall.saturating_sub(now), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Tick {
        Tick(self.now.load(Ordering::SeqCst))
    }

    fn wall(&self) -> UnixMillis {
        let now = u64::try_from(self.now.load(Ordering::SeqCst)).unwrap_or(0);
        self.wall_ahead.load(Ordering::SeqCst).saturating_add(now)
    }
}
