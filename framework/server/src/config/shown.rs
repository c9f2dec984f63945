//! The configuration as logs may have it.

use super::Config;
use std::fmt;
use tropos_db::without_password;

/// In place of a secret that is set.
const HIDDEN: &str = "…";

/// By hand, so that no log has a secret from it: tokens are hidden, and passwords of addresses. Each field is named, so
/// that a new one is thought of here.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            addr,
            admin_addr,
            origin,
            allowed_hosts,
            revalidate_token,
            draft_secret,
            secret,
            cache_dir,
            cache_bytes,
            cache_disk_bytes,
            redis_url,
            degraded,
            fetch_allow,
            database,
            database_direct,
            database_migrate,
            log,
            front_threads,
            production,
        } = self;
        let database_direct: Vec<_> = database_direct.iter().map(|url| without_password(url)).collect();
        f.debug_struct("Config")
            .field("addr", addr)
            .field("admin_addr", admin_addr)
            .field("origin", origin)
            .field("allowed_hosts", allowed_hosts)
            .field("revalidate_token", &revalidate_token.as_ref().map(|_| HIDDEN))
            .field("draft_secret", &draft_secret.as_ref().map(|_| HIDDEN))
            .field("secret", &secret.as_ref().map(|_| HIDDEN))
            .field("cache_dir", cache_dir)
            .field("cache_bytes", cache_bytes)
            .field("cache_disk_bytes", cache_disk_bytes)
            .field("redis_url", &redis_url.as_deref().map(without_password))
            .field("degraded", degraded)
            .field("fetch_allow", fetch_allow)
            .field("database", database)
            .field("database_direct", &database_direct)
            .field("database_migrate", database_migrate)
            .field("log", log)
            .field("front_threads", front_threads)
            .field("production", production)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown_by_debug() {
        let config = Config {
            revalidate_token: Some("hidden-token".to_owned()),
            draft_secret: Some("hidden-secret-of-drafts".to_owned()),
            secret: Some("hidden-secret-of-instances".to_owned()),
            redis_url: Some("redis://:hidden@r:6379/0".to_owned()),
            database: tropos_db::Config::new("postgres://a:hidden@p/d").replicas(["postgres://a:hidden@q/d"]),
            database_direct: vec!["postgres://s/d?password=hidden".to_owned()],
            ..Config::default()
        };
        let shown = format!("{config:?}");
        assert!(!shown.contains("hidden"), "{shown}");
        for kept in
            ["redis://…@r:6379/0", "postgres://…@p/d", "postgres://…@q/d", "postgres://s/d", "front_threads"]
        {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }
}
