//! The application: its pages, and what goes around them.

use crate::{
    components::frame,
    hooks,
    pages::{About, Basket, Board, Colour, FamilyPage, Home, Office, Order, Search, SignIn, lost},
    seed,
};
use tropos::{App, Group, prelude::*};

/// The shop.
pub fn app() -> App {
    let pages = routes![Home, About, FamilyPage, Colour, Search, Basket, Order, Board, Office, SignIn];
    App::new()
        .migrations(sqlx::migrate!())
        .seed(seed::seed)
        .configure(|app, config| {
            let sessions = hooks::sessions(Some(&config.secret_or_new()), config.is_https());
            // The form that signs in begins the sessions that the hooks read.
            app.state(sessions.clone()).hooks(hooks::hooks(sessions))
        })
        .shell(frame::shell)
        .group(Group::new().layout(frame::around).pages(pages))
        .not_found(lost::not_found)
        .error_page(lost::failed)
}
