//! `REDIS_URL`: one server, servers under Sentinel, or a cluster.

use crate::Error;

/// What the address says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// `redis://` and `rediss://`, as the `redis` crate reads them.
    Server(String),
    /// `redis+sentinel://[user:password@]host:port,…/service[/database]`; user and password are the server's.
    Sentinel { sentinels: Vec<String>, service: String, login: Option<(String, String)>, database: i64 },
    /// `redis+cluster://[user:password@]host:port,…`
    Cluster(Vec<String>),
}

/// The address, and the prefix of all keys: `?prefix=…`, so that applications can share a server.
pub(super) fn parse(url: &str) -> Result<(Address, String), Error> {
    let problem = |problem: &str| Error::SharedUrl { url: without_login(url), problem: problem.to_owned() };
    let (plain, prefix) = match url.split_once('?') {
        None => (url, "tropos"),
        Some((plain, query)) => match query.strip_prefix("prefix=") {
            Some(prefix) if is_prefix(prefix) => (plain, prefix),
            _ => {
                return Err(problem(
                    "after `?` goes `prefix=` and up to 64 letters, digits, `-`, `_`, `.` or `:`",
                ));
            }
        },
    };
    let Some((scheme, rest)) = plain.split_once("://") else {
        return Err(problem("it has no scheme"));
    };
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => (Some(login), rest),
        None => (None, rest),
    };
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let hosts: Vec<&str> = hosts.split(',').filter(|host| !host.is_empty()).collect();
    if hosts.is_empty() {
        return Err(problem("it names no host"));
    }
    let each = |hosts: Vec<&str>, login: Option<&str>| -> Vec<String> {
        let login = login.map(|login| format!("{login}@")).unwrap_or_default();
        hosts.into_iter().map(|host| format!("redis://{login}{host}")).collect()
    };
    let address = match scheme {
        "redis" | "rediss" if hosts.len() == 1 => Address::Server(plain.to_owned()),
        "redis" | "rediss" => {
            return Err(problem("several hosts are a cluster or Sentinels, and the scheme says which"));
        }
        "redis+cluster" => Address::Cluster(each(hosts, login)),
        "redis+sentinel" => {
            let (service, database) = path.split_once('/').unwrap_or((path, "0"));
            if service.is_empty() {
                return Err(problem("after the Sentinels goes `/` and the name of the service"));
            }
            let database = database.parse().map_err(|_| problem("the database is no number"))?;
            let login = login.map(|login| login.split_once(':').unwrap_or(("", login)));
            let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
            Address::Sentinel { sentinels: each(hosts, None), service: service.to_owned(), login, database }
        }
        _ => return Err(problem("the scheme is not known")),
    };
    Ok((address, prefix.to_owned()))
}

/// Braces would decide in which slot of a cluster a key lies.
fn is_prefix(prefix: &str) -> bool {
    (1..=64).contains(&prefix.len())
        && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// For messages, which are logged.
pub(super) fn without_login(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, hosts))) => format!("{scheme}://…@{hosts}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_the_address_is_read() {
        let server = |url: &str| Address::Server(url.to_owned());
        let cluster = |urls: &[&str]| Address::Cluster(urls.iter().map(|url| (*url).to_owned()).collect());
        let cases = [
            ("redis://127.0.0.1:6379", server("redis://127.0.0.1:6379"), "tropos"),
            ("rediss://u:p@cache.example:6380/2", server("rediss://u:p@cache.example:6380/2"), "tropos"),
            ("redis://h/1?prefix=shop", server("redis://h/1"), "shop"),
            ("redis+cluster://a:1,b:2", cluster(&["redis://a:1", "redis://b:2"]), "tropos"),
            ("redis+cluster://u:p@a:1,b:2", cluster(&["redis://u:p@a:1", "redis://u:p@b:2"]), "tropos"),
            (
                "redis+sentinel://u:p@a:1,b:2/main/3",
                Address::Sentinel {
                    sentinels: vec!["redis://a:1".into(), "redis://b:2".into()],
                    service: "main".into(),
                    login: Some(("u".into(), "p".into())),
                    database: 3,
                },
                "tropos",
            ),
        ];
        for (url, address, prefix) in cases {
            assert_eq!(parse(url).unwrap(), (address, prefix.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_its_password() {
        let cases = [
            ("127.0.0.1:6379", "no scheme"),
            ("http://127.0.0.1", "scheme is not known"),
            ("redis://", "names no host"),
            ("redis://a,b", "the scheme says which"),
            ("redis+sentinel://a:1", "name of the service"),
            ("redis+sentinel://a:1/main/x", "no number"),
            ("redis://a?prefix={x}", "prefix="),
            ("redis://a?db=1", "prefix="),
            ("redis+sentinel://user:secret@a:1", "name of the service"),
        ];
        for (url, expected) in cases {
            let error = parse(url).unwrap_err().to_string();
            assert!(error.contains(expected), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
