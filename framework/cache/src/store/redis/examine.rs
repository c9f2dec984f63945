//! What a server says of itself, once: for `cargo tropos doctor`.

use super::{address, advice, link::Link};
use std::{sync::Arc, time::Duration};
use tropos_core::{Clock as _, SystemClock};

/// How long all questions may take. A server that takes longer is of no use to a cache.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a server of Redis says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisFacts {
    /// Its version, such as `7.2.4`; `None` where it does not say, as a cluster that is asked as a whole.
    pub version: Option<String>,
    /// What is wrong with its memory settings, and what to set.
    pub advice: Option<&'static str>,
    /// By how many milliseconds its clock is ahead of this machine's; below zero where it is behind.
    pub clock_ahead: i64,
}

/// Asks the server at `url` for its version, its settings and its time. Changes nothing.
///
/// # Errors
/// Why it cannot be asked, for people, without the password.
pub async fn examine(url: &str) -> Result<RedisFacts, String> {
    let (address, _) = address::parse(url).map_err(|error| error.to_string())?;
    let link = Arc::new(Link::new(&address).map_err(|error| error.to_string())?);
    let asked = async {
        let clock = SystemClock::new();
        let asked_at = clock.wall();
        let (seconds, micros): (i64, i64) =
            link.ask(&redis::cmd("TIME")).await.map_err(|error| error.to_string())?;
        let here = i64::try_from(asked_at.midpoint(clock.wall())).unwrap_or_default();
        // A user without the right to ask, or a cluster that answers for each node, leaves this open.
        let info = async |section: &str| {
            link.ask::<String>(redis::cmd("INFO").arg(section)).await.unwrap_or_default()
        };
        let memory = info("memory").await;
        Ok(RedisFacts {
            version: version(&info("server").await),
            advice: advice::on_memory(&memory),
            clock_ahead: seconds.saturating_mul(1_000).saturating_add(micros / 1_000).saturating_sub(here),
        })
    };
    let late = |_| Err(format!("no answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(late)
}

fn version(info: &str) -> Option<String> {
    info.lines().find_map(|line| line.trim().strip_prefix("redis_version:").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_among_what_a_server_says() {
        assert_eq!(version("# Server\r\nredis_version:7.2.4\r\nos:Linux\r\n").as_deref(), Some("7.2.4"));
        assert_eq!(version("-NOPERM"), None);
    }

    #[tokio::test]
    async fn nobody_there_is_said_without_the_password() {
        let error = examine("redis://app:hidden@127.0.0.1:1").await.unwrap_err();
        assert!(!error.contains("hidden"), "{error}");
        assert!(examine("redis:/").await.is_err());
    }

    #[tokio::test]
    async fn a_server_says_its_version_and_its_time() {
        if !tropos_parts::has_redis() {
            return;
        }
        let redis = tropos_parts::Redis::start().await.unwrap();
        let facts = examine(&redis.url()).await.unwrap();
        assert!(facts.version.is_some_and(|version| version.contains('.')));
        assert!(facts.clock_ahead.abs() < 2_000, "the same clock");
        assert!(facts.advice.is_some(), "nobody has set a bound");
    }
}
