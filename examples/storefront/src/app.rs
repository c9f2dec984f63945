//! The application: its pages, and what goes around them.

use crate::{
    components::frame,
    pages::{About, Basket, Board, Colour, FamilyPage, Home, Office, Order, Search, lost},
    seed,
};
use tropos::{App, Group, prelude::*};

/// The shop.
pub fn app() -> App {
    let pages = routes![Home, About, FamilyPage, Colour, Search, Basket, Order, Board, Office];
    App::new()
        .migrations(sqlx::migrate!())
        .seed(seed::seed)
        .shell(frame::shell)
        .group(Group::new().layout(frame::around).pages(pages))
        .not_found(lost::not_found)
        .error_page(lost::failed)
}
