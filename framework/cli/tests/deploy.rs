//! The files that `deploy` writes, in use: nginx before an origin, systemd's own judgement, the container's health check.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(unix)]

mod support;

use std::{
    io::{BufRead as _, BufReader},
    process::Command,
};
use support::{Nginx, Origin, application, deploy, nginx_program, patiently};

/// Whether a program is there; a machine without it shows nothing about its files.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("-v").output().is_ok();
    if !found {
        eprintln!("no {program} here: not shown");
    }
    found
}

#[test]
fn nginx_holds_pages_for_as_long_as_the_origin_says_and_no_longer() {
    if !has(nginx_program()) || !has("openssl") {
        return;
    }
    let origin = Origin::start();
    let nginx = Nginx::start(&["--page-cache"], &origin);

    // A page of 1 s that may be stale for 30 s.
    let first = nginx.get("/page", &[]);
    assert_eq!((first.body.as_str(), first.cache()), ("page 1", "nginx; fwd=uri-miss"));
    let second = nginx.get("/page", &[]);
    assert_eq!((second.body.as_str(), second.cache()), ("page 1", "nginx; hit"));
    // Once it is older, the old one is served and a new one is fetched behind it, for the next visitor.
    let stale =
        patiently(|| Some(nginx.get("/page", &[])).filter(|it| it.cache() == "nginx; hit; detail=stale"));
    assert_eq!(stale.body, "page 1");
    patiently(|| Some(nginx.get("/page", &[])).filter(|it| it.body == "page 2"));

    // What may not be stored is fetched each time, and so is what sets a cookie.
    for path in ["/private", "/cookie"] {
        let bodies: Vec<_> = (0..3).map(|_| nginx.get(path, &[]).body).collect();
        let name = &path[1..];
        assert_eq!(bodies, [format!("{name} 1"), format!("{name} 2"), format!("{name} 3")]);
    }

    // Without stale-while-revalidate, an old one is not served: also not when the origin fails.
    assert_eq!(nginx.get("/short", &[]).body, "short 1");
    origin.fail(true);
    patiently(|| Some(nginx.get("/short", &[])).filter(|it| it.status == 503));
    origin.fail(false);

    // Editors of drafts, and visitors who have just written, see what the origin says.
    assert_eq!(nginx.get("/long", &[]).body, "long 1");
    assert_eq!(nginx.get("/long", &[]).body, "long 1");
    for (number, cookie) in [(2, "a=b; tropos_draft=x"), (3, "__Host-tropos_seen_3=y")] {
        assert_eq!(nginx.get("/long", &[("cookie", cookie)]).body, format!("long {number}"));
    }
    assert_eq!(nginx.get("/long", &[]).body, "long 1", "theirs is nobody else's");
}

#[test]
fn without_a_page_cache_every_page_comes_from_the_origin_and_hashed_files_do_not() {
    if !has(nginx_program()) || !has("openssl") {
        return;
    }
    let origin = Origin::start();
    let nginx = Nginx::start(&[], &origin);
    for number in 1..=3 {
        assert_eq!(nginx.get("/long", &[]).body, format!("long {number}"));
        assert_eq!(nginx.get("/_tropos/assets/a.123.css", &[]).body, "asset 1");
    }
}

#[test]
fn nothing_that_a_client_says_of_itself_goes_through() {
    if !has(nginx_program()) || !has("openssl") {
        return;
    }
    let origin = Origin::start();
    for options in [&[][..], &["--page-cache"]] {
        let nginx = Nginx::start(options, &origin);
        let names = [
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-forwarded-port",
            "x-forwarded-server",
            "x-real-ip",
            "forwarded",
        ];
        let forged: Vec<_> = names.iter().map(|name| (*name, "forged")).collect();
        let echoed = nginx.get("/echo", &forged).body;
        assert!(!echoed.contains("forged"), "{echoed}");
        for line in ["x-forwarded-for: 127.0.0.1", "x-forwarded-proto: https", "host: shop.example"] {
            assert!(echoed.lines().any(|it| it == line), "{line} in {echoed}");
        }
    }
}

#[test]
fn events_and_pages_that_stream_arrive_as_they_are_sent() {
    if !has(nginx_program()) || !has("openssl") {
        return;
    }
    let origin = Origin::start();
    for (options, paths) in [
        (&[][..], &["/_tropos/live/x?page=%2F", "/stream"][..]),
        (&["--page-cache"], &["/_tropos/live/x?page=%2F"]),
    ] {
        let nginx = Nginx::start(options, &origin);
        for path in paths {
            let mut lines = BufReader::new(nginx.open(path)).lines().map_while(Result::ok);
            assert_eq!(lines.next().as_deref(), Some("data: one"), "{path}");
            // Only now does the origin send more.
            origin.go_on();
            assert_eq!(lines.next().as_deref(), Some("data: two"), "{path}");
        }
    }
}

#[test]
fn plain_http_leads_to_https() {
    if !has(nginx_program()) || !has("openssl") {
        return;
    }
    let origin = Origin::start();
    let nginx = Nginx::start(&[], &origin);
    let answer = nginx.get_plainly("/a?b=c");
    assert_eq!((answer.status, answer.header("location")), (308, "https://shop.example/a?b=c"));
}

#[test]
fn the_unit_is_understood_and_judged_safe() {
    if !has("systemd-analyze") {
        return;
    }
    let folder = application();
    deploy(folder.path(), &["systemd"]);
    let unit = std::fs::read_to_string(folder.path().join("shop/deploy/systemd/shop.service")).unwrap();
    // The program of the unit is not installed here.
    let here = unit.replace("/srv/shop/dist/shop", "/bin/true").replace("/srv/shop", "/");
    let path = folder.path().join("shop.service");
    std::fs::write(&path, here).unwrap();
    let ask = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze").args(arguments).arg(&path).output().unwrap();
        let text =
            [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
        (output.status.success(), text)
    };
    let (fine, text) = ask(&["verify", "--man=no"]);
    assert!(fine && !text.contains("shop.service:"), "{text}");
    // 0 is safe and 10 is open; most services of a distribution are above 8.
    let (fine, text) = ask(&["security", "--no-pager", "--offline=true", "--threshold=15"]);
    assert!(fine, "{text}");
}

#[test]
fn the_steps_of_the_container_are_shell_and_its_health_check_tells_well_from_unwell() {
    let folder = application();
    deploy(folder.path(), &["container"]);
    let text = std::fs::read_to_string(folder.path().join("Dockerfile")).unwrap();
    // A comment may stand between the lines of a step.
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    const KNOWN: [&str; 11] = [
        "FROM",
        "RUN",
        "COPY",
        "WORKDIR",
        "USER",
        "ENV",
        "VOLUME",
        "EXPOSE",
        "HEALTHCHECK",
        "STOPSIGNAL",
        "CMD",
    ];
    for line in joined.lines().filter(|line| !line.is_empty()) {
        let (instruction, rest) = line.split_once(' ').unwrap();
        assert!(KNOWN.contains(&instruction), "{line}");
        if instruction == "RUN" {
            let words = rest.split(' ').skip_while(|word| word.is_empty() || word.starts_with("--mount="));
            let script = words.collect::<Vec<_>>().join(" ");
            assert!(Command::new("sh").args(["-n", "-c", &script]).status().unwrap().success(), "{script}");
        }
    }

    let check = joined.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    let words: Vec<String> = serde_json::from_str(&check[check.find('[').unwrap()..]).unwrap();
    let origin = Origin::start();
    let ask = |address: &str| {
        let port = address.rsplit_once(':').unwrap().1;
        let script = words[2].replace("127.0.0.1/3001", &format!("127.0.0.1/{port}"));
        let output = Command::new(&words[0]).args([&words[1], &script]).output().unwrap();
        output.status.success()
    };
    assert!(ask(&origin.address));
    origin.fail(true);
    assert!(!ask(&origin.address));
    assert!(!ask("127.0.0.1:1"));
}

#[test]
fn a_changed_file_is_left_alone_and_so_are_the_others() {
    let folder = application();
    let run = |arguments: &[&str]| support::run(folder.path(), arguments);
    assert!(run(&["deploy", "compose"]).0);
    let dockerfile = folder.path().join("Dockerfile");
    let changed = std::fs::read_to_string(&dockerfile).unwrap() + "# mine\n";
    std::fs::write(&dockerfile, &changed).unwrap();
    std::fs::remove_file(folder.path().join("compose.yaml")).unwrap();

    let (fine, text) = run(&["deploy", "compose"]);
    assert!(!fine && text.contains("Dockerfile") && text.contains("--force"), "{text}");
    assert_eq!(std::fs::read_to_string(&dockerfile).unwrap(), changed);
    assert!(!folder.path().join("compose.yaml").exists(), "all or none");

    assert!(run(&["deploy", "compose", "--force"]).0);
    assert!(!std::fs::read_to_string(&dockerfile).unwrap().contains("# mine"));
    assert!(folder.path().join("compose.yaml").exists());
}
