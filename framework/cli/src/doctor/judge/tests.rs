use super::{super::finding::Level, *};

/// The one finding about `subject`.
fn about<'f>(findings: &'f [Finding], subject: &str) -> &'f Finding {
    let mut found = findings.iter().filter(|finding| finding.subject == subject);
    let first = found.next().unwrap_or_else(|| panic!("nothing about {subject}: {findings:?}"));
    assert!(found.next().is_none(), "twice about {subject}");
    first
}

fn good() -> Machine {
    Machine {
        rustc: Some("rustc 1.95.0 (abc 2026-01-01)".into()),
        rust_wanted: "1.95".into(),
        has_rustup: true,
        cc: Some("cc 14".into()),
        wasm: Wasm::Installed,
        wasm_opt: WasmOpt::Usable("/usr/bin/wasm-opt".into()),
        files: Some((65_536, 65_536)),
        target: Some(("/target".into(), 100_000_000_000)),
    }
}

#[test]
fn a_machine_that_has_everything_has_nothing_wrong_with_it() {
    let findings = machine(&good());
    assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
    assert_eq!(findings.len(), 5);
}

#[test]
fn what_a_machine_lacks_is_named_with_what_mends_it() {
    let cases: [(&str, Machine, &str, Level, &str); 9] = [
        (
            "the wrong wasm-opt",
            Machine { wasm_opt: WasmOpt::Wrong("version 108".into()), ..good() },
            "wasm-opt",
            Level::Problem,
            "TROPOS_WASM_OPT",
        ),
        ("no Rust", Machine { rustc: None, ..good() }, "rustc", Level::Problem, "rustup update stable"),
        (
            "no Rust and no rustup",
            Machine { rustc: None, has_rustup: false, ..good() },
            "rustc",
            Level::Problem,
            "https://rustup.rs",
        ),
        (
            "an old Rust",
            Machine { rustc: Some("rustc 1.94.1 (x)".into()), ..good() },
            "rustc",
            Level::Problem,
            "rustup update stable",
        ),
        ("no C compiler", Machine { cc: None, ..good() }, "C compiler", Level::Problem, "gcc"),
        ("no target", Machine { wasm: Wasm::Missing, ..good() }, WASM, Level::Problem, "rustup target add"),
        (
            "no target and no rustup",
            Machine { wasm: Wasm::Missing, has_rustup: false, ..good() },
            WASM,
            Level::Problem,
            "rust-web-src",
        ),
        (
            "no wasm-opt",
            Machine { wasm_opt: WasmOpt::None("none was found".into()), ..good() },
            "wasm-opt",
            Level::Note,
            "npm install binaryen",
        ),
        (
            "a full disk",
            Machine { target: Some(("/t".into(), 1_000)), ..good() },
            "disk",
            Level::Warning,
            "CARGO_TARGET_DIR",
        ),
    ];
    for (name, facts, subject, level, mend) in cases {
        let findings = machine(&facts);
        let found = about(&findings, subject);
        assert_eq!(found.level, level, "{name}");
        assert!(found.mend.as_ref().is_some_and(|it| it.contains(mend)), "{name}: {found:?}");
    }
}

#[test]
fn a_nightly_is_as_new_as_its_number() {
    for (version, level) in [("1.95.0-nightly", Level::Ok), ("1.100.0", Level::Ok), ("1.9.0", Level::Problem)]
    {
        let facts = Machine { rustc: Some(format!("rustc {version} (x)")), ..good() };
        assert_eq!(about(&machine(&facts), "rustc").level, level, "{version}");
    }
}

#[test]
fn only_what_does_no_harm_is_run_by_fix() {
    let bad = Machine { rustc: None, cc: None, wasm: Wasm::Missing, ..good() };
    let mut findings = machine(&bad);
    findings.extend(application(&Application {
        name: "shop".into(),
        hydrates: true,
        wasm_bindgen: Some("0.2.1".into()),
        wasm_bindgen_own: "0.2.130",
        is_built: false,
    }));
    let fixes: Vec<String> =
        findings.iter().filter_map(|it| it.fix.as_ref()).map(|it| it.join(" ")).collect();
    assert_eq!(
        fixes,
        ["rustup target add wasm32-unknown-unknown", "cargo update -p wasm-bindgen --precise 0.2.130"]
    );
}

#[test]
fn versions_of_wasm_bindgen_must_be_in_step_where_there_are_islands() {
    let facts = |hydrates, locked: Option<&str>| Application {
        hydrates,
        wasm_bindgen: locked.map(str::to_owned),
        wasm_bindgen_own: "0.2.130",
        is_built: true,
        name: "shop".into(),
    };
    assert_eq!(about(&application(&facts(true, Some("0.2.130"))), "wasm-bindgen").level, Level::Ok);
    assert_eq!(about(&application(&facts(true, Some("0.2.99"))), "wasm-bindgen").level, Level::Problem);
    assert_eq!(application(&facts(false, Some("0.2.99"))).len(), 1);
}

#[test]
fn few_open_files_are_a_note_in_development_and_a_warning_in_production() {
    for (limit, production, level) in [
        ((1_024, 65_536), false, Level::Note),
        ((1_024, 65_536), true, Level::Warning),
        ((10_500, 10_500), true, Level::Ok),
        ((10_499, 10_499), true, Level::Warning),
    ] {
        assert_eq!(open_files(limit, production).level, level, "{limit:?}");
    }
}

#[test]
fn settings_are_held_against_what_production_needs() {
    let fine = Settings {
        production: true,
        addr: "127.0.0.1:3000".into(),
        admin_addr: "127.0.0.1:3001".into(),
        origin: Some("https://shop.example".into()),
        revalidate_token_length: Some(32),
        ..Settings::default()
    };
    assert!(settings(&fine).iter().all(|finding| finding.level == Level::Ok));
    let level = |it: Settings, subject: &str| about(&settings(&it), subject).level;
    for (origin, production, expected) in [
        (None, true, Level::Warning),
        (None, false, Level::Ok),
        (Some("http://shop.example"), true, Level::Warning),
        (Some("http://localhost:3000"), true, Level::Ok),
        (Some("http://shop.example"), false, Level::Ok),
    ] {
        let it = Settings { production, origin: origin.map(str::to_owned), ..fine.clone() };
        assert_eq!(level(it, "TROPOS_ORIGIN"), expected, "{origin:?} {production}");
    }
    let short = Settings { revalidate_token_length: Some(15), ..fine.clone() };
    assert_eq!(level(short, "TROPOS_REVALIDATE_TOKEN"), Level::Warning);
    let open = Settings { admin_addr: "0.0.0.0:3001".into(), ..fine };
    assert_eq!(level(open, "TROPOS_ADMIN_ADDR"), Level::Note);
}

#[test]
fn a_port_is_free_the_applications_or_somebody_elses() {
    let judge = |it: Port| port("TROPOS_ADDR", "127.0.0.1:3000", &it, "shop");
    let holder = |name: &str| Port::Taken(Some((name.to_owned(), 42)));
    assert_eq!(judge(Port::Free).level, Level::Ok);
    assert_eq!(judge(holder("shop")).level, Level::Ok);
    let other = judge(holder("nginx"));
    assert_eq!(other.level, Level::Problem);
    assert!(other.says.contains("nginx (process 42)"), "{other:?}");
    assert_eq!(judge(Port::Taken(None)).level, Level::Warning);
    assert_eq!(judge(Port::Refused("permission denied".into())).level, Level::Problem);
}

#[test]
fn the_cache_folder_must_be_writable_and_have_room() {
    let folder = |refused: Option<&str>, free| Folder {
        path: "/cache".into(),
        exists: true,
        refused: refused.map(str::to_owned),
        free,
    };
    for (it, level) in [
        (folder(None, Some(2_000)), Level::Ok),
        (folder(None, None), Level::Ok),
        (folder(None, Some(999)), Level::Warning),
        (folder(Some("read-only file system"), Some(2_000)), Level::Problem),
    ] {
        assert_eq!(about(&cache_folder(&it, 1_000), "TROPOS_CACHE_DIR").level, level, "{it:?}");
    }
}

#[test]
fn the_shared_store_must_answer_be_new_enough_and_have_the_time() {
    let fine = Redis { address: "redis://c:6379".into(), version: Some("7.2.4".into()), ..Redis::default() };
    assert!(redis(&fine).iter().all(|finding| finding.level == Level::Ok));
    let old = Redis { version: Some("6.2.14".into()), ..fine.clone() };
    assert_eq!(about(&redis(&old), "redis://c:6379").level, Level::Problem);
    let gone = Redis { error: Some("refused".into()), ..fine.clone() };
    assert_eq!(about(&redis(&gone), "redis://c:6379").level, Level::Problem);
    for (clock_ahead, findings) in [(5_000, 1), (5_001, 2), (-5_001, 2)] {
        assert_eq!(redis(&Redis { clock_ahead, ..fine.clone() }).len(), findings, "{clock_ahead}");
    }
    let full = Redis {
        advice: Some("It has no bound: entries may fill the machine; set `maxmemory`".into()),
        ..fine
    };
    assert_eq!(about(&redis(&full), "memory").mend.as_deref(), Some("set `maxmemory`"));
}
