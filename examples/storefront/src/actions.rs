//! What forms and islands call. A form without script is sent on to the page that shows what became of it.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What became of a change to the basket, for the island that asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// How many tins the basket holds now.
    pub tins: i64,
    /// What to tell the visitor.
    pub says: String,
    /// Whether it was refused.
    pub refused: bool,
}

/// A suggestion: a name in three parts, the second being what was typed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hint {
    /// The address of the colour's page.
    pub href: String,
    /// The colour.
    pub hex: String,
    /// The title of its family.
    pub family: String,
    /// The name up to what was typed.
    pub before: String,
    /// What was typed, as the name has it.
    pub hit: String,
    /// The rest of the name.
    pub after: String,
}

/// Puts tins of a colour into the visitor's basket.
#[server(name = AddToBasket, prefix = "/api", endpoint = "basket/add")]
pub async fn add_to_basket(slug: String, quantity: i64) -> Result<Answer, ServerFnError> {
    server::change_basket(&slug, quantity, true).await
}

/// Sets how many tins the basket holds of a colour; none takes it out.
#[server(name = UpdateBasket, prefix = "/api", endpoint = "basket/update")]
pub async fn update_basket(slug: String, quantity: i64) -> Result<Answer, ServerFnError> {
    server::change_basket(&slug, quantity, false).await
}

/// Takes a colour out of the basket.
#[server(name = RemoveFromBasket, prefix = "/api", endpoint = "basket/remove")]
pub async fn remove_from_basket(slug: String) -> Result<Answer, ServerFnError> {
    server::change_basket(&slug, 0, false).await
}

/// Orders what is in the basket.
#[server(name = Checkout, prefix = "/api", endpoint = "checkout")]
pub async fn checkout(
    name: String,
    email: String,
    address: String,
    finish: String,
) -> Result<(), ServerFnError> {
    server::checkout(crate::data::orders::Details { name, email, address, finish }).await
}

/// Sets price and stock of a colour, in the back office, where a hook lets clerks in alone; `q` and `page` say where it was being looked at.
#[server(name = SaveProduct, prefix = "/api", endpoint = "office/save")]
pub async fn save_product(
    id: i64,
    price: String,
    stock: i64,
    #[server(default)] q: String,
    #[server(default)] page: Option<u32>,
) -> Result<(), ServerFnError> {
    server::save_product(id, &price, stock, &q, page.unwrap_or(1)).await
}

/// Signs in, and goes on to `next`.
#[server(name = SignIn, prefix = "/api", endpoint = "staff/sign-in")]
pub async fn sign_in(
    name: String,
    password: String,
    #[server(default)] next: String,
) -> Result<(), ServerFnError> {
    server::sign_in(&name, &password, &next).await
}

/// Signs out.
#[server(name = SignOut, prefix = "/api", endpoint = "staff/sign-out")]
pub async fn sign_out() -> Result<(), ServerFnError> {
    server::sign_out().await
}

/// Names that hold what was typed.
#[server(name = Suggest, prefix = "/api", endpoint = "suggest", input = server_fn::codec::GetUrl)]
pub async fn suggest(q: String) -> Result<Vec<Hint>, ServerFnError> {
    server::suggest(&q).await
}

#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
pub(crate) use server::too_few;
