//! Countries: who is believed, and what follows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, answer, pass};
use std::{net::IpAddr, sync::Arc};
use tropos_edge::{
    Hook, Hooks, hook,
    ready::geo::{Cdn, Country, CountryBlock, CountryGroups, CountryRedirect, Database, Locate},
    request::Geo,
};

tropos_edge::variant! { enum Market: "market" { World = "world", Euro = "euro", Uk = "uk" } }

const BROWSER: &str = "Mozilla/5.0 Firefox/140.0";

/// What a later hook sees, as `country region city`.
fn seen(locate: Locate, asked: &Asked) -> String {
    let shows = hook("shows", |request, edits| {
        let geo = &request.client().geo;
        let part =
            |part: &Option<std::borrow::Cow<'_, str>>| part.as_deref().unwrap_or("-").replace(' ', "_");
        let text = format!("{} {} {}", part(&geo.country), part(&geo.region), part(&geo.city));
        edits.request_headers().set("x-seen", text.as_str());
        tropos_edge::Decision::Next
    });
    let passed = pass(&Hooks::new().hook(locate).hook(shows), asked);
    let tropos_edge::edits::HeaderEdit::Set(_, value) = &passed.request[0] else { panic!() };
    String::from_utf8(value.as_bytes().to_vec()).unwrap()
}

fn from(country: Option<&str>) -> Asked {
    let mut asked = Asked::get("/shop?a=b").header("user-agent", BROWSER);
    asked.client.geo.country = country.map(|country| country.to_owned().into());
    asked
}

struct Book;

impl Database for Book {
    fn locate(&self, address: IpAddr) -> Option<Geo<'static>> {
        let known = address == "192.0.2.1".parse::<IpAddr>().unwrap();
        known.then(|| Geo { country: Some("fr".into()), ..Geo::default() })
    }
}

#[test]
fn each_cdn_is_read_by_its_own_headers_from_trusted_peers_alone() {
    type Case<'c> = (Cdn, &'c [(&'c str, &'c str)], &'c str);
    let cases: [Case<'_>; 13] = [
        (
            Cdn::cloudflare(),
            &[("CF-IPCountry", "DE"), ("cf-region-code", "BE"), ("cf-ipcity", "Berlin")],
            "DE BE Berlin",
        ),
        (Cdn::cloudflare(), &[("cf-ipcountry", "de")], "DE - -"),
        (Cdn::cloudflare(), &[("cf-ipcountry", "XX")], "- - -"),
        (Cdn::cloudflare(), &[("cf-ipcountry", "T1")], "- - -"),
        (Cdn::cloudflare(), &[("cf-ipcountry", "FR"), ("cf-ipcountry", "DE")], "- - -"),
        (Cdn::cloudflare(), &[("x-vercel-ip-country", "DE")], "- - -"),
        (
            Cdn::cloudfront(),
            &[("cloudfront-viewer-country", "US"), ("cloudfront-viewer-country-region", "CA")],
            "US CA -",
        ),
        (Cdn::vercel(), &[("x-vercel-ip-country", "BR"), ("x-vercel-ip-city", "S%20Paulo")], "BR - S_Paulo"),
        (Cdn::app_engine(), &[("x-appengine-country", "ZZ"), ("x-appengine-city", "?")], "- - -"),
        (Cdn::app_engine(), &[("x-appengine-country", "GB"), ("x-appengine-city", "?")], "GB - -"),
        (Cdn::fastly(), &[("client-geo-country", "NL")], "NL - -"),
        (Cdn::headers("x-land").region("x-part"), &[("x-land", "AT"), ("x-part", "9")], "AT 9 -"),
        (Cdn::headers("x-land"), &[("x-land", "Austria")], "- - -"),
    ];
    for (cdn, headers, expected) in cases {
        let mut asked =
            headers.iter().fold(Asked::get("/"), |asked, (name, value)| asked.header(name, value));
        let locate = || Locate::new().cdn(cdn.clone());
        assert_eq!(seen(locate(), &asked), "- - -", "a client made {headers:?} up");
        asked.client.trusted = true;
        assert_eq!(seen(locate(), &asked), expected, "{headers:?}");
        assert_eq!(seen(Locate::new(), &asked), "- - -", "nobody said that {headers:?} is the CDN's");
    }
}

#[test]
fn the_cdn_goes_before_the_platform_and_that_before_the_database() {
    let full = || Locate::new().cdn(Cdn::cloudflare()).database(Arc::new(Book));
    let mut asked = Asked::get("/").header("cf-ipcountry", "DE");
    asked.client.trusted = true;
    asked.client.address = Some("192.0.2.1".parse().unwrap());
    asked.client.geo = Geo { country: Some("US".into()), region: Some("CA".into()), city: None };
    assert_eq!(seen(full(), &asked), "DE - -");
    asked.client.trusted = false;
    assert_eq!(seen(full(), &asked), "US CA -");
    asked.client.geo.country = Some("XX".into());
    assert_eq!(seen(full(), &asked), "FR - -");
    asked.client.address = Some("192.0.2.2".parse().unwrap());
    assert_eq!(seen(full(), &asked), "- - -");
    asked.client.address = None;
    assert_eq!(seen(full(), &asked), "- - -");
}

#[test]
fn countries_choose_a_group() {
    let groups = || CountryGroups::new().group(Market::Euro, ["DE", "FR"]).group(Market::Uk, ["GB"]);
    for (country, market) in [
        (Some("DE"), Market::Euro),
        (Some("gb"), Market::Uk),
        (Some("US"), Market::World),
        (Some("XX"), Market::World),
        (None, Market::World),
    ] {
        let passed = pass(&Hooks::new().hook(groups()), &from(country));
        assert_eq!(passed.variants.get::<Market>(), Some(market), "{country:?}");
        assert!(passed.personal);
    }
    let file = pass(&Hooks::new().hook(groups()), &Asked::get("/logo.svg"));
    assert!(!file.personal && file.variants.is_empty());
    let located = pass(&Hooks::new().hook(Locate::new()), &from(Some("DE")));
    assert!(!located.personal, "nothing that is stored differs by it");
}

#[test]
fn a_block_answers_451() {
    let status = |block: CountryBlock, country| {
        let hooks = Hooks::new().hook(block);
        match common::outcome(&hooks, &from(country)) {
            tropos_edge::run::Outcome::Pass(_) => 200,
            tropos_edge::run::Outcome::Answer(answer) => answer.reply.status().as_u16(),
        }
    };
    for (country, deny, all_but) in
        [(Some("DE"), 451, 200), (Some("FR"), 200, 451), (Some("T1"), 200, 451), (None, 200, 451)]
    {
        assert_eq!(status(CountryBlock::deny(["DE"]), country), deny, "{country:?}");
        assert_eq!(status(CountryBlock::all_but(["DE"]), country), all_but, "{country:?}");
    }
    assert_eq!(status(CountryBlock::deny(["DE"]).unknown(false), None), 451);
    assert_eq!(status(CountryBlock::all_but(["DE"]).unknown(true), None), 200);
    let block = CountryBlock::deny(["DE"]).blocked_by("https://authority.example/");
    let answer = answer(&Hooks::new().hook(block), &from(Some("DE")));
    let link = answer.reply.headers().iter().find(|(name, _)| name == "link").unwrap();
    assert_eq!(link.1, "<https://authority.example/>; rel=\"blocked-by\"");
}

#[test]
fn visitors_are_sent_to_their_country_unless_they_would_rather_stay() {
    let hooks = Hooks::new()
        .hook(CountryRedirect::new().to("/de", ["DE", "AT"]).to("https://shop.example.jp", ["JP"]));
    let to = |asked: &Asked| match common::outcome(&hooks, asked) {
        tropos_edge::run::Outcome::Pass(passed) => {
            passed.response.cookies.first().map_or("-".to_owned(), |cookie| cookie.stripped().to_string())
        }
        tropos_edge::run::Outcome::Answer(answer) => {
            assert_eq!(answer.reply.status(), 307);
            let headers: http::HeaderMap = answer.reply.headers().iter().cloned().collect();
            assert_eq!(headers["cache-control"], "no-store");
            headers["location"].to_str().unwrap().to_owned()
        }
    };
    let at = |target: &str, country: &str| {
        let mut asked = Asked::get(target).header("user-agent", BROWSER);
        asked.client.geo.country = Some(country.to_owned().into());
        asked
    };
    for (target, country, expected) in [
        ("/shop?a=b", "DE", "/de/shop?a=b"),
        ("/", "AT", "/de"),
        ("/de", "DE", "-"),
        ("/de/shop", "DE", "-"),
        ("/de/shop", "JP", "-"),
        ("/deals", "DE", "/de/deals"),
        ("/shop", "JP", "https://shop.example.jp/shop"),
        ("/shop", "US", "-"),
        ("/shop", "XX", "-"),
        ("/api/price", "DE", "-"),
        ("/_tropos/assets/a", "DE", "-"),
        ("/robots.txt", "DE", "-"),
        ("/shop?stay=1", "DE", "stay=1"),
        ("/shop?stay=2", "DE", "/de/shop?stay=2"),
    ] {
        assert_eq!(to(&at(target, country)), expected, "{target} {country}");
    }
    assert_eq!(to(&at("/", "DE").header("cookie", "stay=1")), "-");
    let mut post = at("/shop", "DE");
    post.method = http::Method::POST;
    assert_eq!(to(&post), "-");
    let mut crawler = Asked::get("/shop").header("user-agent", "Googlebot/2.1");
    crawler.client.geo.country = Some("DE".into());
    assert_eq!(to(&crawler), "-");
    let mut own = at("/shop", "JP");
    own.host = "shop.example.jp".into();
    assert_eq!(to(&own), "-", "they are there");
}

#[test]
fn what_is_configured_wrongly_is_said() {
    let cases: [(Box<dyn Hook>, &str); 10] = [
        (Box::new(Locate::new().cdn(Cdn::headers("a b"))), "no name of a header"),
        (Box::new(CountryGroups::new().group(Market::Uk, ["UKK"])), "`UKK` is no country"),
        (
            Box::new(CountryGroups::new().group(Market::Uk, ["GB"]).group(Market::Euro, ["GB"])),
            "`GB` is in two groups",
        ),
        (Box::new(CountryBlock::deny([])), "without countries"),
        (Box::new(CountryBlock::deny(["DE"]).blocked_by("x>")), "no address"),
        (Box::new(CountryRedirect::new().to("de", ["DE"])), "write a path"),
        (Box::new(CountryRedirect::new().to("/", ["DE"])), "write a path"),
        (Box::new(CountryRedirect::new().to("/de/", ["DE"])), "write a path"),
        (Box::new(CountryRedirect::new().to("https://x.example/de", ["DE"])), "write a path"),
        (Box::new(CountryRedirect::new().to("/de", ["DE"]).to("/at", ["AT", "DE"])), "`DE` has two targets"),
    ];
    for (hook, text) in cases {
        let error = hook.check().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert_eq!(Country::parse("uk").unwrap().to_string(), "UK");
}

#[cfg(feature = "maxmind")]
mod maxmind {
    use super::*;
    use tropos_edge::ready::geo::MaxMind;

    /// Writes a file of MaxMind's format 2.0, of IPv4 networks alone (<https://maxmind.github.io/MaxMind-DB/>).
    fn file(networks: &[([u8; 4], u8, Vec<u8>)]) -> Vec<u8> {
        #[derive(Clone, Copy)]
        enum To {
            Nothing,
            Node(usize),
            Data(usize),
        }
        let (mut nodes, mut data) = (vec![[To::Nothing; 2]], Vec::new());
        for (address, length, record) in networks {
            let mut node = 0;
            for depth in 0..*length {
                let side = usize::from(address[usize::from(depth / 8)] >> (7 - depth % 8) & 1);
                if depth + 1 == *length {
                    nodes[node][side] = To::Data(data.len());
                    break;
                }
                if let To::Nothing = nodes[node][side] {
                    nodes.push([To::Nothing; 2]);
                    nodes[node][side] = To::Node(nodes.len() - 1);
                }
                let To::Node(next) = nodes[node][side] else { panic!("networks overlap") };
                node = next;
            }
            data.extend_from_slice(record);
        }
        let count = nodes.len();
        let mut file = Vec::new();
        for to in nodes.iter().flatten() {
            let number = match to {
                To::Nothing => count,
                To::Node(node) => *node,
                To::Data(at) => count + 16 + at,
            };
            file.extend_from_slice(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
        }
        file.extend_from_slice(&[0; 16]);
        file.extend(data);
        file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        let short = |number: u16| [vec![0xa2], number.to_be_bytes().to_vec()].concat();
        let long =
            |number: usize| [vec![0xc4], u32::try_from(number).unwrap().to_be_bytes().to_vec()].concat();
        file.extend(map(&[
            ("binary_format_major_version", short(2)),
            ("binary_format_minor_version", short(0)),
            ("build_epoch", vec![0x01, 0x02, 1]),
            ("database_type", text("Test-City")),
            ("description", map(&[])),
            ("ip_version", short(4)),
            ("languages", vec![0x00, 0x04]),
            ("node_count", long(count)),
            ("record_size", short(24)),
        ]));
        file
    }

    fn text(text: &str) -> Vec<u8> {
        [vec![0x40 | u8::try_from(text.len()).unwrap()], text.as_bytes().to_vec()].concat()
    }

    fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut out = vec![0xe0 | u8::try_from(entries.len()).unwrap()];
        entries.iter().for_each(|(name, value)| out.extend([text(name), value.clone()].concat()));
        out
    }

    fn iso(code: &str) -> Vec<u8> {
        map(&[("iso_code", text(code))])
    }

    #[test]
    fn a_file_of_maxmind_names_country_region_and_city() {
        let regions = [vec![0x01, 0x04], iso("BE")].concat();
        let berlin = map(&[
            ("country", iso("DE")),
            ("subdivisions", regions),
            ("city", map(&[("names", map(&[("en", text("Berlin"))]))])),
        ]);
        let registered = map(&[("registered_country", iso("FR"))]);
        let made = file(&[([192, 0, 2, 0], 24, berlin), ([198, 51, 100, 128], 25, registered)]);
        let database = Arc::new(MaxMind::new(made).unwrap());
        let at = |address: &str| {
            let mut asked = Asked::get("/");
            asked.client.address = Some(address.parse().unwrap());
            seen(Locate::new().database(database.clone()), &asked)
        };
        assert_eq!(at("192.0.2.77"), "DE BE Berlin");
        assert_eq!(at("198.51.100.200"), "FR - -");
        assert_eq!(at("198.51.100.1"), "- - -");
        assert_eq!(at("203.0.113.1"), "- - -");
        assert_eq!(at("2001:db8::1"), "- - -", "a file of IPv4 alone knows no other");

        assert!(database.replace(b"no file".to_vec()).is_err());
        assert_eq!(at("192.0.2.77"), "DE BE Berlin", "the old one stays");
        database.replace(file(&[([192, 0, 2, 0], 24, map(&[("country", iso("NL"))]))])).unwrap();
        assert_eq!(at("192.0.2.77"), "NL - -");
        assert!(MaxMind::new(Vec::new()).is_err());
    }
}
