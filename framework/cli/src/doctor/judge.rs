//! What follows from the facts (pure).

use super::{
    facts::{Application, Folder, Machine, Port, Redis, Settings, Wasm, WasmOpt},
    finding::Finding,
};
use crate::{
    build::target::WASM,
    terminal::{bytes, count},
};

/// The connections that a server takes at once; each is an open file.
const CONNECTIONS: u64 = 10_000;
/// What a server has open besides: the program, the database, the cache.
const OTHER_FILES: u64 = 500;
/// A first build with Leptos and SQLite, for the server and for the browser, leaves about so much.
const BUILD_BYTES: u64 = 4_000_000_000;
/// How far a clock may be off, in milliseconds: more than a network and a busy machine explain.
const CLOCK_OFF: u64 = 5_000;
/// The oldest Redis that the store is written for.
const REDIS: u64 = 7;
/// The shortest token that nobody guesses: as for the other secrets.
const TOKEN: usize = 16;

/// The machine.
pub(crate) fn machine(facts: &Machine) -> Vec<Finding> {
    let mut findings = vec![rust(facts), c_compiler(facts)];
    findings.push(match &facts.wasm {
        Wasm::Installed => Finding::ok("machine", WASM, "installed"),
        Wasm::FromSources(path) => {
            Finding::ok("machine", WASM, format!("compiled from {} at each new target folder", path.display()))
        }
        Wasm::Missing => {
            let missing = Finding::problem("machine", WASM, "not installed: no islands can be built");
            match facts.has_rustup {
                true => missing.fix(&["rustup", "target", "add", WASM]),
                false => missing.mend("install the target, or the sources of the standard library (Debian: apt-get install rust-web-src)"),
            }
        }
    });
    findings.push(match &facts.wasm_opt {
        WasmOpt::Usable(path) => Finding::ok("machine", "wasm-opt", path.display().to_string()),
        // The words end with what mends it, which has a line of its own here.
        WasmOpt::None(why) => {
            Finding::note("machine", "wasm-opt", why.replace(" (`npm install binaryen` has it)", ""))
                .mend("npm install binaryen")
        }
        WasmOpt::Wrong(why) => Finding::problem("machine", "wasm-opt", why)
            .mend("correct TROPOS_WASM_OPT, or unset it: builds go without one"),
    });
    findings.extend(facts.target.as_ref().map(|(path, free)| {
        let says = format!("{} free in {}", bytes(*free), path.display());
        match *free < BUILD_BYTES {
            true => Finding::warning(
                "machine",
                "disk",
                format!("{says}; a first build takes about {}", bytes(BUILD_BYTES)),
            )
            .mend("make room, or set CARGO_TARGET_DIR to a larger disk"),
            false => Finding::ok("machine", "disk", says),
        }
    }));
    findings
}

fn rust(facts: &Machine) -> Finding {
    let mend = match facts.has_rustup {
        true => "rustup update stable".to_owned(),
        false => format!("install Rust {} or newer: https://rustup.rs", facts.rust_wanted),
    };
    let Some(text) = &facts.rustc else {
        return Finding::problem("machine", "rustc", "cannot be run").mend(mend);
    };
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    match numbers(version) < numbers(&facts.rust_wanted) {
        true => Finding::problem(
            "machine",
            "rustc",
            format!("{version}, and {} is the oldest that will do", facts.rust_wanted),
        )
        .mend(mend),
        false => Finding::ok("machine", "rustc", version),
    }
}

fn c_compiler(facts: &Machine) -> Finding {
    match &facts.cc {
        Some(text) => Finding::ok("machine", "C compiler", text),
        None => Finding::problem(
            "machine",
            "C compiler",
            "none: SQLite and zstd are compiled from C, and programs are linked by it",
        )
        .mend("install gcc or clang (Debian: apt-get install gcc libc6-dev; macOS: xcode-select --install)"),
    }
}

/// The numbers of a version: `1.95` and `1.95.0-nightly` begin alike.
fn numbers(version: &str) -> [u64; 3] {
    let mut parts = version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

/// The application, by its sources.
pub(crate) fn application(facts: &Application) -> Vec<Finding> {
    let mut findings = Vec::new();
    if facts.hydrates {
        let own = facts.wasm_bindgen_own;
        findings.push(match &facts.wasm_bindgen {
            None => Finding::note("application", "wasm-bindgen", "not among its dependencies: no islands"),
            Some(locked) if locked == own => Finding::ok("application", "wasm-bindgen", own),
            Some(locked) => Finding::problem(
                "application",
                "wasm-bindgen",
                format!("locked to {locked}, and this cargo-tropos understands {own} alone"),
            )
            .fix(&["cargo", "update", "-p", "wasm-bindgen", "--precise", own]),
        });
    }
    findings.push(match facts.is_built {
        true => Finding::ok("application", facts.name.as_str(), "built"),
        false => Finding::note("application", facts.name.as_str(), "not built").mend("cargo tropos build"),
    });
    findings
}

/// How many files a server may open, where it would be started from here.
pub(crate) fn open_files(limit: (u64, u64), production: bool) -> Finding {
    let (soft, hard) = limit;
    let needed = CONNECTIONS + OTHER_FILES;
    let says = format!("{}; the server takes up to {} connections", count(soft), count(CONNECTIONS));
    if soft >= needed {
        return Finding::ok("machine", "open files", count(soft));
    }
    let finding = match production {
        true => Finding::warning("machine", "open files", says),
        false => Finding::note("machine", "open files", says),
    };
    finding.mend(match hard >= needed {
        true => "ulimit -n 16384, or LimitNOFILE=16384 in the unit (cargo tropos deploy systemd)",
        false => "LimitNOFILE=16384 in the unit (cargo tropos deploy systemd), or raise the hard limit in /etc/security/limits.conf",
    })
}

/// The configuration.
pub(crate) fn settings(it: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(match &it.origin {
        Some(origin) if it.production && origin.starts_with("http://") && !is_local(origin) => {
            Finding::warning(
                "settings",
                "TROPOS_ORIGIN",
                format!("{origin}: without https, cookies are not Secure"),
            )
            .mend("set TROPOS_ORIGIN to the https address that visitors see")
        }
        Some(origin) => Finding::ok("settings", "TROPOS_ORIGIN", origin),
        None if it.production => Finding::warning(
            "settings",
            "TROPOS_ORIGIN",
            format!("not set: absolute addresses lead to http://{}", it.addr),
        )
        .mend("set TROPOS_ORIGIN=https://HOST, or origin in tropos.toml, before visitors come"),
        None => Finding::ok("settings", "TROPOS_ORIGIN", "not set, which is well in development"),
    });
    findings.push(match it.revalidate_token_length {
        None => Finding::ok("settings", "TROPOS_REVALIDATE_TOKEN", "not set: nobody invalidates over HTTP"),
        Some(length) if length < TOKEN => Finding::warning(
            "settings",
            "TROPOS_REVALIDATE_TOKEN",
            format!("{length} characters: short enough to be tried out"),
        )
        .mend("set it to at least 16 random characters: openssl rand -hex 16"),
        Some(length) => Finding::ok("settings", "TROPOS_REVALIDATE_TOKEN", format!("{length} characters")),
    });
    if !is_loopback(&it.admin_addr) {
        findings.push(
            Finding::note(
                "settings",
                "TROPOS_ADMIN_ADDR",
                format!("{}: whoever reaches it reads routes, keys and metrics", it.admin_addr),
            )
            .mend("keep it within a private network, or on 127.0.0.1"),
        );
    }
    findings
}

fn is_local(origin: &str) -> bool {
    let host = origin.trim_start_matches("http://");
    host.starts_with("localhost") || host.starts_with("127.") || host.starts_with("[::1]")
}

fn is_loopback(address: &str) -> bool {
    address.parse::<std::net::SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
}

/// An address where the server is to listen.
pub(crate) fn port(variable: &str, address: &str, port: &Port, own: &str) -> Finding {
    match port {
        Port::Free => Finding::ok("settings", variable, format!("{address} is free")),
        Port::Taken(Some((name, pid))) if name == own => Finding::ok(
            "settings",
            variable,
            format!("{address}: the application listens there (process {pid})"),
        ),
        Port::Taken(Some((name, pid))) => {
            Finding::problem("settings", variable, format!("{address} is taken by {name} (process {pid})"))
                .mend(format!("end it: kill {pid}, or set {variable} to another address"))
        }
        Port::Taken(None) => Finding::warning(
            "settings",
            variable,
            format!("{address} is taken, by whom cannot be seen from here"),
        )
        .mend(format!(
            "end what listens there, unless it is the application, or set {variable} to another address"
        )),
        Port::Refused(why) => {
            Finding::problem("settings", variable, format!("{address} cannot be listened at: {why}"))
                .mend(format!("set {variable} to an address of this machine, with a port above 1023"))
        }
    }
}

/// The folder of the disk store.
pub(crate) fn cache_folder(it: &Folder, bound: u64) -> Vec<Finding> {
    let path = it.path.display();
    if let Some(why) = &it.refused {
        return vec![
            Finding::problem("settings", "TROPOS_CACHE_DIR", format!("{path} cannot be written to: {why}"))
                .mend("give the user that runs the server the folder (chown), or set TROPOS_CACHE_DIR to another"),
        ];
    }
    let state = if it.exists { "" } else { "; it is made at the first start" };
    match it.free {
        Some(free) if free < bound => vec![
            Finding::warning(
                "settings",
                "TROPOS_CACHE_DIR",
                format!("{path} has {} free, and the store may take {}", bytes(free), bytes(bound)),
            )
            .mend("make room, or lower TROPOS_CACHE_DISK_BYTES"),
        ],
        Some(free) => {
            vec![Finding::ok("settings", "TROPOS_CACHE_DIR", format!("{path}, {} free{state}", bytes(free)))]
        }
        None => vec![Finding::ok("settings", "TROPOS_CACHE_DIR", format!("{path}{state}"))],
    }
}

/// The shared store.
pub(crate) fn redis(it: &Redis) -> Vec<Finding> {
    if let Some(error) = &it.error {
        return vec![
            Finding::problem("redis", it.address.as_str(), format!("cannot be asked: {error}"))
                .mend("start it, or correct REDIS_URL"),
        ];
    }
    let mut findings = vec![match &it.version {
        Some(version) if numbers(version) < [REDIS, 0, 0] => Finding::problem(
            "redis",
            it.address.as_str(),
            format!("Redis {version}, and {REDIS} is the oldest that works"),
        )
        .mend(format!("move to Redis {REDIS} or newer")),
        Some(version) => Finding::ok("redis", it.address.as_str(), format!("Redis {version}")),
        None => Finding::ok("redis", it.address.as_str(), "answers"),
    }];
    if let Some((says, mend)) =
        it.advice.as_deref().map(|text| text.split_once("; ").or(text.split_once(": ")).unwrap_or((text, "")))
    {
        findings.push(Finding::warning("redis", "memory", says).mend(mend));
    }
    let off = it.clock_ahead.unsigned_abs();
    if off > CLOCK_OFF {
        let way = if it.clock_ahead > 0 { "ahead of" } else { "behind" };
        let says = format!("{}.{} s {way} this machine's", off / 1_000, off % 1_000 / 100);
        findings.push(
            Finding::warning("redis", "clock", says)
                .mend("have both machines set their clocks by the network: timedatectl set-ntp true"),
        );
    }
    findings
}

#[cfg(test)]
mod tests;
