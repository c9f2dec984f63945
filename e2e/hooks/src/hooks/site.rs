//! Ready hooks that hold for everybody.

use super::SECRET;
use std::{net::IpAddr, time::Duration};
use tropos::edge::{
    Decision, Hooks, Match, Reply, hook,
    ready::{
        Bots, Cors, Maintenance, Network, RateLimit, Secret,
        address::Addresses,
        bots::known,
        rate_limit::By,
        redirects::{Redirects, Rule},
        security::{Csp, Directive, SecurityHeaders, Source},
    },
};

/// The office of those who work on the site.
fn office() -> Network {
    Network::around(IpAddr::from([192, 0, 2, 0]), 24)
}

/// Adds them.
pub(super) fn hooks(hooks: Hooks) -> Hooks {
    redirects(limits(scripts(hooks)))
}

fn scripts(hooks: Hooks) -> Hooks {
    let closed = Maintenance::new()
        .on(true)
        .retry_after(Duration::from_secs(600))
        .page("<!doctype html><title>Back soon</title><h1>Back soon</h1>")
        .allow(office())
        .secret(Secret::new(SECRET));
    let plain = Maintenance::new().on(true);
    let switch = |name| Maintenance::new().switch("SWITCHES", name);
    let headers = SecurityHeaders::new().without("content-security-policy").set("x-frame-options", "DENY");
    let strict = SecurityHeaders::new()
        .hsts(30, true)
        .csp(Csp::strict().also(Directive::ImgSrc, Source::host("https://images.example")));
    let addresses = Addresses::new()
        .small_letters()
        .except("/one/Files")
        .host("shop.example")
        .alias("www.shop.example")
        .https();
    let cors = Cors::new(["https://app.example", "http://localhost:5173"])
        .methods(["GET", "POST", "DELETE"])
        .headers(["authorization", "content-type"])
        .expose(["x-total"])
        .credentials()
        .private_network();
    hooks
        .at(Match::below("/closed"), closed)
        .at(Match::below("/closed-plain"), plain)
        .at(Match::below("/closed-switch/thrown"), switch("thrown"))
        .at(Match::below("/closed-switch/off"), switch("other"))
        .at(Match::below("/closed-switch/missing"), switch("missing"))
        .at(Match::below("/closed-switch/no-store"), Maintenance::new().switch("NO_STORE", "any"))
        .at(Match::below("/secure"), headers)
        .at(Match::below("/strict"), strict)
        .at("/strict/refused", hook("refused", |_, _| Decision::from(Reply::html(403, "<h1>No</h1>"))))
        .at(
            "/strict/own",
            hook("own policy", |_, edits| {
                edits.response_headers().set("content-security-policy", "default-src *");
                Decision::Next
            }),
        )
        .at(Match::any([Match::below("/one"), Match::below("/One")]), addresses)
        .at(Match::below("/slash"), Addresses::new())
        .at(Match::path("/api/cors"), cors.clone())
        .at(Match::below("/cors"), cors)
        .at(Match::below("/cors-any"), Cors::any_origin().max_age(Duration::from_secs(60)))
}

fn limits(hooks: Hooks) -> Hooks {
    let crawlers = Bots::new()
        .allow(known::SEARCH)
        .allow(["FriendlyBot"])
        .deny(known::MODELS)
        .deny(["BadBot", "FriendlyBot"])
        .deny_unnamed()
        .robots("noindex, nofollow");
    let by_client =
        || RateLimit::new("client", 2, Duration::from_secs(60)).by([By::header("x-client")]).fixed();
    let by_route =
        RateLimit::new("route", 1, Duration::from_secs(60)).by([By::route(), By::cookie("who")]).fixed();
    hooks
        .at(Match::below("/bots"), crawlers)
        .at("/robots.txt", Bots::new().deny(known::MODELS))
        .at(Match::below("/bots-public"), Bots::new().deny(["BadBot"]).public())
        .at(Match::any([Match::below("/limited"), Match::below("/limited-isr")]), by_client())
        .at(Match::below("/limited-routes"), by_route)
        .at(
            "/limited-again",
            RateLimit::new("again", 2, Duration::from_secs(60)).by([By::header("x-client")]).fixed(),
        )
        .at("/limited-again", hook("again", |_, _| Decision::rewrite("/seen/a")))
}

fn redirects(hooks: Hooks) -> Hooks {
    hooks.hook(Redirects::new([
        Rule::new("/old", "/seen/new").permanent(),
        Rule::new("/old/:id", "/seen/:id"),
        Rule::new("/old-files/*rest", "https://files.example/*rest").status(302),
        Rule::new("/old-query", "/seen/a?from=table").permanent(),
        Rule::new("/old-bare", "/seen/a").without_query(),
        Rule::new("/old-search/:word", "/seen/search?q=:word").status(303),
        Rule::new("/chain/a", "/chain/b").permanent(),
        Rule::new("/chain/b", "/chain/c").permanent(),
        Rule::new("/chain/c", "/seen/chain").permanent(),
        Rule::new("/sale", "/seen/sale").rewrite(),
        Rule::new("/sale/:id", "/open/:id").rewrite(),
        Rule::new("/sale-guarded", "/guarded/a").rewrite(),
        Rule::new("/moved", "/seen/of-any-host"),
        Rule::new("/moved", "/seen/of-this-host").on_host("shop.example"),
        Rule::new("/moved", "/seen/of-hosts-below").on_host("*.shop.example"),
    ]))
}
