//! Every schedule of renders, of two readers who may wait for them, and of a writer, over the code that decides for
//! real: [`TagNumbers`], [`may_join`] and [`may_store`].
//!
//! The writer changes the data (a version number) and invalidates its tag, twice. A reader arrives at some moment, and
//! is owed at least the version of the latest invalidation that had returned by then. It takes the entry where that is
//! usable, waits where a render is under way, and starts one otherwise. Held in every state:
//!
//! - S1: what a look-up would call usable is no older than what is owed to whoever looks up now;
//! - S2: what a reader gets is no older than what it was owed when it arrived;
//! - no reader waits for ever, and none starts more than one render.
//!
//! Three protocols that look alike and are wrong show that the model can tell.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use tropos_cache::{
    Stamp, Strength, TagNumbers, Validity,
    decide::{may_join, may_store},
};
use tropos_core::Tag;

/// The protocol as it is, and what is easily mistaken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Real,
    /// The render takes the sequence after its first read instead of before.
    SequenceAfterFirstRead,
    /// The render takes the sequence when it stores.
    SequenceWhenStoring,
    /// Whoever waited takes what there is.
    JoinersDoNotCheck,
    /// The writer invalidates, then commits.
    InvalidationBeforeCommit,
}

#[derive(Debug, Clone, Copy)]
struct Rules {
    protocol: Protocol,
    strength: Strength,
    /// The reader takes no stale data. Soft invalidations bind only those.
    fresh: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    version: u64,
    stamp: Stamp,
}

/// A render, by what it has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Render {
    Boarded,
    HasStamp(Stamp),
    HasRead(u64),
    Done(Entry),
    Checked(Entry, bool),
    Stored(Entry),
    Landed(Entry),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Away,
    /// For the render of that number, which it may have started itself.
    Waiting(usize),
    Answered(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reader {
    state: State,
    /// The version of the latest invalidation that had returned when it arrived.
    owed: u64,
    /// The sequence when it arrived.
    arrived: u64,
    renders: usize,
}

#[derive(Debug, Clone)]
struct World {
    data: u64,
    numbers: TagNumbers,
    /// The version that the latest invalidation to return has made known.
    returned: u64,
    writer_steps: usize,
    entry: Option<Entry>,
    /// All renders so far. The last alone may be under way: there is one flight at a time.
    renders: Vec<Render>,
    readers: [Reader; 2],
}

const WRITES: usize = 2;

fn tag() -> [Tag; 1] {
    ["data".into()]
}

impl World {
    /// A render in the background is about to begin, since an entry is stale that nobody wants any more.
    fn start() -> Self {
        let reader = Reader { state: State::Away, owed: 0, arrived: 0, renders: 0 };
        Self {
            data: 0,
            numbers: TagNumbers::new(1),
            returned: 0,
            writer_steps: 0,
            entry: None,
            renders: vec![Render::Boarded],
            readers: [reader; 2],
        }
    }

    fn validity(&self, entry: Entry) -> Validity {
        self.numbers.validity(&tag(), entry.stamp)
    }

    fn usable(&self, entry: Entry, fresh: bool) -> bool {
        let validity = self.validity(entry);
        validity == Validity::Valid || (validity == Validity::Soft && !fresh)
    }

    /// Every world that is one step from this one, with the name of the step.
    fn next(&self, rules: Rules) -> Vec<(String, World)> {
        let mut next = Vec::new();
        if let Some((name, render)) = self.renders.last().and_then(|last| self.render_step(*last, rules)) {
            let mut world = self.clone();
            if let Render::Stored(entry) = render {
                world.entry = Some(entry);
            }
            *world.renders.last_mut().unwrap() = render;
            next.push((name.to_owned(), world));
        }
        if self.writer_steps < 2 * WRITES {
            let (name, world) = self.writer_step(rules);
            next.push((name.to_owned(), world));
        }
        for (at, reader) in self.readers.iter().enumerate() {
            if let Some((name, mut world, reader)) = self.reader_step(*reader, rules) {
                world.readers[at] = reader;
                next.push((format!("J{at} {name}"), world));
            }
        }
        next
    }

    fn writer_step(&self, rules: Rules) -> (&'static str, World) {
        let mut next = Self { writer_steps: self.writer_steps + 1, ..self.clone() };
        let first_half = self.writer_steps.is_multiple_of(2);
        let name = if first_half == (rules.protocol != Protocol::InvalidationBeforeCommit) {
            next.data += 1;
            "W commits"
        } else {
            next.numbers.invalidate(&tag(), rules.strength);
            "W invalidates"
        };
        if !first_half {
            next.returned = next.data;
        }
        (name, next)
    }

    /// A render: sequence, read, check, store, land, each a step of its own.
    fn render_step(&self, render: Render, rules: Rules) -> Option<(&'static str, Render)> {
        let stamp = self.numbers.current();
        Some(match (rules.protocol, render) {
            (Protocol::SequenceAfterFirstRead | Protocol::SequenceWhenStoring, Render::Boarded) => {
                ("R reads", Render::HasRead(self.data))
            }
            (Protocol::SequenceWhenStoring, Render::HasRead(version)) => {
                ("R takes the sequence and checks", Render::Checked(Entry { version, stamp }, true))
            }
            (_, Render::HasRead(version)) => ("R takes the sequence", Render::Done(Entry { version, stamp })),
            (_, Render::Boarded) => ("R takes the sequence", Render::HasStamp(stamp)),
            (_, Render::HasStamp(stamp)) => ("R reads", Render::Done(Entry { version: self.data, stamp })),
            (_, Render::Done(entry)) => ("R checks", Render::Checked(entry, may_store(self.validity(entry)))),
            (_, Render::Checked(entry, true)) => ("R stores", Render::Stored(entry)),
            (_, Render::Checked(entry, false)) => ("R lands, not stored", Render::Landed(entry)),
            (_, Render::Stored(entry)) => ("R lands", Render::Landed(entry)),
            (_, Render::Landed(_)) => return None,
        })
    }

    fn reader_step(&self, mut reader: Reader, rules: Rules) -> Option<(&'static str, World, Reader)> {
        let entry = match reader.state {
            State::Away => {
                (reader.owed, reader.arrived) = (self.returned, self.numbers.current().sequence);
                let (world, reader) = self.look_up(reader, rules.fresh);
                return Some(("arrives", world, reader));
            }
            State::Waiting(render) => match self.renders[render] {
                Render::Landed(entry) => entry,
                _ => return None,
            },
            State::Answered(_) => return None,
        };
        let may = may_join(self.validity(entry), entry.stamp.sequence, reader.arrived, rules.fresh);
        if may || rules.protocol == Protocol::JoinersDoNotCheck {
            reader.state = State::Answered(entry.version);
            return Some(("takes what it waited for", self.clone(), reader));
        }
        let (world, reader) = self.look_up(reader, rules.fresh);
        Some(("competes again", world, reader))
    }

    fn look_up(&self, mut reader: Reader, fresh: bool) -> (World, Reader) {
        let mut world = self.clone();
        let last = self.renders.len() - 1;
        reader.state = match self.entry {
            Some(entry) if self.usable(entry, fresh) => State::Answered(entry.version),
            _ if !matches!(self.renders[last], Render::Landed(_)) => State::Waiting(last),
            _ => {
                world.renders.push(Render::Boarded);
                reader.renders += 1;
                State::Waiting(last + 1)
            }
        };
        (world, reader)
    }

    fn violation(&self, rules: Rules) -> Option<&'static str> {
        let outdated =
            |reader: &Reader| matches!(reader.state, State::Answered(version) if version < reader.owed);
        let looked_up = self.entry.filter(|entry| self.usable(*entry, rules.fresh));
        if looked_up.is_some_and(|entry| entry.version < self.returned) {
            Some("S1: an outdated entry passes for usable")
        } else if self.readers.iter().any(outdated) {
            Some("S2: a reader got outdated data")
        } else if self.readers.iter().any(|reader| reader.renders > 1) {
            Some("a reader rendered twice")
        } else {
            None
        }
    }
}

/// Visits every world that any schedule can reach; the first violation with the schedule that leads to it.
fn explore(rules: Rules) -> (usize, Option<String>) {
    let mut seen = HashSet::new();
    let mut open = vec![(World::start(), Vec::new())];
    while let Some((world, path)) = open.pop() {
        if !seen.insert(format!("{world:?}")) {
            continue;
        }
        if let Some(violation) = world.violation(rules) {
            return (seen.len(), Some(format!("{violation}: {}", path.join(", "))));
        }
        let next = world.next(rules);
        if next.is_empty() {
            let answered = |reader: &Reader| matches!(reader.state, State::Answered(_));
            assert!(world.readers.iter().all(answered), "a reader waits for ever: {path:?}");
        }
        for (step, next) in next {
            open.push((next, path.iter().cloned().chain([step]).collect()));
        }
    }
    (seen.len(), None)
}

/// A soft invalidation promises nothing to those who take stale data.
const BINDING: [(Strength, bool); 3] =
    [(Strength::Hard, false), (Strength::Hard, true), (Strength::Soft, true)];

#[test]
fn no_schedule_gives_a_reader_older_data_than_the_latest_invalidation_that_had_returned() {
    for (strength, fresh) in BINDING {
        let (worlds, violation) = explore(Rules { protocol: Protocol::Real, strength, fresh });
        assert_eq!(violation, None, "{strength:?}, fresh: {fresh}");
        assert!(worlds > 3_000, "only {worlds} worlds: the model has lost its schedules");
    }
}

#[test]
fn the_model_finds_the_fault_of_each_protocol_that_is_nearly_right() {
    let faulty = [
        Protocol::SequenceAfterFirstRead,
        Protocol::SequenceWhenStoring,
        Protocol::JoinersDoNotCheck,
        Protocol::InvalidationBeforeCommit,
    ];
    for protocol in faulty {
        for (strength, fresh) in BINDING {
            let (_, violation) = explore(Rules { protocol, strength, fresh });
            assert!(
                violation.is_some(),
                "{protocol:?}, {strength:?}, fresh: {fresh}: no schedule shows the fault"
            );
        }
    }
}
