//! The hooks: what a request passes before a page is looked up. They run in the server and in a Worker at a CDN, so nothing of
//! the server is named here.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tropos::edge::{
    Hooks, Match,
    edits::ContextValue,
    ready::{
        Guard, RateLimit, Roles, Secret, Sessions,
        experiment::Experiment,
        geo::{Cdn, CountryGroups, Locate},
    },
};

/// Where staff sign in.
const SIGN_IN: &str = "/sign-in";

/// The server function that a clerk alone may call.
const SAVE: &str = "office/save";

/// How often one address may try a password within a minute: somebody who mistypes does not notice, and a list of passwords
/// takes years.
const TRIES: u32 = 20;

/// A working day: who comes back in the morning signs in again.
const SHIFT: Duration = Duration::from_secs(12 * 3600);

/// However often a session is renewed, it ends after a working week.
const WEEK: Duration = Duration::from_secs(5 * 24 * 3600);

tropos::edge::variant! {
    /// What stands beside the price of a colour.
    pub enum Per: "per" {
        /// What is in the tin.
        Tin = "tin",
        /// What a square metre comes to.
        Metre = "metre",
    }
}

tropos::edge::variant! {
    /// Where a tin travels to, as far as its speed goes: not one value for each country.
    pub enum Delivery: "delivery" {
        /// Nobody knows, or far away.
        World = "world",
        /// The European Union.
        Union = "union",
        /// The United Kingdom.
        Britain = "britain",
    }
}

/// Members of the European Union.
const UNION: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// What somebody of the staff may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sets prices and stock.
    Clerk,
    /// Looks, and changes nothing.
    Trainee,
}

impl Role {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clerk => "clerk",
            Self::Trainee => "trainee",
        }
    }
}

/// Somebody who has signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staff {
    /// What they may do.
    pub role: Role,
}

impl ContextValue for Staff {
    const NAME: &'static str = "staff";
}

impl Roles for Staff {
    fn has_role(&self, role: &str) -> bool {
        self.role.as_str() == role
    }
}

/// The sessions of the staff. Without a secret nobody can have one, and the hooks say so at start.
pub fn sessions(secret: Option<&str>, https: bool) -> Sessions<Staff> {
    Sessions::new("staff", secret.map(Secret::new)).lifetime(SHIFT).at_most(WEEK).over_https(https)
}

/// All hooks.
pub fn hooks(sessions: Sessions<Staff>) -> Hooks {
    let staff = Match::any([Match::below("/office"), Match::path(SIGN_IN), Match::function(SAVE)]);
    Hooks::new()
        .at("/colour/:slug", Experiment::<Per>::new().force_by("per"))
        .group(
            "/basket",
            Hooks::new()
                .hook(Locate::new().cdn(Cdn::cloudflare()))
                .hook(CountryGroups::new().group(Delivery::Union, UNION).group(Delivery::Britain, ["GB"])),
        )
        .at(
            Match::function("staff/sign-in"),
            RateLimit::new("sign-in", TRIES, Duration::from_secs(60)).closed(),
        )
        .at(staff, sessions)
        .guard(Match::below("/office"), [SAVE], Guard::<Staff>::known().sign_in(SIGN_IN))
        .at(Match::function(SAVE), Guard::<Staff>::role(Role::Clerk.as_str()))
        .open([
            "basket/add",
            "basket/update",
            "basket/remove",
            "checkout",
            "suggest",
            "staff/sign-in",
            "staff/sign-out",
        ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hooks_are_sound_with_a_secret_and_refuse_to_start_without() {
        let with = |secret| hooks(sessions(secret, true)).check();
        assert_eq!(with(Some("0123456789abcdef0123456789abcdef")).map_err(|error| error.to_string()), Ok(()));
        for secret in [None, Some(""), Some("too-short-a-secret")] {
            assert!(with(secret).is_err(), "{secret:?}");
        }
    }
}
