//! Telling the databases which slots are theirs.

use super::{Fence, ONLY, SLOTS, Slot, SlotMap, SlotRanges, State};
use sqlx::{Connection as _, PgConnection, PgPool};

/// Only one at a time claims slots, by this advisory lock on the first shard. The first number is `trop` in ASCII, as
/// in `install.sql`.
const CLAIM: &str = "select pg_advisory_xact_lock(1953656688, 3)";

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
    /// Two databases say that they have the same slots.
    #[error(
        "the databases of shards `{shard}` and `{other}` both own slots {slots}, which can be as each was migrated by \
         itself before: where one of them has no rows yet, `delete from tropos_slots; delete from tropos_shard` there"
    )]
    Twice {
        /// The slots.
        slots: SlotRanges,
        /// One shard.
        shard: String,
        /// The other.
        other: String,
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
/// A database that was the only one, and so is known as `main`, takes the name that the map has for it, unless a shard of
/// the map is called `main` itself.
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
    for (shard, claims) in claims(map, &fences)? {
        let Some(pool) = shards.get(usize::from(shard)) else { continue };
        let fence = match shard {
            0 => take(&mut lock, map, shard, claims).await,
            _ => async { take(&mut *pool.acquire().await?, map, shard, claims).await }.await,
        };
        let fence = fence.map_err(failed(shard))?;
        if let Some(known) = fences.get_mut(usize::from(shard)) {
            *known = fence;
        }
    }
    lock.commit().await.map_err(failed(0))?;
    Ok(fences)
}

/// The shards whose databases do not know yet what they are. Changes nothing.
///
/// # Errors
/// As [`claim`].
pub(crate) async fn unclaimed(shards: &[&PgPool], map: &SlotMap) -> Result<Vec<String>, ClaimError> {
    let mut fences = Vec::new();
    for (shard, pool) in (0u16..).zip(shards) {
        let fence = async { Fence::read(&mut *pool.acquire().await?).await }.await;
        let shard = map.name(shard).unwrap_or_default();
        fences.push(fence.map_err(|source| ClaimError::Database { shard: shard.to_owned(), source })?);
    }
    let name = |(shard, _)| map.name(shard).unwrap_or_default().to_owned();
    Ok(claims(map, &fences)?.into_iter().map(name).collect())
}

/// Lets a database that is the only one own all slots, unless it knows already what it owns: by that a second one can
/// come to it later. Within the transaction that puts the fence there.
pub(crate) async fn own_all(transaction: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    if named(transaction, name).await? {
        mark(transaction, 0, SLOTS - 1).await?;
    }
    Ok(())
}

/// What a database has yet to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claims {
    /// Its name and its slots.
    Slots,
    /// Its new name.
    Name,
}

/// The shards that have yet to be claimed.
fn claims(map: &SlotMap, fences: &[Fence]) -> Result<Vec<(u16, Claims)>, ClaimError> {
    let all = || (0u16..).zip(map.names()).zip(fences);
    let mut new = Vec::new();
    for ((shard, name), fence) in all() {
        let Some(found) = &fence.shard else {
            let slots = map.slots_on(shard);
            for other in fences {
                let held = slots.slots().filter(|slot| other.of(*slot).is_some()).collect::<SlotRanges>();
                if let (false, Some(owner)) = (held.is_empty(), &other.shard) {
                    return Err(ClaimError::Owned {
                        slots: held,
                        shard: name.to_owned(),
                        owner: owner.clone(),
                    });
                }
            }
            new.push((shard, Claims::Slots));
            continue;
        };
        if found == name {
            continue;
        }
        // Where slots have a peer, that one knows it by the name that it had.
        let is_alone = found == ONLY && fence.held.iter().all(|held| held.peer.is_none());
        if !is_alone || map.names().any(|name| name == ONLY) {
            return Err(ClaimError::Name { configured: name.to_owned(), found: found.clone() });
        }
        new.push((shard, Claims::Name));
    }
    for ((shard, name), fence) in all() {
        for ((_, other), others) in all().take(usize::from(shard)) {
            let owned = |fence: &Fence, slot| fence.of(slot).is_some_and(|held| held.state == State::Owned);
            let both = |slot: &Slot| owned(fence, *slot) && owned(others, *slot);
            let slots = (0..SLOTS).filter_map(Slot::new).filter(both).collect::<SlotRanges>();
            if !slots.is_empty() {
                let (shard, other) = (other.to_owned(), name.to_owned());
                return Err(ClaimError::Twice { slots, shard, other });
            }
        }
    }
    Ok(new)
}

async fn take(
    connection: &mut PgConnection,
    map: &SlotMap,
    shard: u16,
    claims: Claims,
) -> sqlx::Result<Fence> {
    let mut transaction = connection.begin().await?;
    let name = map.name(shard).unwrap_or_default();
    match claims {
        Claims::Name => {
            let rename = sqlx::query("update tropos_shard set name = $1 where name = $2");
            rename.bind(name).bind(ONLY).execute(&mut *transaction).await?;
        }
        Claims::Slots if named(&mut transaction, name).await? => {
            for (first, last) in map.slots_on(shard).iter() {
                mark(&mut transaction, first, last).await?;
            }
        }
        Claims::Slots => {}
    }
    let fence = Fence::read(&mut transaction).await?;
    transaction.commit().await?;
    Ok(fence)
}

/// Names a database; whether it had no name.
async fn named(transaction: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let insert = sqlx::query("insert into tropos_shard (name) values ($1) on conflict do nothing").bind(name);
    Ok(insert.persistent(false).execute(transaction).await?.rows_affected() == 1)
}

async fn mark(transaction: &mut PgConnection, first: u16, last: u16) -> sqlx::Result<()> {
    let mark = sqlx::query("select tropos_mark($1, $2, null, 'owned', null)").persistent(false);
    mark.bind(i32::from(first)).bind(i32::from(last)).execute(transaction).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::{super::fence::tests::fence, *};

    #[test]
    fn only_new_shards_claim_and_only_what_no_other_has() {
        let map = SlotMap::new([("a", "0-8191"), ("b", "8192-16383")]).unwrap();
        let new = Fence::default();
        assert_eq!(
            claims(&map, &[new.clone(), new.clone()]).unwrap(),
            [(0, Claims::Slots), (1, Claims::Slots)]
        );
        let a = fence("a", &[("0-8191", State::Owned)]);
        assert_eq!(claims(&map, &[a.clone(), new.clone()]).unwrap(), [(1, Claims::Slots)]);
        assert_eq!(claims(&map, &[a.clone(), fence("b", &[])]).unwrap(), []);
        let all = fence(ONLY, &[("0-16383", State::Owned)]);
        for (name, fences, says) in [
            (
                "the only one until now, and half of it is configured to be elsewhere",
                [all.clone(), new.clone()],
                "slots 8192-16383 are configured to be on the new shard `b`, but shard `main` owns them",
            ),
            (
                "both were the only one",
                [all.clone(), all.clone()],
                "the databases of shards `a` and `b` both own slots 0-16383",
            ),
            (
                "exchanged with the only one",
                [fence("b", &[]), all.clone()],
                "of shard `a` says that it is shard `b`",
            ),
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

    #[test]
    fn the_only_database_takes_the_name_of_a_shard() {
        let all = fence(ONLY, &[("0-16383", State::Owned)]);
        let new = Fence::default();
        let map = SlotMap::new([("a", "0-16383"), ("b", "")]).unwrap();
        assert_eq!(
            claims(&map, &[all.clone(), new.clone()]).unwrap(),
            [(0, Claims::Name), (1, Claims::Slots)]
        );
        let stays = SlotMap::new([("main", "0-16383"), ("b", "")]).unwrap();
        assert_eq!(claims(&stays, &[all.clone(), new.clone()]).unwrap(), [(1, Claims::Slots)]);
        let exchanged = SlotMap::new([("b", ""), ("main", "0-16383")]).unwrap();
        assert!(matches!(claims(&exchanged, &[all.clone(), new.clone()]), Err(ClaimError::Name { .. })));
        let mut known_to_others = all;
        known_to_others.held[0].peer = Some("c".to_owned());
        assert!(matches!(claims(&map, &[known_to_others, new]), Err(ClaimError::Name { .. })));
    }
}
