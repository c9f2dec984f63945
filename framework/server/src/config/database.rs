//! The keys of the database, and the tables `[database.shards.NAME]`.

use super::{Config, ConfigError, nearest};
use std::{path::Path, time::Duration};
use tropos_db::{Pooler, ShardConfig};

/// What a start does with a database that lacks migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Migrate {
    /// It applies them, one instance after another. What a small deployment needs: the program brings what it requires.
    #[default]
    Start,
    /// It names them and does not start: somebody runs `cargo tropos db migrate` when the time is right.
    Check,
}

/// The table that holds what has no variable.
pub(super) const TABLE: &str = "database";

/// More than a server can do at a time, and a typing error.
const MOST_CONNECTIONS: u32 = 1_000;

/// No statement of a page takes a day.
const MOST_SECONDS: u64 = 86_400;

/// The keys of a shard's table.
const SHARD_KEYS: [&str; 3] = ["url", "replicas", "slots"];

/// Sets what a key of the database says; what it should be where it is wrong.
pub(super) fn set(config: &mut Config, key: &str, value: &str) -> Result<(), &'static str> {
    let seconds = || {
        let number = value.parse().ok().filter(|number| (1..=MOST_SECONDS).contains(number));
        number.map(Duration::from_secs).ok_or("a number of seconds, from 1 to 86400")
    };
    let database = &mut config.database;
    match key {
        "database_url" => {
            if let Some(first) = database.shards.first_mut() {
                first.url = value.to_owned();
            }
        }
        "database_replica_urls" => {
            let urls = value.split(',').map(str::trim).filter(|url| !url.is_empty()).map(str::to_owned);
            if let Some(first) = database.shards.first_mut() {
                first.replicas = urls.collect();
            }
        }
        "database_direct_urls" => {
            let urls = value.split(',').map(str::trim).filter(|url| !url.is_empty()).map(str::to_owned);
            config.database_direct = urls.collect();
        }
        "database_connections" => {
            let number = value.parse().ok().filter(|number| (1..=MOST_CONNECTIONS).contains(number));
            database.pool.connections = number.ok_or("a number of connections, from 1 to 1000")?;
        }
        "database_pooler" => {
            database.pooler = match value {
                "none" => Pooler::None,
                "transaction" => Pooler::Transaction,
                _ => return Err("`none` or `transaction`"),
            }
        }
        "database_statement_seconds" => database.pool.statement = seconds()?,
        "database_wait_seconds" => database.pool.wait = seconds()?,
        "database_slow_ms" => {
            let number = value.parse().map_err(|_| "a number of milliseconds, such as `200`")?;
            database.slow = Duration::from_millis(number);
        }
        _ => {
            config.database_migrate = match value {
                "start" => Migrate::Start,
                "check" => Migrate::Check,
                _ => return Err("`start` or `check`"),
            }
        }
    }
    Ok(())
}

/// The shards that `tropos.toml` names, in the order in which they are written there; none where it names none.
pub(super) fn shards(path: &Path, table: &toml::Table) -> Result<Vec<ShardConfig>, ConfigError> {
    let Some(value) = table.get(TABLE) else { return Ok(Vec::new()) };
    let inner = as_table(path, TABLE, value)?;
    known(path, TABLE, inner, &["shards"])?;
    let Some(value) = inner.get("shards") else { return Ok(Vec::new()) };
    let shards = as_table(path, "database.shards", value)?;
    shards.iter().map(|(name, value)| shard(path, name, value)).collect()
}

fn shard(path: &Path, name: &str, value: &toml::Value) -> Result<ShardConfig, ConfigError> {
    let place = format!("database.shards.{name}");
    let inner = as_table(path, &place, value)?;
    known(path, &place, inner, &SHARD_KEYS)?;
    let wrong = |key: &str, value: String, expected| ConfigError::Value {
        place: format!("{}: {place}.{key}", path.display()),
        value,
        expected,
    };
    let text = |key: &str, expected| match inner.get(key) {
        None => Ok(None),
        // A shard that is new holds no slots yet.
        Some(toml::Value::String(text)) if !text.is_empty() || key == "slots" => Ok(Some(text.clone())),
        Some(other) => Err(wrong(key, shown(other), expected)),
    };
    let address = "the address of a database, such as `\"postgres://user@host/name\"`";
    let url = text("url", address)?.ok_or_else(|| wrong("url", String::new(), address))?;
    let replicas = match inner.get("replicas") {
        None => Vec::new(),
        Some(value) => {
            let addresses: Option<Vec<String>> = value
                .as_array()
                .and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
            addresses.ok_or_else(|| {
                wrong("replicas", shown(value), "an array of addresses, such as `[\"postgres://…\"]`")
            })?
        }
    };
    let shard = ShardConfig::new(name, url).replicas(replicas);
    Ok(match text("slots", "ranges of slots, such as `\"0-8191\"`")? {
        Some(slots) => shard.slots(slots),
        None => shard,
    })
}

/// A wrong value as a message may have it: one that may be an address is left out, since it may have a password.
fn shown(value: &toml::Value) -> String {
    let text = value.to_string();
    if text.contains(['@', '?']) || text.contains("://") { "…".to_owned() } else { text }
}

fn as_table<'t>(path: &Path, place: &str, value: &'t toml::Value) -> Result<&'t toml::Table, ConfigError> {
    value.as_table().ok_or_else(|| ConfigError::Value {
        place: format!("{}: {place}", path.display()),
        value: shown(value),
        expected: "a table, such as `[database.shards.a]`",
    })
}

fn known(path: &Path, place: &str, table: &toml::Table, names: &[&'static str]) -> Result<(), ConfigError> {
    match table.keys().find(|key| !names.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(ConfigError::UnknownKey {
            path: path.to_owned(),
            key: format!("{place}.{key}"),
            nearest: nearest(names.iter().copied(), key),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{Variables, read},
        *,
    };

    #[test]
    fn one_database_with_replicas_is_two_variables() {
        let config = read(
            "database_slow_ms = 50\ndatabase_pooler = \"transaction\"\ndatabase_migrate = \"check\"",
            &[
                ("DATABASE_URL", "postgres://a/x"),
                ("DATABASE_REPLICA_URLS", "postgres://b/x, postgres://c/x,"),
                ("DATABASE_CONNECTIONS", "20"),
                ("DATABASE_STATEMENT_SECONDS", "30"),
                ("DATABASE_WAIT_SECONDS", "2"),
            ],
        )
        .unwrap();
        let [shard] = config.database.shards.as_slice() else { panic!("one shard") };
        assert_eq!(shard.url, "postgres://a/x");
        assert_eq!(shard.replicas, ["postgres://b/x", "postgres://c/x"]);
        assert_eq!(config.database.pool.connections, 20);
        assert_eq!(config.database.pool.statement, Duration::from_secs(30));
        assert_eq!(config.database.pool.wait, Duration::from_secs(2));
        assert_eq!(config.database.slow, Duration::from_millis(50));
        assert_eq!(config.database.pooler, Pooler::Transaction);
        assert_eq!(config.database_migrate, Migrate::Check);
    }

    #[test]
    fn shards_keep_the_order_in_which_they_are_written() {
        let file = r#"
            [database.shards.west]
            url = "postgres://w/x"
            replicas = ["postgres://w2/x"]
            slots = "0-8191"
            [database.shards.east]
            url = "postgres://e/x"
            slots = "8192-16383"
            [database.shards.new]
            url = "postgres://n/x"
            slots = ""
        "#;
        let shards = read(file, &[]).unwrap().database.shards;
        let [west, east, new] = shards.as_slice() else { panic!("three shards") };
        assert_eq!((west.name.as_str(), west.slots.as_deref()), ("west", Some("0-8191")));
        assert_eq!(west.replicas, ["postgres://w2/x"]);
        assert_eq!((east.name.as_str(), east.url.as_str()), ("east", "postgres://e/x"));
        assert_eq!(new.slots.as_deref(), Some(""), "none yet");
    }

    #[test]
    fn what_is_wrong_with_the_database_is_named_with_what_would_be_right() {
        let shard = "[database.shards.a]\nurl = \"postgres://a/x\"\n";
        let cases: [(&str, Variables<'_>, &str); 12] = [
            (
                "",
                &[("DATABASE_CONNECTIONS", "0")],
                "DATABASE_CONNECTIONS: `0` is not a number of connections",
            ),
            ("", &[("DATABASE_POOLER", "session")], "`session` is not `none` or `transaction`"),
            ("", &[("DATABASE_STATEMENT_SECONDS", "0")], "`0` is not a number of seconds, from 1"),
            ("", &[("DATABASE_WAIT_SECONDS", "5s")], "`5s` is not a number of seconds"),
            ("database_slow_ms = true", &[], "database_slow_ms: `true` is not a number of milliseconds"),
            ("database_migrate = \"never\"", &[], "`never` is not `start` or `check`"),
            ("[database.shard.a]", &[], "unknown key `database.shard`; did you mean `shards`?"),
            ("[database.shards.a]\nuri = 1", &[], "unknown key `database.shards.a.uri`; did you mean `url`?"),
            ("[database.shards.a]\nslots = \"0\"", &[], "database.shards.a.url: `` is not the address"),
            ("[database.shards.a]\nurl = \"x\"\nreplicas = \"y\"", &[], "is not an array of addresses"),
            ("database = 1", &[], "database: `1` is not a table"),
            (
                shard,
                &[("DATABASE_URL", "postgres://b/x")],
                "DATABASE_URL names one database, and tropos.toml shards",
            ),
        ];
        for (file, environment, message) in cases {
            let error = read(file, environment).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn no_message_shows_an_address_that_is_in_the_wrong_place() {
        for file in [
            "database = \"postgres://a:secret@h/d\"",
            "[database]\nshards = \"postgres://a:secret@h/d\"",
            "[database.shards]\na = \"postgres://h/d?password=secret\"",
            "[database.shards.a]\nurl = [\"postgres://a:secret@h/d\"]",
            "[database.shards.a]\nurl = \"x\"\nreplicas = \"postgres://a:secret@h/d\"",
            "[database.shards.a]\nurl = \"x\"\nreplicas = [1, \"a:secret@h/d\"]",
        ] {
            let error = read(file, &[]).unwrap_err().to_string();
            assert!(error.contains("`…` is not ") && !error.contains("secret"), "{error}");
        }
    }
}
