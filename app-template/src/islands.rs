//! What is interactive. Only this becomes wasm; a page without an island has no script at all.

use crate::actions::{Like, like};
use leptos::{ev::SubmitEvent, prelude::*, server_fn::ServerFn, task::spawn_local};

/// A button that likes a note. It is a form, so that it works before the wasm has come, and without it.
#[island]
pub fn LikeButton(slug: String, likes: i64) -> impl IntoView {
    let (likes, set_likes) = signal(likes);
    let field = slug.clone();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let slug = slug.clone();
        spawn_local(async move {
            if let Ok(likes) = like(slug).await {
                set_likes.set(likes);
            }
        });
    };
    view! {
        <form class="like" method="post" action=Like::url() on:submit=submit>
            <input type="hidden" name="slug" value=field/>
            <button aria-label="Like this note">"♥ " <output>{likes}</output></button>
        </form>
    }
}
