//! Hooks: what every request passes before a page is looked up.
//!
//! A page that is kept runs no code of its own when it is asked for. Checks, redirects and experiments stand here. They run in
//! the server and in a Worker at a CDN, so they name nothing of the server.

use tropos::edge::{
    Decision, Hook, Hooks,
    hook::{hook, hook_for_all},
};

/// All hooks, in the order in which they run.
pub fn hooks() -> Hooks {
    Hooks::new()
        .at("/n/:slug", short_address())
        .at("/write", no_crawlers())
}

/// An address for messages and print: `/n/tags` leads to the note.
///
/// It leads everybody to the same place, so caches on the way may know it too.
fn short_address() -> impl Hook {
    hook_for_all("short address", |request, _| {
        match request.path().as_str().strip_prefix("/n/") {
            Some(slug) => Decision::redirect_permanently(&format!("/notes/{slug}")),
            None => Ok(Decision::Next),
        }
    })
}

/// Search engines have no note to write.
fn no_crawlers() -> impl Hook {
    hook("no crawlers", |_, edits| {
        edits.response_headers().set("x-robots-tag", "noindex");
        Decision::Next
    })
}
