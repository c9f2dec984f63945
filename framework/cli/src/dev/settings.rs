//! What the dev server takes from the application's configuration: where it is reached, and by which names.

use crate::{Error, args};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

/// Where browsers reach the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The first address to try.
    pub(crate) addr: SocketAddr,
    /// The first address to try for the admin listener.
    pub(crate) admin: SocketAddr,
    /// Whether the application says itself what its origin is.
    pub(crate) has_origin: bool,
    /// `TROPOS_ALLOWED_HOSTS`, and the host of `TROPOS_ORIGIN`.
    pub(crate) hosts: Vec<String>,
}

/// Reads `tropos.toml` and the environment. What is wrong in the file the application itself will say.
///
/// # Errors
/// Where a variable is no address: the application is given others in their place, so it would not say so.
pub(crate) fn read(options: &args::Dev, directory: &Path) -> Result<Reached, Error> {
    let file = std::fs::read_to_string(directory.join("tropos.toml")).unwrap_or_default();
    let variable = |name: &str| {
        std::env::var_os(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
    };
    check(variable).map_err(Error::Config)?;
    Ok(decide(options.port, &file.parse().unwrap_or_default(), variable))
}

fn check(variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    for name in ["TROPOS_ADDR", "TROPOS_ADMIN_ADDR"] {
        if let Some(value) = variable(name)
            && value.parse::<SocketAddr>().is_err()
        {
            return Err(format!("{name}: `{value}` is not an address with a port, such as `127.0.0.1:3000`"));
        }
    }
    match variable("PORT") {
        Some(value) if value.parse::<u16>().is_err() => Err(format!("PORT: `{value}` is not a port")),
        _ => Ok(()),
    }
}

fn decide(port: Option<u16>, file: &toml::Table, variable: impl Fn(&str) -> Option<String>) -> Reached {
    let text = |name: &str| file.get(name).and_then(toml::Value::as_str).map(str::to_owned);
    let default = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);
    let from_port = || {
        let port = variable("PORT")?.parse().ok()?;
        Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))
    };
    let parsed = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let mut addr = parsed(variable("TROPOS_ADDR"))
        .or_else(from_port)
        .or_else(|| parsed(text("addr")))
        .unwrap_or(default);
    if let Some(port) = port {
        addr.set_port(port);
    }
    let admin = parsed(variable("TROPOS_ADMIN_ADDR"))
        .or_else(|| parsed(text("admin_addr")))
        .unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3001));
    let listed = || {
        let list = file.get("allowed_hosts").and_then(toml::Value::as_array)?;
        Some(list.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(","))
    };
    let hosts = variable("TROPOS_ALLOWED_HOSTS").or_else(|| text("allowed_hosts")).or_else(listed);
    let origin = variable("TROPOS_ORIGIN").or_else(|| text("origin"));
    Reached {
        addr,
        admin,
        has_origin: variable("TROPOS_ORIGIN").is_some() || file.contains_key("origin"),
        hosts: hosts
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            // A tunnel, or a proxy in front: pages name the origin.
            .chain(origin.as_deref().and_then(|origin| origin.split("://").nth(1)))
            .filter(|host| !host.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_goes_before_the_environment_and_that_before_the_file() {
        type Case<'a> = (Option<u16>, &'a str, &'a [(&'a str, &'a str)], &'a str, bool);
        let cases: [Case<'_>; 6] = [
            (None, "", &[], "127.0.0.1:3000", false),
            (None, "addr = \"0.0.0.0:4000\"\norigin = \"https://a.test\"", &[], "0.0.0.0:4000", true),
            (None, "addr = \"0.0.0.0:4000\"", &[("TROPOS_ADDR", "127.0.0.1:5000")], "127.0.0.1:5000", false),
            (None, "", &[("PORT", "8080")], "0.0.0.0:8080", false),
            (Some(9), "addr = \"0.0.0.0:4000\"", &[("TROPOS_ORIGIN", "http://x")], "0.0.0.0:9", true),
            (None, "addr = \"nonsense\"", &[], "127.0.0.1:3000", false),
        ];
        for (port, file, environment, addr, has_origin) in cases {
            let reached = decide(port, &file.parse().unwrap(), |name| {
                environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            });
            assert_eq!((reached.addr.to_string().as_str(), reached.has_origin), (addr, has_origin), "{file}");
        }
    }

    #[test]
    fn the_admin_listener_is_where_the_application_would_have_it() {
        let none = toml::Table::new();
        let file = "admin_addr = \"127.0.0.1:4001\"".parse().unwrap();
        let variable = |_: &str| Some("127.0.0.1:5001".to_owned());
        for (admin, expected) in [
            (decide(None, &none, |_| None).admin, "127.0.0.1:3001"),
            (decide(None, &file, |_| None).admin, "127.0.0.1:4001"),
            (decide(None, &file, variable).admin, "127.0.0.1:5001"),
        ] {
            assert_eq!(admin.to_string(), expected);
        }
    }

    #[test]
    fn a_variable_that_is_no_address_is_said_to_be_none() {
        for (variable, value, wrong) in [
            ("TROPOS_ADDR", "localhost:3000", true),
            ("TROPOS_ADDR", "127.0.0.1:3000", false),
            ("TROPOS_ADMIN_ADDR", "3001", true),
            ("PORT", "http", true),
            ("PORT", "8080", false),
        ] {
            let result = check(|name| (name == variable).then(|| value.to_owned()));
            assert_eq!(result.is_err(), wrong, "{variable}={value}");
            assert!(result.err().is_none_or(|text| text.starts_with(variable) && text.contains(value)));
        }
    }

    #[test]
    fn hosts_are_a_list_or_a_text() {
        for file in ["allowed_hosts = [\"a.test\", \"b.test\"]", "allowed_hosts = \"a.test, b.test\""] {
            assert_eq!(decide(None, &file.parse().unwrap(), |_| None).hosts, ["a.test", "b.test"], "{file}");
        }
        let file = "origin = \"https://shop.test\"".parse().unwrap();
        assert_eq!(decide(None, &file, |_| None).hosts, ["shop.test"]);
    }
}
