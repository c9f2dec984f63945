//! The configuration: `tropos.toml`, each key overridden by its environment variable.
//!
//! Read once, at start, here and nowhere else; every other part is handed its values.

mod database;
mod shown;

pub use database::Migrate;

use crate::edge::Trusted;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};
use tropos_edge::statement::Keys;

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is no TOML.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with line and column.
        source: Box<toml::de::Error>,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key that Tropos does not know.
    #[error("{}: unknown key `{key}`; did you mean `{nearest}`?", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The known key that is spelled most like it.
        nearest: &'static str,
    },
    /// A value of the wrong form.
    #[error("{place}: `{value}` is not {expected}")]
    Value {
        /// The key or variable.
        place: String,
        /// What was written.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// One database is named, and several.
    #[error("{place} names one database, and {} shards: leave one of the two out", path.display())]
    OneOrShards {
        /// The key or variable.
        place: String,
        /// The file.
        path: PathBuf,
    },
}

/// The table of size budgets: it is the build's, which knows its keys, and nothing to a server.
const BUDGETS: &str = "budgets";

/// The shortest secret, in characters: what is signed with it can be tried out at leisure by whoever holds one cookie, and
/// 16 random letters and digits are out of reach.
pub const SHORTEST_SECRET: usize = 16;

/// A key of `tropos.toml` and the variable that overrides it.
struct Key {
    name: &'static str,
    variable: &'static str,
}

const KEYS: [Key; 36] = [
    Key { name: "addr", variable: "TROPOS_ADDR" },
    Key { name: "admin_addr", variable: "TROPOS_ADMIN_ADDR" },
    Key { name: "origin", variable: "TROPOS_ORIGIN" },
    Key { name: "allowed_hosts", variable: "TROPOS_ALLOWED_HOSTS" },
    Key { name: "trusted_proxies", variable: "TROPOS_TRUSTED_PROXIES" },
    Key { name: "revalidate_token", variable: "TROPOS_REVALIDATE_TOKEN" },
    Key { name: "draft_secret", variable: "TROPOS_DRAFT_SECRET" },
    Key { name: "secret", variable: "TROPOS_SECRET" },
    Key { name: "edge_secret", variable: "TROPOS_EDGE_SECRET" },
    Key { name: "cache_dir", variable: "TROPOS_CACHE_DIR" },
    Key { name: "cache_bytes", variable: "TROPOS_CACHE_BYTES" },
    Key { name: "cache_disk_bytes", variable: "TROPOS_CACHE_DISK_BYTES" },
    Key { name: "degraded_seconds", variable: "TROPOS_DEGRADED_SECONDS" },
    Key { name: "fetch_allow", variable: "TROPOS_FETCH_ALLOW" },
    Key { name: "database_url", variable: "DATABASE_URL" },
    Key { name: "database_replica_urls", variable: "DATABASE_REPLICA_URLS" },
    Key { name: "database_direct_urls", variable: "DATABASE_DIRECT_URLS" },
    Key { name: "database_connections", variable: "DATABASE_CONNECTIONS" },
    Key { name: "database_pooler", variable: "DATABASE_POOLER" },
    Key { name: "database_statement_seconds", variable: "DATABASE_STATEMENT_SECONDS" },
    Key { name: "database_wait_seconds", variable: "DATABASE_WAIT_SECONDS" },
    Key { name: "database_slow_ms", variable: "DATABASE_SLOW_MS" },
    Key { name: "database_migrate", variable: "DATABASE_MIGRATE" },
    Key { name: "redis_url", variable: "REDIS_URL" },
    Key { name: "log", variable: "TROPOS_LOG" },
    Key { name: "front_threads", variable: "TROPOS_FRONT_THREADS" },
    Key { name: "sentry_dsn", variable: "SENTRY_DSN" },
    Key { name: "sentry_environment", variable: "SENTRY_ENVIRONMENT" },
    Key { name: "sentry_release", variable: "SENTRY_RELEASE" },
    Key { name: "sentry_sample_rate", variable: "SENTRY_SAMPLE_RATE" },
    Key { name: "advise", variable: "TROPOS_ADVISE" },
    Key { name: "dashboard", variable: "TROPOS_DASHBOARD" },
    Key { name: "traceresponse", variable: "TROPOS_TRACERESPONSE" },
    Key { name: "server_timing", variable: "TROPOS_SERVER_TIMING" },
    Key { name: "slow_trace_ms", variable: "TROPOS_SLOW_TRACE_MS" },
    Key { name: "trace_client_address", variable: "TROPOS_TRACE_CLIENT_ADDRESS" },
];

/// The configuration of a server. `Debug` shows neither tokens nor passwords.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The public listener.
    pub addr: SocketAddr,
    /// The admin listener: health, readiness, routes. Loopback by default: what it says is for operators.
    pub admin_addr: SocketAddr,
    /// Scheme and host of absolute addresses; from the listener where it is not set.
    pub origin: Option<String>,
    /// Hosts that requests may name; `None`: any in development, the origin's in production.
    pub allowed_hosts: Option<Vec<String>>,
    /// Peers whose `X-Forwarded-For` and geo headers count: the proxies and CDNs in front. None by default: any client
    /// can send such headers.
    pub trusted_proxies: Trusted,
    /// What a caller of `POST /_tropos/revalidate` must know; without it there is no such endpoint.
    pub revalidate_token: Option<String>,
    /// What the cookies of drafts are signed with, and what a caller of `POST /_tropos/draft` must know; at least
    /// [`SHORTEST_SECRET`] characters. Without it there are no drafts.
    pub draft_secret: Option<String>,
    /// What the cookies are signed with by which visitors read their own writes, and whatever the application signs
    /// with it; at least [`SHORTEST_SECRET`] characters, and the same on all instances. Without it, what the database keeps
    /// for the former.
    pub secret: Option<String>,
    /// What an adapter at the edge signs its statements with; several while it is changed. Without them none is believed, and
    /// the hooks run here.
    pub edge_keys: Option<Keys>,
    /// Where entries and invalidations are kept.
    pub cache_dir: PathBuf,
    /// Bound of the memory store, in bytes. 256 MiB: some ten thousand pages, on the smallest machines in use.
    pub cache_bytes: u64,
    /// Bound of the disk store, in bytes. 1 GiB.
    pub cache_disk_bytes: u64,
    /// The store that instances share, in place of the disk.
    pub redis_url: Option<String>,
    /// For how long entries are used, and marked, while that store is out of reach. A minute: what its restart takes.
    pub degraded: Duration,
    /// Hosts and networks that fetches may reach although they are not of the public internet. None by default: a URL
    /// that a visitor chose must not lead inwards.
    pub fetch_allow: tropos_fetch::Allow,
    /// The database: where it is, its pools, replicas and shards. SQLite in `.tropos/app.db` unless something is said.
    pub database: tropos_db::Config,
    /// The servers of the first shard by addresses that go around a pooler: notifications do not pass one. The same as those
    /// of the database where it is empty.
    pub database_direct: Vec<String>,
    /// What a start does with a database that lacks migrations.
    pub database_migrate: Migrate,
    /// The filter of the log.
    pub log: String,
    /// Threads that read requests and answer those that are hits, besides the threads that render; 0: the same do both.
    /// Half as many as there are cores: one of them answers some hundred thousand hits a second, and more of them than
    /// cores that are free for it answer fewer, since they wake and displace each other.
    pub front_threads: usize,
    /// Whether a build is served: hosts are checked, logs are JSON, and errors keep their causes to themselves.
    pub production: bool,
    /// The folder of the dev server that has started this process (`TROPOS_DEV`): turns on what helps while developing.
    /// Nobody else sets it, and a build ignores it.
    pub dev: Option<PathBuf>,
    /// Whether routes are counted for the mode advisor, at `/advice` of the admin listener. Off: hits then take the longer
    /// way, on which they can be counted. On in development, where `dev` is set.
    pub advise: bool,
    /// Whether the admin listener has the dashboard, and what it shows is kept. Off: it shows what visitors ask for, and lets who
    /// reaches it invalidate. On in development, where `dev` is set.
    pub dashboard: bool,
    /// What is told of requests, and where: by the standard `OTEL_*` variables alone, which other programs beside this one read too.
    pub telemetry: tropos_telemetry::Config,
    /// Where errors are reported, and by what name. Nowhere unless an address is set.
    pub sentry: tropos_telemetry::errors::Settings,
    /// Whether answers name their trace in the header `traceresponse`. Off: hits then take the longer way, on which they have one.
    pub traceresponse: bool,
    /// Whether answers say in `Server-Timing` what they took. Off, since it tells everybody; hits take the longer way with it.
    pub server_timing: bool,
    /// Whether the span of a request has the visitor's address. Off: it is personal.
    pub trace_client_address: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addr: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000),
            admin_addr: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3001),
            origin: None,
            allowed_hosts: None,
            trusted_proxies: Trusted::default(),
            revalidate_token: None,
            draft_secret: None,
            secret: None,
            edge_keys: None,
            cache_dir: PathBuf::from(".tropos/cache"),
            cache_bytes: 256 << 20,
            cache_disk_bytes: 1 << 30,
            redis_url: None,
            degraded: Duration::from_secs(60),
            fetch_allow: tropos_fetch::Allow::default(),
            database: tropos_db::Config::new("sqlite://.tropos/app.db"),
            database_direct: Vec::new(),
            database_migrate: Migrate::default(),
            log: "info".to_owned(),
            front_threads: half_the_cores(),
            production: false,
            dev: None,
            advise: false,
            dashboard: false,
            telemetry: tropos_telemetry::Config::default(),
            sentry: tropos_telemetry::errors::Settings::default(),
            traceresponse: false,
            server_timing: false,
            trace_client_address: false,
        }
    }
}

impl Config {
    /// The [secret](Self::secret) for what the application signs, such as sessions. Where none is configured, one that
    /// nobody knows and that ends with this process: what it signed counts no more after a restart, nor on another instance.
    /// The log says so.
    pub fn secret_or_new(&self) -> String {
        self.secret.clone().unwrap_or_else(|| {
            tracing::info!(
                "no secret is configured: whoever signs in is known until this process ends, and to this instance alone; \
                 set TROPOS_SECRET on all instances to the output of `openssl rand -base64 48`"
            );
            // 256 bits, as HMAC-SHA-256 asks for (RFC 2104 §3), written in 64 characters.
            format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
        })
    }

    /// Whether visitors come by `https`, as [`origin`](Self::origin) says. Cookies are `Secure` then.
    pub fn is_https(&self) -> bool {
        self.origin.as_deref().is_some_and(|origin| origin.starts_with("https:"))
    }

    /// Reads `tropos.toml` of the working directory, where there is one, and the environment.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the file or variable.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn load() -> Result<Self, ConfigError> {
        let path = Path::new("tropos.toml");
        let file = match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(ConfigError::Read { path: path.to_owned(), source }),
        };
        Self::read(path, file.as_deref(), |variable| std::env::var(variable).ok())
    }

    /// The configuration from the text of a file and an environment.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the file or variable.
    pub fn read(
        path: &Path,
        file: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let text = file.unwrap_or_default();
        let table: toml::Table = text.parse().map_err(|mut source: toml::de::Error| {
            // It shows the line, which may be that of a token or of an address with its password.
            source.set_input(Some(&shown::without_values(text)));
            ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) }
        })?;
        let known = || KEYS.iter().map(|known| known.name).chain([database::TABLE, BUDGETS]);
        if let Some(key) = table.keys().find(|key| known().all(|known| known != key.as_str())) {
            let nearest = nearest(known(), key);
            return Err(ConfigError::UnknownKey { path: path.to_owned(), key: key.clone(), nearest });
        }
        let mut config =
            Self { telemetry: tropos_telemetry::Config::read(&program(), &variable), ..Self::default() };
        let shards = database::shards(path, &table)?;
        for key in &KEYS {
            let from_environment = variable(key.variable)
                .filter(|value| !value.is_empty())
                .map(|value| (key.variable.to_owned(), value));
            let from_file = || {
                let value = match table.get(key.name)? {
                    toml::Value::String(text) => text.clone(),
                    toml::Value::Array(items) => {
                        items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
                    }
                    other => other.to_string(),
                };
                Some((format!("{}: {}", path.display(), key.name), value))
            };
            if !shards.is_empty()
                && matches!(key.name, "database_url" | "database_replica_urls")
                && let Some((place, _)) = from_environment.clone().or_else(from_file)
            {
                return Err(ConfigError::OneOrShards { place, path: path.to_owned() });
            }
            let port = || variable("PORT").filter(|port| key.name == "addr" && !port.is_empty());
            match (from_environment, port()) {
                (Some((place, value)), _) => config.set(key.name, place, value)?,
                (None, Some(port)) => {
                    let expected = "a port number";
                    let wrong =
                        |_| ConfigError::Value { place: "PORT".into(), value: port.clone(), expected };
                    // Who sets PORT runs the process in a container or behind a router, and reaches it from outside.
                    config.addr =
                        SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port.parse().map_err(wrong)?);
                }
                (None, None) => {
                    if let Some((place, value)) = from_file() {
                        config.set(key.name, place, value)?;
                    }
                }
            }
        }
        if !shards.is_empty() {
            config.database.shards = shards;
        }
        config.dev = variable("TROPOS_DEV").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        Ok(config)
    }

    fn set(&mut self, key: &str, place: String, value: String) -> Result<(), ConfigError> {
        let wrong = |expected| ConfigError::Value { place: place.clone(), value: value.clone(), expected };
        let address = || value.parse().map_err(|_| wrong("an address with a port, such as `127.0.0.1:3000`"));
        let size = || bytes(&value).ok_or_else(|| wrong("a size, such as `268435456` or `256MiB`"));
        match key {
            "addr" => self.addr = address()?,
            "admin_addr" => self.admin_addr = address()?,
            "origin" => {
                let uri: Option<http::Uri> = value.parse().ok();
                let is_origin = uri.is_some_and(|uri| {
                    matches!(uri.scheme_str(), Some("http" | "https"))
                        && uri.path() == "/"
                        && uri.query().is_none()
                });
                if !is_origin {
                    return Err(wrong("a scheme and host, such as `https://shop.example`"));
                }
                self.origin = Some(value.trim_end_matches('/').to_owned());
            }
            "allowed_hosts" => {
                let hosts = value.split(',').map(str::trim).filter(|host| !host.is_empty());
                self.allowed_hosts = Some(hosts.map(str::to_ascii_lowercase).collect());
            }
            "revalidate_token" => self.revalidate_token = Some(value).filter(|token| !token.is_empty()),
            "draft_secret" | "secret" => {
                if value.chars().count() < SHORTEST_SECRET {
                    // The value is left out: it is a secret, if a short one.
                    let (value, expected) = ("…".to_owned(), "a secret of at least 16 characters");
                    return Err(ConfigError::Value { place, value, expected });
                }
                let of = if key == "secret" { &mut self.secret } else { &mut self.draft_secret };
                *of = Some(value);
            }
            "edge_secret" => {
                let read = Keys::parse(&value);
                let wrong = |_| {
                    let expected = "one to four secrets of at least 16 characters, separated by commas";
                    ConfigError::Value { place: place.clone(), value: "…".to_owned(), expected }
                };
                self.edge_keys = Some(read.map_err(wrong)?);
            }
            "cache_dir" => self.cache_dir = PathBuf::from(value),
            "cache_bytes" => self.cache_bytes = size()?,
            "cache_disk_bytes" => self.cache_disk_bytes = size()?,
            "redis_url" => self.redis_url = Some(value).filter(|url| !url.is_empty()),
            "degraded_seconds" => {
                let seconds = value.parse().map_err(|_| wrong("a number of seconds, such as `60`"))?;
                self.degraded = Duration::from_secs(seconds);
            }
            "trusted_proxies" => {
                let expected = "a list of addresses and networks such as `127.0.0.1, 10.0.0.0/8`";
                self.trusted_proxies = value.parse().map_err(|()| wrong(expected))?;
            }
            "fetch_allow" => {
                let expected = "a list of hosts, addresses and networks, such as `api.internal, 10.0.0.0/8`";
                self.fetch_allow = value.parse().map_err(|_| wrong(expected))?;
            }
            key if key.starts_with("database_") => database::set(self, key, &value).map_err(wrong)?,
            "sentry_dsn" => {
                let settings = std::mem::take(&mut self.sentry).dsn(&value);
                // The value is left out: it holds a key.
                let (value, expected) =
                    ("…".to_owned(), "the DSN of a project, such as `https://KEY@sentry.example/1`");
                self.sentry = settings.map_err(|_| ConfigError::Value { place, value, expected })?;
            }
            "sentry_environment" => self.sentry.environment = Some(value),
            "sentry_release" => self.sentry.release = Some(value),
            "sentry_sample_rate" => {
                let settings = std::mem::take(&mut self.sentry).sample_rate(&value);
                self.sentry = settings.map_err(|_| wrong("a part from 0 to 1, such as `0.25`"))?;
            }
            "advise" | "dashboard" | "traceresponse" | "server_timing" | "trace_client_address" => {
                let on = match value.as_str() {
                    "1" | "true" => true,
                    "0" | "false" => false,
                    _ => return Err(wrong("`1` or `0`")),
                };
                *match key {
                    "advise" => &mut self.advise,
                    "dashboard" => &mut self.dashboard,
                    "traceresponse" => &mut self.traceresponse,
                    "server_timing" => &mut self.server_timing,
                    _ => &mut self.trace_client_address,
                } = on;
            }
            "slow_trace_ms" => {
                let millis = value.parse().map_err(|_| wrong("a number of milliseconds, such as `500`"))?;
                self.telemetry.slow = Duration::from_millis(millis);
            }
            "front_threads" => {
                let count = value.parse().ok().filter(|count| *count <= MOST_FRONT_THREADS);
                self.front_threads = count.ok_or_else(|| wrong("a number of threads, from 0 to 64"))?;
            }
            _ => self.log = value,
        }
        Ok(())
    }
}

/// More would only wait for each other.
const MOST_FRONT_THREADS: usize = 64;

fn half_the_cores() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / 2).clamp(1, MOST_FRONT_THREADS)
}

/// The name of this program: the service's, where none is given.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The known name that is spelled most like `key`.
fn nearest(known: impl Iterator<Item = &'static str>, key: &str) -> &'static str {
    known.min_by_key(|known| strsim::levenshtein(known, key)).unwrap_or("addr")
}

/// Reads `1024`, `64KiB`, `256MiB`, `1GiB`.
fn bytes(text: &str) -> Option<u64> {
    let (number, shift) = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 0));
    number.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) type Variables<'a> = &'a [(&'a str, &'a str)];

    pub(super) fn read(file: &str, environment: Variables<'_>) -> Result<Config, ConfigError> {
        Config::read(Path::new("tropos.toml"), Some(file), |name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let file = "addr = \"127.0.0.1:4000\"\ncache_bytes = 1024";
        assert_eq!(read(file, &[]).unwrap().addr.port(), 4000);
        let config =
            read(file, &[("TROPOS_ADDR", "127.0.0.1:5000"), ("TROPOS_CACHE_BYTES", "2KiB")]).unwrap();
        assert_eq!((config.addr.port(), config.cache_bytes), (5000, 2048));
        let port = read(file, &[("PORT", "8080")]).unwrap().addr;
        assert_eq!(port.to_string(), "0.0.0.0:8080");
    }

    #[test]
    fn the_table_of_budgets_is_the_builds_and_no_unknown_key() {
        assert!(read("[budgets]\nscript = \"20 kB\"\n[budgets.routes.\"/a/:b\"]\nwasm = 1", &[]).is_ok());
        let error = read("[budget]\nscript = 1", &[]).unwrap_err().to_string();
        assert!(error.contains("did you mean `budgets`?"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        let cases: [(&str, Variables<'_>, &str); 11] = [
            (
                "edge_secret = \"short\"",
                &[],
                "tropos.toml: edge_secret: `…` is not one to four secrets of at",
            ),
            ("secret = \"0123456789abcde\"", &[], "tropos.toml: secret: `…` is not a secret of at least 16"),
            (
                "",
                &[("TROPOS_DRAFT_SECRET", "guess")],
                "TROPOS_DRAFT_SECRET: `…` is not a secret of at least 16",
            ),
            ("adr = 1", &[], "tropos.toml: unknown key `adr`; did you mean `addr`?"),
            ("cache_byte = 1", &[], "did you mean `cache_bytes`?"),
            ("addr = \"x\"", &[], "tropos.toml: addr: `x` is not an address with a port"),
            ("", &[("TROPOS_CACHE_BYTES", "lots")], "TROPOS_CACHE_BYTES: `lots` is not a size"),
            ("fetch_allow = [\"a\", \"b/c\"]", &[], "fetch_allow: `a,b/c` is not a list of hosts"),
            ("", &[("TROPOS_ORIGIN", "shop.example")], "is not a scheme and host"),
            ("", &[("TROPOS_DEGRADED_SECONDS", "soon")], "is not a number of seconds"),
            ("front_threads = 65", &[], "front_threads: `65` is not a number of threads, from 0 to 64"),
        ];
        for (file, environment, message) in cases {
            let error = read(file, environment).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
