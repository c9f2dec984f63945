//! What a PostgreSQL database says of its own slots, and what it answers to those who write other ones.

use super::{SLOTS, Slot, SlotMap, SlotRanges};
use sqlx::{PgConnection, Row as _};

/// The SQLSTATE of a write to slots that are being moved. Class `TS` is not one of PostgreSQL's, nor of the standard's.
const MOVING: &str = "TS001";
/// The SQLSTATE of a write to slots that are not on this shard.
const GONE: &str = "TS002";

/// Which `install.sql` this is: a database with an older one is given this one at the next start. To be raised with each
/// change of the file.
const VERSION: u32 = 1;

/// What a database says of the version that it has; no rights are needed for either. Before anything was installed, the
/// first is false.
pub(crate) const INSTALLED: &str = "select to_regclass('tropos_slots') is not null, \
    obj_description(to_regprocedure('tropos_hold(int)'), 'pg_proc')";

/// The SQL that puts tables and functions of the fence into a PostgreSQL database, to be run on every shard before
/// `tropos_sharded` is called in a migration. It may be run again at any time, by several at once, and as one simple
/// query (`sqlx::raw_sql`), which makes it one transaction.
/// [`Db::migrate`](crate::Db::migrate) runs it.
///
/// It creates in the first schema of the `search_path`:
/// - `tropos_slot(text)`: the slot of a key;
/// - `tropos_slots`: which slots are owned here, moving, coming or gone;
/// - `tropos_sharded(table, key column)`: puts the fence around a table;
/// - `tropos_hold(slot)`: refuses unless the slot is owned here, and keeps it so until the transaction ends;
/// - what moving needs besides.
pub fn install_sql() -> &'static str {
    include_str!("install.sql")
}

/// Whether what a database says of its fence is that of another program, and older.
pub(crate) fn is_old(says: Option<&str>) -> bool {
    let version = says.and_then(|says| says.strip_prefix("Tropos fence ")?.parse::<u32>().ok());
    version.is_none_or(|version| version < VERSION)
}

/// Why the fence refused a write. Nothing was written; to try again is right in both cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The slot is being moved (`TS001`): it can be written again once the move is done, or was given up.
    Moving,
    /// The slot is not on this shard (`TS002`): this instance may have an old map.
    Gone,
}

/// Whether an error is that of the fence. A serialization failure (`40001`), which a transaction of a stricter level
/// than `read committed` may see instead, is none: it is to be tried again anyway.
pub fn refused(error: &sqlx::Error) -> Option<Refused> {
    match error.as_database_error()?.code()?.as_ref() {
        MOVING => Some(Refused::Moving),
        GONE => Some(Refused::Gone),
        _ => None,
    }
}

/// Refuses unless the slot is owned by this database, and keeps it from being moved until the transaction ends.
///
/// The trigger does so for each row that is written. An update or a deletion that finds no row writes none, and so is
/// not refused where the rows have moved away and been cleaned up; a transaction that begins with this is.
///
/// # Errors
/// Those that [`refused`] knows, and any other of the connection.
pub async fn hold(transaction: &mut PgConnection, slot: Slot) -> sqlx::Result<()> {
    let hold = sqlx::query("select tropos_hold($1)").bind(i32::from(slot.number())).persistent(false);
    hold.execute(transaction).await.map(|_| ())
}

/// What a database says of some of its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Written here.
    Owned,
    /// Written nowhere, and being copied from here.
    Moving,
    /// Written nowhere, and being copied to here.
    Coming,
    /// Written elsewhere; what is left of them here is of the past.
    Gone,
}

impl State {
    /// As `tropos_slots` has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Owned => "owned",
            Self::Moving => "moving",
            Self::Coming => "coming",
            Self::Gone => "gone",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Owned, Self::Moving, Self::Coming, Self::Gone].into_iter().find(|state| state.word() == word)
    }
}

/// Slots in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The slots.
    pub slots: SlotRanges,
    /// Their state.
    pub state: State,
    /// The shard at the other end, unless they are owned.
    pub peer: Option<String>,
}

/// What a database says of itself. Slots of which it says nothing are on another shard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fence {
    /// The shard that this database is; `None` before its slots were claimed.
    pub shard: Option<String>,
    /// Its slots.
    pub held: Vec<Held>,
}

impl Fence {
    /// Asks a database.
    ///
    /// # Errors
    /// Those of the connection, and that of a missing table before [`install_sql`] was run.
    pub async fn read(connection: &mut PgConnection) -> sqlx::Result<Self> {
        // Each in one message, so that a pooler in transaction mode does not part it.
        let name = sqlx::raw_sql("select name from tropos_shard").fetch_optional(&mut *connection).await?;
        let shard = name.map(|row| row.try_get(0)).transpose()?;
        let rows = sqlx::raw_sql("select first, last, state, peer from tropos_slots order by first");
        let mut held = Vec::new();
        for row in rows.fetch_all(connection).await? {
            let (first, last): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
            let word: String = row.try_get(2)?;
            let slots = (first..=last).filter_map(|slot| Slot::new(u16::try_from(slot).ok()?)).collect();
            let state = State::of(&word).ok_or_else(|| {
                sqlx::Error::Decode(format!("`{word}` is no state of slots: a newer Tropos wrote it").into())
            })?;
            held.push(Held { slots, state, peer: row.try_get(3)? });
        }
        Ok(Self { shard, held })
    }

    /// What it says of one slot.
    pub fn of(&self, slot: Slot) -> Option<&Held> {
        self.held.iter().find(|held| held.slots.contains(slot))
    }

    fn has(&self, slot: Slot, states: &[State]) -> bool {
        self.of(slot).is_some_and(|held| states.contains(&held.state))
    }
}

impl SlotMap {
    /// The map as the databases have it: where they say that slots are on another shard than configured, they are right.
    /// `fences` are in the order of the shards; one that could not be read is an empty one.
    ///
    /// An instance that asks the databases now and then follows a move by this without a new configuration, and can
    /// tell that its configuration is old: `map.followed(&fences) != map`.
    #[must_use]
    pub fn followed(&self, fences: &[Fence]) -> Self {
        self.followed_by(&fences.iter().map(|fence| ((), fence.clone())).collect::<Vec<_>>())
    }

    /// The same where each fence comes with the time of its answer: where one that was out of reach since says that it
    /// owns what another one owns, the newer answer is right.
    pub(super) fn followed_by<T: Ord>(&self, fences: &[(T, Fence)]) -> Self {
        let names: Vec<String> = self.names().map(str::to_owned).collect();
        let mut all: Vec<(String, Vec<Slot>)> = names.into_iter().map(|name| (name, Vec::new())).collect();
        for slot in (0..SLOTS).filter_map(Slot::new) {
            let saying = |states: &[State]| {
                let those = fences.iter().enumerate().filter(|(_, (_, fence))| fence.has(slot, states));
                // Of equals, the last is the greatest: that is the first shard.
                those.rev().max_by_key(|(_, (answered, _))| answered).map(|(shard, _)| shard)
            };
            // While neither side owns them, they are where they are read: at the source, until it has given them up.
            let owner = saying(&[State::Owned, State::Moving]).or_else(|| saying(&[State::Coming]));
            let owner = owner.unwrap_or_else(|| usize::from(self.shard_of(slot)));
            if let Some((_, slots)) = all.get_mut(owner) {
                slots.push(slot);
            }
        }
        let all = all.into_iter().map(|(name, slots)| (name, slots.into_iter().collect())).collect();
        // Each slot went to one shard, unless there are more fences than shards.
        Self::of(all).unwrap_or_else(|_| self.clone())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::shard) fn fence(shard: &str, held: &[(&str, State)]) -> Fence {
        let held = held.iter().map(|(slots, state)| Held {
            slots: slots.parse().unwrap(),
            state: *state,
            peer: None,
        });
        Fence { shard: Some(shard.to_owned()), held: held.collect() }
    }

    #[test]
    fn a_changed_text_has_another_version() {
        assert!(install_sql().contains(&format!("is 'Tropos fence {VERSION}'")));
        let text = Slot::of(install_sql()).number();
        assert_eq!(
            (VERSION, text),
            (1, 11254),
            "raise `VERSION` and the comment in install.sql, and note both here"
        );
    }

    #[test]
    fn an_older_fence_is_replaced_and_a_newer_one_is_left() {
        for (says, old) in [
            (None, true),
            (Some("put there by hand"), true),
            (Some("Tropos fence 0"), true),
            (Some("Tropos fence 1"), false),
            (Some("Tropos fence 2"), false),
        ] {
            assert_eq!(is_old(says), old, "{says:?}");
        }
    }

    #[test]
    fn of_two_that_own_a_slot_the_one_that_was_asked_last_is_right() {
        let map = SlotMap::new([("a", "0-8191"), ("b", "8192-16383")]).unwrap();
        let before = fence("a", &[("0-8191", State::Owned)]);
        let after = fence("b", &[("0-99,8192-16383", State::Owned)]);
        for (name, a, b, now_on_a) in [
            ("both in one question", Some(2), Some(2), "0-8191"),
            ("a has not answered since", Some(1), Some(2), "100-8191"),
            ("nor has b, since then", Some(1), Some(1000), "100-8191"),
            ("b has not answered since", Some(2), Some(1), "0-8191"),
        ] {
            let followed = map.followed_by(&[(a, before.clone()), (b, after.clone())]);
            assert_eq!(followed.slots_on(0).to_string(), now_on_a, "{name}");
        }
    }

    #[test]
    fn the_databases_are_right_about_where_slots_are() {
        use State::{Coming, Gone, Moving, Owned};
        let map = SlotMap::new([("a", "0-8191"), ("b", "8192-16383")]).unwrap();
        for (name, a, b, now_on_a) in [
            ("nothing is known", vec![], vec![], "0-8191"),
            ("as configured", vec![("0-8191", Owned)], vec![("8192-16383", Owned)], "0-8191"),
            (
                "being copied",
                vec![("0-99", Moving), ("100-8191", Owned)],
                vec![("0-99", Coming), ("8192-16383", Owned)],
                "0-8191",
            ),
            (
                "given up, not yet taken",
                vec![("0-99", Gone), ("100-8191", Owned)],
                vec![("0-99", Coming), ("8192-16383", Owned)],
                "100-8191",
            ),
            (
                "moved",
                vec![("0-99", Gone), ("100-8191", Owned)],
                vec![("0-99", Owned), ("8192-16383", Owned)],
                "100-8191",
            ),
            ("cleaned", vec![("100-8191", Owned)], vec![("0-99", Owned), ("8192-16383", Owned)], "100-8191"),
            ("one is out of reach", vec![], vec![("8192-16383", Owned)], "0-8191"),
        ] {
            let followed = map.followed(&[fence("a", &a), fence("b", &b)]);
            assert_eq!(followed.slots_on(0).to_string(), now_on_a, "{name}");
        }
    }
}
