//! Ready hooks that know who asks.

use super::{Claims, TOKEN_SECRET, User, sessions};
use tropos::edge::{
    Hooks, Match,
    ready::{Guard, Jwt, Secret, jwt::Key},
};

/// Adds them.
pub(super) fn hooks(hooks: Hooks) -> Hooks {
    let key = || Key::hs256(Secret::new(TOKEN_SECRET)).named("2026");
    let token = Jwt::<Claims>::new([key()]).issuer("https://id.example").audience("shop").realm("tokens");
    let optional = Jwt::<Claims>::new([key()]).cookie("token").optional();
    let with_session =
        ["/account", "/account-isr", "/office", "/secret", "/staff", "/sign-in"].map(Match::below);
    let functions = Match::any([Match::function("whoami"), Match::function("set_stock")]);
    hooks
        .at(Match::any(with_session.into_iter().chain([functions])), sessions())
        .at(Match::below("/token"), token.kind("at+jwt"))
        .at(Match::below("/token-optional"), optional)
        .at(Match::below("/claims"), Guard::<Claims>::known().challenge("Bearer realm=\"claims\""))
        .guard(Match::below("/office"), ["set_stock"], Guard::<User>::role("editor").sign_in("/sign-in"))
        .at(Match::below("/secret"), Guard::<User>::role("editor").hidden())
        .at(Match::below("/staff"), Guard::<User>::some_role(["editor", "author"]))
        .at(Match::below("/account-isr"), Guard::<User>::known())
}
