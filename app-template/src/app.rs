//! The application: its pages, its database, and what goes around them.

use crate::{
    frame, hooks,
    pages::{Board, Home, Note, Write, failed, not_found},
    seed,
};
use tropos::prelude::*;

/// The application. `main` serves it, and tests ask it for pages.
pub fn app() -> App {
    App::new()
        .migrations(sqlx::migrate!())
        .seed(seed::seed)
        .hooks(hooks::hooks())
        .shell(frame::document)
        .pages(routes![Home, Note, Write, Board])
        .not_found(not_found)
        .error_page(failed)
}
