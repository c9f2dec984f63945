//! Redis 7 or later, or what speaks like it: one server, under Sentinel, or a cluster.
//!
//! | key | holds |
//! |---|---|
//! | `{P:tags}:state` | incarnation, sequence, floors, the number of marks, when it began; `log:S`, the highest position in the log of shard `S` that an invalidation carried |
//! | `{P:tags}:marks` | each invalidated tag, behind `h` or `s` for hard or soft, by the number of its latest invalidation |
//! | `{P:tags}:tokens` | what was drawn for each of the last 10,000 numbers |
//! | `{P:tags}:leases` | until when each instance may trust its copy |
//! | `{P:tags}:seen` | the token up to which each instance has acknowledged |
//! | `{P:tags}:replaced` | incarnations that are no more |
//! | `P:entry:BUILD:HASH` | an entry, for a day at most |
//! | `P:turn:BUILD:HASH` | who renders it |
//! | `P:count:KEY` | requests of a window and of the one before, for two windows after the last |
//!
//! All that belongs to the tags lies in one slot of a cluster, since one script changes it in one step; entries lie in
//! all slots. Scripts are sent whole, so that a server that was replaced needs no preparation.
//!
//! Redis may drop entries when it is full (`maxmemory-policy volatile-lru`), and must not drop the tags: they have no
//! expiry; counts of requests it may drop as well, and then they begin anew. Should they be lost nevertheless, or in part, all instances find out at their next renewal, and everything is
//! made anew.

mod address;
mod advice;
mod examine;
mod link;

pub use examine::{RedisFacts, examine};

use super::shared::{Asked, Changes, Known, Renewal, SharedError, SharedStore};
use crate::{
    Error, Strength,
    limit::{Counted, Limit},
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture};
use link::Link;
use redis::{Cmd, Value};
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::Notify;
use tropos_core::{Positions, Tag};

/// An entry stays for a day, or until it expires: instances keep in memory what is asked for all the time. Bounds what
/// old builds and paths that nobody asks for again leave behind.
const ENTRY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Larger entries stay with the instance that made them: one would hold up all others on the connection.
const LARGEST_ENTRY: usize = 8 << 20;

/// Tags that the store remembers the invalidation of; as many as an instance does.
const MOST_MARKS: usize = 1_000_000;

/// Marks in one answer; more than one invalidation has.
const MARKS_AN_ANSWER: usize = 4_000;

/// Between two tries to listen for hints, which are a convenience.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);

/// Entries and the tag sequence in Redis.
pub struct RedisStore {
    link: Arc<Link>,
    prefix: String,
    instance: String,
    hinted: Arc<Notify>,
    listener: tokio::task::JoinHandle<()>,
}

impl RedisStore {
    /// A store at `url`; see [`Error::SharedUrl`] for its forms. The server is asked when it is first needed, and need
    /// not be there yet.
    ///
    /// # Errors
    /// [`Error::SharedUrl`].
    pub fn open(url: &str) -> Result<Self, Error> {
        let (address, prefix) = address::parse(url)?;
        let link = Link::new(&address).map_err(|error| Error::SharedUrl {
            url: address::without_login(url),
            problem: error.to_string(),
        })?;
        let (link, hinted) = (Arc::new(link), Arc::new(Notify::new()));
        let channel = format!("{prefix}:invalidated");
        let listener = tokio::spawn(listen(link.clone(), channel, hinted.clone()));
        let instance = hex(draw());
        Ok(Self { link, prefix, instance, hinted, listener })
    }

    fn script(&self, text: &str, keys: &[&str]) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(text).arg(keys.len());
        for key in keys {
            command.arg(format!("{{{}:tags}}:{key}", self.prefix));
        }
        command
    }

    fn entry_key(&self, name: &str) -> String {
        format!("{}:entry:{name}", self.prefix)
    }

    fn turn_key(&self, name: &str) -> String {
        format!("{}:turn:{name}", self.prefix)
    }

    fn count_key(&self, key: &str) -> String {
        format!("{}:count:{key}", self.prefix)
    }

    fn channel(&self) -> String {
        format!("{}:invalidated", self.prefix)
    }
}

impl SharedStore for RedisStore {
    fn renew(&self, known: Known, lease: Duration) -> Asked<'_, Renewal> {
        let mut command =
            self.script(include_str!("scripts/renew.lua"), &["state", "marks", "tokens", "leases", "seen"]);
        command
            .arg(hex(draw()))
            .arg(some_hex(known.incarnation))
            .arg(known.sequence)
            .arg(some_hex(known.token))
            .arg(&self.instance)
            .arg(millis(lease))
            .arg(MARKS_AN_ANSWER);
        async move { read_renewal(self.link.ask(&command).await?) }.boxed()
    }

    fn begin_anew(&self, known: Known) -> Asked<'_, ()> {
        let mut command = self.script(
            include_str!("scripts/begin_anew.lua"),
            &["state", "marks", "tokens", "leases", "seen", "replaced"],
        );
        command.arg(hex(draw())).arg(hex(known.incarnation)).arg(known.sequence).arg(self.channel());
        async move { self.link.ask(&command).await }.boxed()
    }

    fn invalidate<'a>(
        &'a self,
        tags: &'a [Tag],
        strength: Strength,
        positions: &'a Positions,
    ) -> Asked<'a, (u64, u64)> {
        let mut command = self.script(include_str!("scripts/invalidate.lua"), &["state", "marks", "tokens"]);
        command
            .arg(hex(draw()))
            .arg(hex(draw()))
            .arg(letter(strength))
            .arg(MOST_MARKS)
            .arg(self.channel())
            .arg(positions.iter().count());
        for (shard, position) in positions.iter() {
            command.arg(shard).arg(hex(position));
        }
        command.arg(tags.iter().map(Tag::as_str).collect::<Vec<_>>());
        async move {
            let (incarnation, number): (String, u64) = self.link.ask(&command).await?;
            Ok((from_hex(&incarnation)?, number))
        }
        .boxed()
    }

    fn unacknowledged(
        &self,
        incarnation: u64,
        sequence: u64,
        lease: Duration,
        grace: Duration,
    ) -> Asked<'_, usize> {
        let mut command =
            self.script(include_str!("scripts/unacknowledged.lua"), &["state", "tokens", "leases", "seen"]);
        command.arg(hex(incarnation)).arg(sequence).arg(&self.instance).arg(millis(grace)).arg(millis(lease));
        async move {
            let waiting: i64 = self.link.ask(&command).await?;
            usize::try_from(waiting).map_err(|_| SharedError::BeganAnew)
        }
        .boxed()
    }

    fn leave(&self) -> Asked<'_, ()> {
        let mut command = self.script(include_str!("scripts/leave.lua"), &["leases", "seen"]);
        command.arg(&self.instance);
        async move { self.link.ask(&command).await }.boxed()
    }

    fn hint(&self) -> BoxFuture<'_, ()> {
        self.hinted.notified().boxed()
    }

    fn read<'a>(&'a self, name: &'a str) -> Asked<'a, Option<Bytes>> {
        let mut command = redis::cmd("GET");
        command.arg(self.entry_key(name));
        async move { self.link.ask::<Option<Bytes>>(&command).await }.boxed()
    }

    fn write<'a>(&'a self, name: &'a str, bytes: Vec<u8>, life: Duration) -> Asked<'a, ()> {
        let life = millis(life.min(ENTRY_LIFE));
        if bytes.len() > LARGEST_ENTRY || life == 0 {
            return self.remove(name); // what is there is older
        }
        let mut command = redis::cmd("SET");
        command.arg(self.entry_key(name)).arg(bytes).arg("PX").arg(life);
        async move { self.link.ask(&command).await }.boxed()
    }

    fn remove<'a>(&'a self, name: &'a str) -> Asked<'a, ()> {
        let mut command = redis::cmd("DEL");
        command.arg(self.entry_key(name));
        async move { self.link.ask(&command).await }.boxed()
    }

    fn take<'a>(&'a self, name: &'a str, holder: u64, span: Duration) -> Asked<'a, bool> {
        let mut command = redis::cmd("EVAL");
        command.arg(include_str!("scripts/take.lua")).arg(1).arg(self.turn_key(name));
        command.arg(hex(holder)).arg(millis(span));
        async move { self.link.ask(&command).await }.boxed()
    }

    fn give_back<'a>(&'a self, name: &'a str, holder: u64) -> Asked<'a, ()> {
        let mut command = redis::cmd("EVAL");
        command.arg(include_str!("scripts/give_back.lua")).arg(1).arg(self.turn_key(name)).arg(hex(holder));
        async move { self.link.ask(&command).await }.boxed()
    }

    fn count<'a>(&'a self, key: &'a str, limit: Limit) -> Asked<'a, Counted> {
        let mut command = redis::cmd("EVAL");
        command.arg(include_str!("scripts/count.lua")).arg(1).arg(self.count_key(key));
        let span = u64::from(limit.seconds.max(1)) * 1000;
        command.arg(limit.most).arg(span).arg(u8::from(limit.sliding));
        async move {
            let (left, seconds): (i64, u32) = self.link.ask(&command).await?;
            Ok(Counted { left: u32::try_from(left).ok(), seconds })
        }
        .boxed()
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

/// Turns what is published into hints. Whenever it has subscribed it hints once, since something may have been missed.
async fn listen(link: Arc<Link>, channel: String, hinted: Arc<Notify>) {
    let mut advised = false;
    loop {
        if let Ok(mut listener) = link.listen(&channel).await {
            if !advised && let Ok(info) = link.ask::<String>(redis::cmd("INFO").arg("memory")).await {
                advised = true;
                advice::on_memory(&info).inspect(|advice| tracing::warn!("{advice}"));
            }
            hinted.notify_one();
            let mut messages = listener.on_message();
            while messages.next().await.is_some() {
                hinted.notify_one();
            }
        }
        tokio::time::sleep(LISTEN_PAUSE).await;
    }
}

/// As `renew.lua` returns it.
type Answer = (String, u64, u64, String, u64, u64, u64, Vec<(String, u64)>, Vec<(u16, String)>);

fn read_renewal(answer: Vec<Value>) -> Result<Renewal, SharedError> {
    let foreign = |error: redis::ParsingError| SharedError::Failed(error.to_string());
    let mut parts = answer.into_iter();
    let first = parts.next().map(redis::from_redis_value::<String>).transpose().map_err(foreign)?;
    match first.as_deref() {
        Some("broken") => return Ok(Renewal::Broken),
        Some("continued") => {}
        _ => return Err(SharedError::Failed("its script answered something unknown".to_owned())),
    }
    let rest = Value::Array(parts.collect());
    let (incarnation, latest, reached, token, floor_hard, floor_soft, wall, found, log): Answer =
        redis::from_redis_value(rest).map_err(foreign)?;
    let marks = found.iter().filter_map(|(mark, number)| read_mark(mark, *number)).collect();
    let positions: Result<Positions, SharedError> =
        log.iter().map(|(shard, position)| Ok((*shard, from_hex(position)?))).collect();
    Ok(Renewal::Continued(Changes {
        incarnation: from_hex(&incarnation)?,
        reached,
        token: if token.is_empty() { 0 } else { from_hex(&token)? },
        latest,
        floor_hard,
        floor_soft,
        marks,
        wall,
        positions: positions?,
    }))
}

fn read_mark(mark: &str, number: u64) -> Option<(Tag, Strength, u64)> {
    let (letter, tag) = mark.split_at_checked(1)?;
    let strength = match letter {
        "s" => Strength::Soft,
        _ => Strength::Hard,
    };
    Some((Tag::from(tag), strength, number))
}

fn letter(strength: Strength) -> &'static str {
    match strength {
        Strength::Hard => "h",
        Strength::Soft => "s",
    }
}

/// Never 0, which stands for nothing.
fn draw() -> u64 {
    rand::random_range(1..=u64::MAX)
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}

fn some_hex(number: u64) -> String {
    if number == 0 { String::new() } else { hex(number) }
}

fn from_hex(text: &str) -> Result<u64, SharedError> {
    u64::from_str_radix(text, 16).map_err(|_| SharedError::Failed(format!("`{text}` is no number of it")))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
