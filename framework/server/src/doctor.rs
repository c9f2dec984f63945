//! What `cargo tropos doctor` cannot know of the application without its program: how it is configured, and whether the
//! shared store answers. Facts alone; the command judges them. No secret is among them, but for its length.

use crate::Config;
use serde_json::{Value, json};
use tropos_cache::store::redis;

/// The configuration, as far as something can be wrong with it.
pub(crate) fn settings(config: &Config) -> Value {
    let length = |secret: &Option<String>| secret.as_ref().map(|secret| secret.chars().count());
    json!({
        "production": config.production,
        "addr": config.addr.to_string(),
        "admin_addr": config.admin_addr.to_string(),
        "origin": config.origin,
        "cache_dir": config.cache_dir,
        "cache_disk_bytes": config.cache_disk_bytes,
        "revalidate_token_length": length(&config.revalidate_token),
    })
}

/// What the shared store says, or why it says nothing; `null` where there is none.
pub(crate) async fn redis(config: &Config) -> Value {
    let Some(url) = &config.redis_url else { return Value::Null };
    let shown = tropos_db::without_password(url);
    match redis::examine(url).await {
        Ok(facts) => json!({
            "address": shown,
            "version": facts.version,
            "advice": facts.advice,
            "clock_ahead": facts.clock_ahead,
        }),
        Err(error) => json!({ "address": shown, "error": error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_secret_is_among_the_facts() {
        let config = Config {
            revalidate_token: Some("hidden-token".to_owned()),
            secret: Some("hidden-secret-of-many-letters".to_owned()),
            redis_url: Some("redis://app:hidden@127.0.0.1:1".to_owned()),
            ..Config::default()
        };
        let facts = json!([settings(&config), redis(&config).await]);
        assert!(!facts.to_string().contains("hidden"), "{facts}");
        assert_eq!(facts[0]["revalidate_token_length"], 12);
        assert_eq!(facts[0]["addr"], "127.0.0.1:3000");
        assert!(facts[1]["error"].is_string(), "{facts}");
        assert_eq!(redis(&Config::default()).await, Value::Null);
    }
}
