//! A shared store in the process, over time that the runtime turns: what the scripts of the real one do, one instance's
//! messages late, lost or held back as a seed wills it.

use bytes::Bytes;
use futures::future::BoxFuture;
use rand::{RngExt as _, rngs::StdRng};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use tropos_cache::{
    Strength,
    store::shared::{Asked, Changes, Known, Renewal, SharedError, SharedStore},
};
use tropos_core::{Clock, Positions, Tag, Tick, UnixMillis};

/// The clock of everything in a simulation, for this machine's part.
pub(crate) struct VirtualClock(Instant);

impl VirtualClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Tick {
        Tick(i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }

    fn wall(&self) -> UnixMillis {
        1_600_000_000_000 + u64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

/// What all instances see.
pub(crate) struct Server {
    clock: VirtualClock,
    state: Mutex<State>,
    hint: Notify,
}

#[derive(Default)]
struct State {
    random: Option<StdRng>,
    incarnation: u64,
    sequence: u64,
    floor: u64,
    born: i64,
    marks: BTreeMap<(Tag, bool), u64>,
    positions: Positions,
    /// As they were before the last invalidation.
    positions_before: Positions,
    tokens: BTreeMap<u64, u64>,
    leases: HashMap<u64, i64>,
    /// The number and the token that each instance showed.
    seen: HashMap<u64, (u64, u64)>,
    replaced: Vec<u64>,
    entries: HashMap<String, Bytes>,
    turns: HashMap<String, (u64, i64)>,
    cut: Vec<u64>,
}

impl Server {
    pub(crate) fn new(random: StdRng) -> Arc<Self> {
        let state = State { random: Some(random), ..State::default() };
        Arc::new(Self { clock: VirtualClock::new(), state: Mutex::new(state), hint: Notify::new() })
    }

    pub(crate) fn instance(self: &Arc<Self>, name: u64, late_positions: bool) -> Arc<Instance> {
        Arc::new(Instance { server: self.clone(), name, late: late_positions.then(Mutex::default) })
    }

    /// Loses everything, as an operator's `FLUSHALL` does.
    pub(crate) fn empty(&self) {
        let mut state = self.state.lock().unwrap();
        let State { random, cut, .. } = std::mem::take(&mut *state);
        (state.random, state.cut) = (random, cut);
    }

    /// Loses the last invalidation, and the leases of the last moment, as a fail-over may.
    pub(crate) fn lose_the_last(&self) {
        let state = &mut *self.state.lock().unwrap();
        if state.sequence > state.floor {
            let last = state.sequence;
            state.marks.retain(|_, number| *number < last);
            state.tokens.remove(&last);
            state.sequence -= 1;
            state.positions = state.positions_before.clone();
        }
        state.leases.values_mut().for_each(|until| *until -= 500);
    }

    pub(crate) fn cut_off(&self, instance: u64, off: bool) {
        let mut state = self.state.lock().unwrap();
        state.cut.retain(|cut| *cut != instance);
        if off {
            state.cut.push(instance);
        }
    }

    /// What an answer needs on its way, one way.
    async fn travel(&self, instance: u64) -> Result<(), SharedError> {
        let pause = {
            let state = &mut *self.state.lock().unwrap();
            if state.cut.contains(&instance) {
                return Err(SharedError::Failed("cut off".to_owned()));
            }
            let random = state.random.as_mut().unwrap();
            // Mostly quick, now and then slower than any deadline.
            if random.random_bool(0.02) { random.random_range(0..1_000) } else { random.random_range(0..8) }
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok(())
    }

    fn now(&self) -> i64 {
        self.clock.now().0
    }
}

impl State {
    fn draw(&mut self) -> u64 {
        self.random.as_mut().unwrap().random_range(1..=u64::MAX)
    }

    fn begin_where_there_is_none(&mut self, now: i64) {
        if self.incarnation == 0 {
            (self.incarnation, self.born) = (self.draw(), now);
        }
    }

    fn renew(&mut self, known: Known, lease: Duration, instance: u64, now: i64) -> Renewal {
        if known.incarnation != 0 {
            let forked =
                known.token != 0 && self.tokens.get(&known.sequence).is_some_and(|t| *t != known.token);
            if known.incarnation != self.incarnation || known.sequence > self.sequence || forked {
                return Renewal::Broken;
            }
        }
        self.begin_where_there_is_none(now);
        self.leases.insert(instance, now + i64::try_from(lease.as_millis()).unwrap());
        if known.incarnation == self.incarnation {
            self.seen.insert(instance, (known.sequence, known.token));
        } else {
            self.seen.remove(&instance);
        }
        let strength = |soft: bool| if soft { Strength::Soft } else { Strength::Hard };
        let newer = self.marks.iter().filter(|(_, number)| **number > known.sequence);
        Renewal::Continued(Changes {
            incarnation: self.incarnation,
            reached: self.sequence,
            token: self.tokens.get(&self.sequence).copied().unwrap_or(0),
            latest: self.sequence,
            floor_hard: self.floor,
            floor_soft: 0,
            marks: newer.map(|((tag, soft), number)| (tag.clone(), strength(*soft), *number)).collect(),
            wall: 1_600_000_000_000,
            positions: self.positions.clone(),
        })
    }

    fn begin_anew(&mut self, known: Known, now: i64) {
        if self.incarnation != 0
            && self.incarnation != known.incarnation
            && self.replaced.contains(&known.incarnation)
        {
            self.sequence = self.sequence.max(known.sequence + 1);
            return;
        }
        self.replaced.extend([known.incarnation, self.incarnation]);
        self.sequence = self.sequence.max(known.sequence) + 1;
        (self.incarnation, self.floor, self.born) = (self.draw(), self.sequence, now);
        self.marks.clear();
        self.tokens.clear();
        self.seen.clear();
    }

    fn unacknowledged(&self, instance: u64, sequence: u64, lease: i64, grace: i64, now: i64) -> usize {
        let young = now < self.born + lease;
        let has_seen = |(number, token): &(u64, u64)| {
            *number >= sequence && self.tokens.get(number).is_some_and(|known| known == token)
        };
        let behind = |other: &u64| *other != instance && !self.seen.get(other).is_some_and(has_seen);
        let live = self.leases.iter().filter(|(_, until)| **until + grace >= now);
        usize::from(young) + live.filter(|(other, _)| behind(other)).count()
    }
}

/// The store as one instance reaches it.
pub(crate) struct Instance {
    server: Arc<Server>,
    name: u64,
    /// The positions of the answer before, where each comes with the next one: as if an instance applied numbers and only
    /// then merged what came with them.
    late: Option<Mutex<Positions>>,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "instance {}", self.name)
    }
}

impl Instance {
    /// There, what is done there in one step, and back.
    fn ask<'a, T: Send + 'a>(
        &'a self,
        act: impl FnOnce(&mut State, i64) -> Result<T, SharedError> + Send + 'a,
    ) -> Asked<'a, T> {
        Box::pin(async move {
            self.server.travel(self.name).await?;
            let done = act(&mut self.server.state.lock().unwrap(), self.server.now());
            self.server.travel(self.name).await?;
            done
        })
    }
}

impl SharedStore for Instance {
    fn renew(&self, known: Known, lease: Duration) -> Asked<'_, Renewal> {
        self.ask(move |state, now| {
            let mut renewal = state.renew(known, lease, self.name, now);
            if let (Renewal::Continued(changes), Some(late)) = (&mut renewal, &self.late) {
                std::mem::swap(&mut changes.positions, &mut late.lock().unwrap());
            }
            Ok(renewal)
        })
    }

    fn begin_anew(&self, known: Known) -> Asked<'_, ()> {
        self.ask(move |state, now| {
            state.begin_anew(known, now);
            Ok(())
        })
    }

    fn invalidate<'a>(
        &'a self,
        tags: &'a [Tag],
        strength: Strength,
        positions: &'a Positions,
    ) -> Asked<'a, (u64, u64)> {
        self.ask(move |state, now| {
            state.begin_where_there_is_none(now);
            state.sequence += 1;
            state.positions_before = state.positions.clone();
            state.positions.merge(positions);
            let (number, token) = (state.sequence, state.draw());
            state.tokens.insert(number, token);
            for tag in tags {
                state.marks.insert((tag.clone(), strength == Strength::Soft), number);
            }
            // Half of the hints are lost.
            if token % 2 == 0 {
                self.server.hint.notify_waiters();
            }
            Ok((state.incarnation, number))
        })
    }

    fn unacknowledged(
        &self,
        incarnation: u64,
        sequence: u64,
        lease: Duration,
        grace: Duration,
    ) -> Asked<'_, usize> {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap();
        let (lease, grace) = (millis(lease), millis(grace));
        self.ask(move |state, now| match state.incarnation == incarnation {
            true => Ok(state.unacknowledged(self.name, sequence, lease, grace, now)),
            false => Err(SharedError::BeganAnew),
        })
    }

    fn leave(&self) -> Asked<'_, ()> {
        self.ask(|state, _| {
            state.leases.remove(&self.name);
            Ok(())
        })
    }

    fn hint(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.server.hint.notified())
    }

    fn read<'a>(&'a self, name: &'a str) -> Asked<'a, Option<Bytes>> {
        self.ask(|state, _| Ok(state.entries.get(name).cloned()))
    }

    fn write<'a>(&'a self, name: &'a str, bytes: Vec<u8>, _life: Duration) -> Asked<'a, ()> {
        self.ask(|state, _| {
            state.entries.insert(name.to_owned(), bytes.into());
            Ok(())
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Asked<'a, ()> {
        self.ask(|state, _| {
            state.entries.remove(name);
            Ok(())
        })
    }

    fn take<'a>(&'a self, name: &'a str, holder: u64, span: Duration) -> Asked<'a, bool> {
        self.ask(move |state, now| {
            let free = state.turns.get(name).is_none_or(|(held, until)| *held == holder || *until < now);
            if free {
                let until = now + i64::try_from(span.as_millis()).unwrap();
                state.turns.insert(name.to_owned(), (holder, until));
            }
            Ok(free)
        })
    }

    fn give_back<'a>(&'a self, name: &'a str, holder: u64) -> Asked<'a, ()> {
        self.ask(move |state, _| {
            state.turns.retain(|turn, (held, _)| turn != name || *held != holder);
            Ok(())
        })
    }
}
