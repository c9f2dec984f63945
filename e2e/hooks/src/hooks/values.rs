//! What hooks know of visitors, and what pages differ by.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tropos::edge::{
    edits::ContextValue,
    ready::{Roles, Secret, Sessions},
};

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their name.
    pub name: String,
    /// What they may.
    pub role: String,
}

impl ContextValue for User {
    const NAME: &'static str = "user";
}

impl Roles for User {
    fn has_role(&self, role: &str) -> bool {
        self.role == role
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whom it is of.
    pub sub: String,
}

impl ContextValue for Claims {
    const NAME: &'static str = "claims";
}

/// The secret that sessions are signed with, and that lets in while the site is being worked on.
pub const SECRET: &str = "a secret of these tests, in no use anywhere";
/// The secret that sessions were signed with before.
pub const OLD_SECRET: &str = "the secret that was in use before this one";
/// The secret that tokens are signed with.
pub const TOKEN_SECRET: &str = "the secret of the issuer of these tests' tokens";

/// The stores that hooks look things up in: the store, and what it has, as JSON.
pub const STORES: [(&str, &str); 2] = [
    ("SWITCHES", r#"{"thrown": "on", "other": "off"}"#),
    (
        "FLAGS",
        r#"{"table": "{\"stored\": true, \"written\": false, \"known\": {\"per_mille\": 0, \"allow\": [\"v1\"]}}"}"#,
    ),
];

/// Sessions, for a week each.
pub fn sessions() -> Sessions<User> {
    Sessions::new("session", [Secret::new(SECRET), Secret::new(OLD_SECRET)])
        .lifetime(Duration::from_secs(7 * 24 * 3600))
}

/// Sessions as they were before the secret was changed.
pub fn old_sessions() -> Sessions<User> {
    Sessions::new("session", [Secret::new(OLD_SECRET)])
}

tropos::edge::variant! {
    /// The sides of a hook of the application's own.
    pub enum Ab: "ab" { A = "a", B = "b" }
}
tropos::edge::variant! {
    /// The button of an experiment.
    pub enum Button: "button" { Plain = "plain", Bold = "bold", Huge = "huge" }
}
tropos::edge::variant! {
    /// The price of an experiment that must not meet another.
    pub enum Price: "price" { Below = "below", Beside = "beside" }
}
tropos::edge::variant! {
    /// The other one.
    pub enum Picture: "picture" { Small = "small", Large = "large" }
}
tropos::edge::variant! {
    /// Groups of countries.
    pub enum Market: "market" { World = "world", Euro = "euro", Uk = "uk" }
}
tropos::edge::variant! {
    /// Languages.
    pub enum Tongue: "tongue" { En = "en", De = "de", PtBr = "pt-BR" }
}
tropos::edge::variant! {
    /// A flag that stored pages see.
    pub enum Wide: "wide" { Off = "off", On = "on" }
}
