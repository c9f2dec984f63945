//! Where staff sign in and out.

use super::{Office, tins_of};
use crate::{
    actions::{SignIn as Enter, SignOut},
    components::{Place, frame},
    data::staff::{ACCOUNTS, Account},
    hooks::Staff,
};
use leptos::server_fn::ServerFn;
use serde::Deserialize;
use tropos::{Context, Cookies, edge::ready::next, leptos_meta::Body, prelude::*};

/// Why somebody comes here.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Came {
    /// Where they meant to go.
    next: Option<String>,
    /// Name and password did not go together.
    refused: Option<bool>,
    /// They have signed out.
    out: Option<bool>,
}

/// Name and password; or, for who has a session, the way out.
#[page("/sign-in", server)]
pub async fn SignIn(
    Query(came): Query<Came>,
    Context(staff): Context<Staff>,
    cookies: Cookies,
) -> PageResult {
    frame::<SignIn>(Place::Shop, tins_of(&cookies));
    // Anybody can write `next`, so only a path of this site counts.
    let next = came.next.as_deref().and_then(next::safe).map_or_else(|| Office::href().into(), str::to_owned);
    let flash = match came {
        Came { refused: Some(true), .. } => Some("Not signed in: this name and password do not go together."),
        Came { out: Some(true), .. } if staff.is_none() => Some("You have signed out."),
        _ => None,
    };
    view! {
        <Title text="Sign in · Umberlow"/>
        <Meta name="robots" content="noindex"/>
        <Body attr:class="sign-in"/>
        {flash.map(|says| view! { <p class="flash" role="alert">{says}</p> })}
        <header class="page-head"><h1>"Staff only"</h1></header>
        <div class="two">
            {match staff {
                Some(staff) => view! { <Inside staff/> }.into_any(),
                None => view! { <Outside next/> }.into_any(),
            }}
            <Keys/>
        </div>
    }
    .into_page()
}

/// For who has not signed in.
#[component]
fn Outside(next: String) -> impl IntoView {
    view! {
        <section class="checkout" aria-labelledby="enter">
            <h2 id="enter">"Sign in"</h2>
            <form method="post" action=Enter::url()>
                <input type="hidden" name="next" value=next/>
                <label class="field">
                    "Name "<input name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="40"/>
                </label>
                <label class="field">
                    "Password "
                    <input type="password" name="password" autocomplete="current-password" required maxlength="80"/>
                </label>
                <button>"Sign in"</button>
            </form>
        </section>
    }
}

/// For who has.
#[component]
fn Inside(staff: Staff) -> impl IntoView {
    view! {
        <section class="checkout" aria-labelledby="inside">
            <h2 id="inside">{format!("You are signed in as {}.", staff.role.as_str())}</h2>
            <p><a class="button" href=Office::href()>"To the back office"</a></p>
            <form method="post" action=SignOut::url()><button class="text">"Sign out"</button></form>
        </section>
    }
}

/// The passwords. A shop that sold something would not show them.
#[component]
fn Keys() -> impl IntoView {
    let key = |Account { name, password, may, .. }: Account| {
        view! {
            <div>
                <dt>{name}</dt>
                <dd><code>{password}</code></dd>
                <dd>{may}</dd>
            </div>
        }
    };
    view! {
        <section class="keys" aria-labelledby="keys">
            <h2 id="keys">"The key is under the mat"</h2>
            <p class="quiet">"This is a demonstration, so here is who works in the shop, with their passwords."</p>
            <dl class="modes">{ACCOUNTS.map(key).collect_view()}</dl>
        </section>
    }
}
