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
            trusted_proxies,
            revalidate_token,
            draft_secret,
            secret,
            edge_keys,
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
            dev,
            advise,
            dashboard,
            telemetry,
            sentry,
            traceresponse,
            server_timing,
            trace_client_address,
        } = self;
        let database_direct: Vec<_> = database_direct.iter().map(|url| without_password(url)).collect();
        f.debug_struct("Config")
            .field("addr", addr)
            .field("admin_addr", admin_addr)
            .field("origin", origin)
            .field("allowed_hosts", allowed_hosts)
            .field("trusted_proxies", trusted_proxies)
            .field("revalidate_token", &revalidate_token.as_ref().map(|_| HIDDEN))
            .field("draft_secret", &draft_secret.as_ref().map(|_| HIDDEN))
            .field("secret", &secret.as_ref().map(|_| HIDDEN))
            .field("edge_keys", &edge_keys.as_ref().map(|_| HIDDEN))
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
            .field("dev", dev)
            .field("advise", advise)
            .field("dashboard", dashboard)
            .field("telemetry", telemetry)
            .field("sentry", sentry)
            .field("traceresponse", traceresponse)
            .field("server_timing", server_timing)
            .field("trace_client_address", trace_client_address)
            .finish()
    }
}

/// The text of `tropos.toml` with an asterisk for each byte of what may be a value, so that places in it stay what they
/// are: from the first `=`, colon or quotation mark of a line on, and whole lines that are neither a key's nor a table's.
pub(super) fn without_values(text: &str) -> String {
    let line = |line: &str| {
        let from = line.find(['=', ':', '"', '\'']).map(|at| at + 1);
        let kept = from.unwrap_or(if line.trim_start().starts_with('[') { line.len() } else { 0 });
        let hidden = |char: char| if char.is_whitespace() { ' ' } else { '*' };
        let rest = line.get(kept..).unwrap_or_default();
        let rest = rest.chars().flat_map(|char| std::iter::repeat_n(hidden(char), char.len_utf8()));
        line.get(..kept).unwrap_or_default().chars().chain(rest).collect::<String>()
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_line_that_is_no_toml_is_shown_without_what_it_sets() {
        for (file, place) in [
            ("log = \"info\"\ndatabase_url = \"postgres://a:secret@h/d", "line 2, column"),
            ("database_url = postgres://a:secret@h/d", "line 1, column 16"),
            ("revalidate_token = 'secret", "line 1, column"),
            ("[database.shards.a]\nreplicas = [\n  \"postgres://a:secret@h/d\n]", "line 3, column"),
            ("[database.shards.a]\nreplicas = [\n  postgres://a:secret@h/d\n]", "line 3, column 3"),
            ("database_url: postgres://a:secret@h/d?sslmode=require", "line 1, column"),
            ("redis_url = '''\nredis://:secret@h", "line 2, column"),
            ("log = \"e\" secret", "line 1, column 11"),
        ] {
            let error = Config::read(Path::new("tropos.toml"), Some(file), |_| None).unwrap_err();
            assert!(error.to_string().contains(place), "{file}: {error}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{file}: {error:?}");
        }
    }

    #[test]
    fn what_is_shown_of_a_file_is_as_long_as_the_file() {
        for (file, shown) in [
            ("addr = \"x\"\r\n[a]\n", "addr = *** \n[a]\n"),
            ("", ""),
            ("\n\n", "\n\n"),
            ("  [a.\"ö b\"]", "  [a.\"** ***"),
            ("ö", "**"),
        ] {
            let masked = without_values(file);
            assert_eq!(masked.len(), file.len(), "{file:?}");
            assert_eq!(masked, shown, "{file:?}");
        }
    }

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
