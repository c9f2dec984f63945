//! What a PostgreSQL database says of its own slots, and what it answers to those who write other ones.

use super::{SLOTS, Slot, SlotMap, SlotRanges};
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};

/// The SQLSTATE of a write to slots that are being moved. Class `TS` is not one of PostgreSQL's, nor of the standard's.
const MOVING: &str = "TS001";
/// The SQLSTATE of a write to slots that are not on this shard.
const GONE: &str = "TS002";

/// Only one at a time claims slots, by this advisory lock on the first shard. The first number is `trop` in ASCII, as
/// in `install.sql`.
const CLAIM: &str = "select pg_advisory_xact_lock(1953656688, 3)";

/// The SQL that puts tables and functions of the fence into a PostgreSQL database, to be run on every shard before
/// `tropos_sharded` is called in a migration. It may be run again at any time, by several at once, and as one simple
/// query (`sqlx::raw_sql`), which makes it one transaction.
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

/// A shard may not take the slots that configuration gives it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Addresses of databases have been exchanged, or a shard was renamed.
    #[error(
        "the database at the address of shard `{configured}` says that it is shard `{found}`: mend the addresses, or \
         if the shard was renamed, `update tropos_shard set name = '{configured}'` there"
    )]
    Name {
        /// The name in the configuration.
        configured: String,
        /// The name in the database.
        found: String,
    },
    /// A new shard was given slots whose rows are on another one.
    #[error(
        "slots {slots} are configured to be on the new shard `{shard}`, but shard `{owner}` owns them: give the new \
         shard no slots (`slots = \"\"`), then move them: cargo tropos db move-slots"
    )]
    Owned {
        /// The slots.
        slots: SlotRanges,
        /// The shard that they were configured for.
        shard: String,
        /// The shard that they are on.
        owner: String,
    },
    /// A database could not be asked.
    #[error("cannot claim the slots of shard `{shard}`: {source}")]
    Database {
        /// The shard.
        shard: String,
        /// What sqlx said.
        source: sqlx::Error,
    },
}

/// Lets every database that is new, and has the fence, own the slots that the map gives it. From then on the database
/// decides, and a changed map changes nothing here: slots are [moved](super::moving).
///
/// The pools are those of the primaries, in the order of the map. Several instances may do this at once.
///
/// # Errors
/// When a database is another shard than configured, when a new one is to own what another owns, or when one cannot be
/// asked. Then the fences of databases before it may have been claimed, which does no harm: do it again.
pub async fn claim(shards: &[&PgPool], map: &SlotMap) -> Result<Vec<Fence>, ClaimError> {
    let failed = |shard: u16| {
        let shard = map.name(shard).unwrap_or_default().to_owned();
        move |source| ClaimError::Database { shard, source }
    };
    let Some(first) = shards.first() else { return Ok(Vec::new()) };
    let mut lock = first.begin().await.map_err(failed(0))?;
    sqlx::query(CLAIM).execute(&mut *lock).await.map_err(failed(0))?;
    let mut fences = Vec::new();
    for (shard, pool) in (0u16..).zip(shards) {
        // The lock's own connection asks the first shard: its pool may have no second one.
        let fence = match shard {
            0 => Fence::read(&mut lock).await,
            _ => async { Fence::read(&mut *pool.acquire().await?).await }.await,
        };
        fences.push(fence.map_err(failed(shard))?);
    }
    for shard in claims(map, &fences)? {
        let Some(pool) = shards.get(usize::from(shard)) else { continue };
        let fence = match shard {
            0 => take(&mut lock, map, 0).await,
            _ => async { take(&mut *pool.acquire().await?, map, shard).await }.await,
        };
        let fence = fence.map_err(failed(shard))?;
        if let Some(known) = fences.get_mut(usize::from(shard)) {
            *known = fence;
        }
    }
    lock.commit().await.map_err(failed(0))?;
    Ok(fences)
}

/// The shards that have yet to be claimed.
fn claims(map: &SlotMap, fences: &[Fence]) -> Result<Vec<u16>, ClaimError> {
    let mut new = Vec::new();
    for ((shard, name), fence) in (0u16..).zip(map.names()).zip(fences) {
        match &fence.shard {
            Some(found) if found == name => continue,
            Some(found) => {
                return Err(ClaimError::Name { configured: name.to_owned(), found: found.clone() });
            }
            None => {}
        }
        let slots = map.slots_on(shard);
        for other in fences {
            let held = slots.slots().filter(|slot| other.of(*slot).is_some()).collect::<SlotRanges>();
            if let (false, Some(owner)) = (held.is_empty(), &other.shard) {
                return Err(ClaimError::Owned { slots: held, shard: name.to_owned(), owner: owner.clone() });
            }
        }
        new.push(shard);
    }
    Ok(new)
}

async fn take(connection: &mut PgConnection, map: &SlotMap, shard: u16) -> sqlx::Result<Fence> {
    let mut transaction = connection.begin().await?;
    let name = sqlx::query("insert into tropos_shard (name) values ($1) on conflict do nothing");
    let inserted = name.bind(map.name(shard).unwrap_or_default()).execute(&mut *transaction).await?;
    if inserted.rows_affected() == 1 {
        for (first, last) in map.slots_on(shard).iter() {
            let mark = sqlx::query("select tropos_mark($1, $2, null, 'owned', null)");
            mark.bind(i32::from(first)).bind(i32::from(last)).execute(&mut *transaction).await?;
        }
    }
    let fence = Fence::read(&mut transaction).await?;
    transaction.commit().await?;
    Ok(fence)
}

impl SlotMap {
    /// The map as the databases have it: where they say that slots are on another shard than configured, they are right.
    /// `fences` are in the order of the shards; one that could not be read is an empty one.
    ///
    /// An instance that asks the databases now and then follows a move by this without a new configuration, and can
    /// tell that its configuration is old: `map.followed(&fences) != map`.
    #[must_use]
    pub fn followed(&self, fences: &[Fence]) -> Self {
        let names: Vec<String> = self.names().map(str::to_owned).collect();
        let mut all: Vec<(String, Vec<Slot>)> = names.into_iter().map(|name| (name, Vec::new())).collect();
        for slot in (0..SLOTS).filter_map(Slot::new) {
            let saying = |states: &[State]| fences.iter().position(|fence| fence.has(slot, states));
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
mod tests {
    use super::*;

    fn fence(shard: &str, held: &[(&str, State)]) -> Fence {
        let held = held.iter().map(|(slots, state)| Held {
            slots: slots.parse().unwrap(),
            state: *state,
            peer: None,
        });
        Fence { shard: Some(shard.to_owned()), held: held.collect() }
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

    #[test]
    fn only_new_shards_claim_and_only_what_no_other_has() {
        let map = SlotMap::new([("a", "0-8191"), ("b", "8192-16383")]).unwrap();
        let new = Fence::default();
        assert_eq!(claims(&map, &[new.clone(), new.clone()]).unwrap(), [0, 1]);
        let a = fence("a", &[("0-8191", State::Owned)]);
        assert_eq!(claims(&map, &[a.clone(), new.clone()]).unwrap(), [1]);
        assert_eq!(claims(&map, &[a.clone(), fence("b", &[])]).unwrap(), [] as [u16; 0]);
        for (name, fences, says) in [
            ("exchanged", [fence("b", &[]), fence("a", &[])], "of shard `a` says that it is shard `b`"),
            (
                "owned by another",
                [fence("a", &[("0-16383", State::Owned)]), new],
                "slots 8192-16383 are configured to be on the new shard `b`, but shard `a` owns them",
            ),
        ] {
            let error = claims(&map, &fences).unwrap_err().to_string();
            assert!(error.contains(says), "{name}: {error}");
        }
    }
}
