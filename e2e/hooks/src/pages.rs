//! Pages that show what they saw, at the paths of the hooks.

use crate::{
    hooks::{Ab, Button, Market, Picture, Price, Tongue, Wide},
    saw::{Saw, Visit, stored},
};
use tropos::{PageResult, Path, Route, Variant, edge::VariantName, prelude::*};

/// Pages that are made for each request.
macro_rules! visits {
    ($($name:ident $path:tt)+) => {$(
        #[page($path, server)]
        async fn $name(Path(key): Path<String>, visit: Visit) -> PageResult {
            visit.page(&key)
        }
    )+};
}
visits! {
    Seen "/seen/:key"
    Match "/match/:key"
    Guarded "/guarded/:key"
    Edits "/edits/:key"
    CookiesPage "/cookies/:key"
    Marked "/marked/:key"
    Been "/been/:key"
    Closed "/closed/:key"
    ClosedSwitch "/closed-switch/:key"
    Secure "/secure/:key"
    One "/one/:key"
    Slash "/slash/:key"
    CorsPage "/cors/:key"
    CorsAny "/cors-any/:key"
    BotsPage "/bots/:key"
    Limited "/limited/:key"
    LimitedRoutes "/limited-routes/:key"
    Account "/account/:key"
    Office "/office/:key"
    Secret "/secret/:key"
    Staff "/staff/:key"
    Token "/token/:key"
    TokenOptional "/token-optional/:key"
    ClaimsPage "/claims/:key"
    PlacePage "/place/:key"
    Country "/country/:key"
    CountryDe "/country/de/:key"
    Bets "/bets/:key"
    BetsUnknown "/bets-unknown/:key"
    WelcomeEn "/en/welcome/:key"
    WelcomeDe "/de/welcome/:key"
    WelcomePt "/pt-BR/welcome/:key"
    Welcome "/welcome/:key"
    Hello "/hello/:key"
    HelloDe "/de/hello/:key"
    Flags "/flags/:key"
    Visitor "/visitor/:key"
    Shares "/shares/:key"
    StoredFlags "/stored-flags/:key"
}

/// Pages that are stored, and the same for all.
macro_rules! kept {
    ($($name:ident $path:tt)+) => {$(
        #[page($path, isr(revalidate = "60s"))]
        async fn $name(Path(key): Path<String>) -> PageResult {
            stored::<Ab>(&key, None, |_| String::new())
        }
    )+};
}
kept! {
    Open "/open/:key"
    GuardedIsr "/guarded-isr/:key"
    AccountIsr "/account-isr/:key"
    BotsPublic "/bots-public/:key"
    LimitedIsr "/limited-isr/:key"
    EnIsr "/en/stored/:key"
}

/// Pages that are stored once for each value of a variant.
macro_rules! varied {
    ($($name:ident $path:tt $variant:ty;)+) => {$(
        #[page($path, isr(revalidate = "60s", variants = $variant))]
        async fn $name(Path(key): Path<String>, variant: Variant<$variant>) -> PageResult {
            stored(&key, Some(variant), |value| value.as_str().to_owned())
        }
    )+};
}
varied! {
    Varied "/variant/:key" Ab;
    Try "/try/:key" Button;
    Drawn "/drawn/:key" Button;
    Nobody "/nobody/:key" Button;
    MarketPage "/market/:key" Market;
    TonguePage "/tongue/:key" Tongue;
    WidePage "/wide/:key" Wide;
}

#[page("/layer/:key", isr(revalidate = "60s", variants = (Price, Picture)))]
async fn LayerPage(Path(key): Path<String>, variant: Variant<(Price, Picture)>) -> PageResult {
    stored(&key, Some(variant), |(price, picture)| format!("{} {}", price.as_str(), picture.as_str()))
}

#[page("/guarded-ssg", ssg)]
async fn GuardedSsg() -> PageResult {
    stored::<Ab>("of the build", None, |_| String::new())
}

#[page("/open-ssg", ssg)]
async fn OpenSsg() -> PageResult {
    stored::<Ab>("of the build", None, |_| String::new())
}

#[page("/guarded-live/:key", live)]
async fn GuardedLive(Path(key): Path<String>) -> PageResult {
    let mut saw = Saw::default();
    saw.line("path", &key);
    saw.page()
}

#[page("/sign-in", server)]
async fn SignIn(visit: Visit) -> PageResult {
    visit.page("sign-in")
}

/// Guarded with the pages of the application's own guard.
#[server(endpoint = "set_price")]
async fn set_price() -> Result<String, ServerFnError> {
    Ok("the price is set".to_owned())
}

/// Guarded by a role.
#[server(endpoint = "set_stock")]
async fn set_stock() -> Result<String, ServerFnError> {
    Ok("the stock is set".to_owned())
}

/// For everybody.
#[server(endpoint = "look")]
async fn look() -> Result<String, ServerFnError> {
    Ok("a look".to_owned())
}

/// Who the hooks say asks.
#[server(endpoint = "whoami")]
async fn whoami() -> Result<String, ServerFnError> {
    let tropos::Context(user) = tropos::extract::<tropos::Context<crate::hooks::User>>().await?;
    Ok(user.map_or_else(|| "nobody".to_owned(), |user| user.name))
}

/// All pages.
pub fn all() -> Vec<Route> {
    routes![
        Seen,
        Match,
        Guarded,
        Edits,
        CookiesPage,
        Marked,
        Been,
        Closed,
        ClosedSwitch,
        Secure,
        One,
        Slash,
        CorsPage,
        CorsAny,
        BotsPage,
        Limited,
        LimitedRoutes,
        Account,
        Office,
        Secret,
        Staff,
        Token,
        TokenOptional,
        ClaimsPage,
        PlacePage,
        Country,
        CountryDe,
        Bets,
        BetsUnknown,
        WelcomeEn,
        WelcomeDe,
        WelcomePt,
        Welcome,
        Hello,
        HelloDe,
        Flags,
        Visitor,
        Shares,
        StoredFlags,
        Open,
        GuardedIsr,
        AccountIsr,
        BotsPublic,
        LimitedIsr,
        EnIsr,
        Varied,
        Try,
        Drawn,
        Nobody,
        MarketPage,
        TonguePage,
        WidePage,
        LayerPage,
        GuardedSsg,
        OpenSsg,
        GuardedLive,
        SignIn
    ]
}
