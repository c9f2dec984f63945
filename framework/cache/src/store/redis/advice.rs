//! What to set on a server that nobody has set up for this.

/// What is wrong with the server's memory settings, by its answer to `INFO memory`; `None` where nothing is, or where it
/// does not say.
pub(super) fn on_memory(info: &str) -> Option<&'static str> {
    let value = |name: &str| {
        info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':').map(str::trim))
    };
    match (value("maxmemory")?, value("maxmemory_policy")?) {
        ("0", _) => Some(
            "Redis has no bound on its memory: entries may fill the machine; set `maxmemory`, and `maxmemory-policy volatile-lru`",
        ),
        (_, "noeviction") => Some(
            "Redis stores no more entries once it is full: set `maxmemory-policy volatile-lru`, so that it drops old ones",
        ),
        (_, policy) if policy.starts_with("allkeys-") => Some(
            "Redis may drop what it knows of invalidations, and everything is made anew then: set `maxmemory-policy volatile-lru`",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_does_harm_is_named() {
        let cases = [
            ("0", "noeviction", Some("no bound")),
            ("0", "volatile-lru", Some("no bound")),
            ("1024", "noeviction", Some("no more entries")),
            ("1024", "allkeys-lfu", Some("everything is made anew")),
            ("1024", "volatile-lru", None),
            ("1024", "volatile-ttl", None),
        ];
        for (most, policy, expected) in cases {
            let info =
                format!("# Memory\r\nused_memory:1\r\nmaxmemory:{most}\r\nmaxmemory_policy:{policy}\r\n");
            let advice = on_memory(&info);
            assert_eq!(advice.is_some(), expected.is_some(), "{most} {policy}");
            assert!(advice.unwrap_or_default().contains(expected.unwrap_or_default()), "{most} {policy}");
        }
        assert_eq!(on_memory("-NOPERM"), None);
    }
}
