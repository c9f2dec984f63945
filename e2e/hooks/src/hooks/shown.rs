//! Ready hooks that choose what a visitor is shown.

use super::{Button, Market, Picture, Price, Tongue, Wide};
use tropos::edge::{
    Hooks, Match,
    ready::{
        experiment::{Experiment, Layer},
        flags::{Flags, Rule},
        geo::{Cdn, CountryBlock, CountryGroups, CountryRedirect, Locate},
        locale::Locales,
        visitor::VisitorId,
    },
};

/// Adds them.
pub(super) fn hooks(hooks: Hooks) -> Hooks {
    experiments(flags(languages(countries(hooks))))
}

fn countries(hooks: Hooks) -> Hooks {
    let located = ["/place", "/market", "/country", "/bets", "/bets-unknown", "/flags"].map(Match::below);
    let groups = CountryGroups::new().group(Market::Euro, ["DE", "FR", "NL"]).group(Market::Uk, ["GB"]);
    let sent = CountryRedirect::new().to("/country/de", ["DE", "AT"]).to("https://shop.example.jp", ["JP"]);
    hooks
        .at(Match::any(located), Locate::new().cdn(Cdn::cloudflare()))
        .at(Match::below("/market"), groups)
        .at(Match::below("/country"), sent)
        .at(
            Match::below("/bets"),
            CountryBlock::all_but(["DE", "AT"]).blocked_by("https://authority.example/"),
        )
        .at(Match::below("/bets-unknown"), CountryBlock::deny(["DE"]).text("not here"))
}

fn languages(hooks: Hooks) -> Hooks {
    let by_path = ["/welcome", "/en", "/de", "/pt-BR"].map(Match::below);
    let shown = Locales::rewrite(["en", "de"]).plain_default().cookie("lang");
    hooks
        .at(
            Match::any(by_path),
            Locales::redirect(["en", "de", "pt-BR"]).cookie("lang").except("/welcome/feed"),
        )
        .at(Match::below("/hello"), shown)
        .at(Match::below("/tongue"), Locales::variant::<Tongue>().cookie("lang"))
}

fn flags(hooks: Hooks) -> Hooks {
    let flags = Flags::new()
        .flag("always", Rule::on())
        .flag("never", Rule::off().allow(["known-visitor"]))
        .flag("here", Rule::on().countries(["DE"]))
        .flag("wide", Rule::off().allow(["known-visitor"]))
        .variant::<Wide>();
    // Beside them, for names that are sent alone: what a new one is in would differ from run to run.
    let half = Flags::new().flag("half", Rule::share(500).salt("2")).flag("tenth", Rule::share(100));
    let stored =
        Flags::new().flag("written", Rule::on()).flag("kept", Rule::on()).from_store("FLAGS", "table");
    let by_name = || Match::any([Match::below("/flags"), Match::below("/wide")]);
    hooks
        .at(Match::below("/visitor"), VisitorId::new().only_with("consent", "yes"))
        .at(by_name(), VisitorId::new())
        .at(by_name(), flags)
        .at(Match::below("/shares"), half)
        .at(Match::below("/stored-flags"), stored)
}

fn experiments(hooks: Hooks) -> Hooks {
    let button = Experiment::<Button>::new()
        .weights([(Button::Plain, 0), (Button::Bold, 1000), (Button::Huge, 0)])
        .force_by("button");
    let drawn = Experiment::<Button>::new()
        .weights([(Button::Plain, 500), (Button::Bold, 300), (Button::Huge, 200)])
        .by_visitor("visitor")
        .salt("autumn")
        .cookie("drawn");
    let nobody = Experiment::<Button>::new().share(0).by_visitor("visitor").cookie("nobody");
    let layer = Layer::new("layer")
        .by_visitor("visitor")
        .experiment(0..500, Experiment::<Price>::new().weights([(Price::Beside, 1000)]))
        .experiment(500..1000, Experiment::<Picture>::new().weights([(Picture::Large, 1000)]));
    hooks
        .at(Match::below("/try"), button)
        .at(Match::below("/drawn"), drawn)
        .at(Match::below("/nobody"), nobody)
        .at(Match::below("/layer"), layer)
}
