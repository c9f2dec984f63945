//! A note: made at its first visit, kept for everybody, and made anew when the note changes.

use crate::{
    frame::{Made, SITE},
    islands::LikeButton,
    notes,
};
use tropos::prelude::*;

/// `revalidate` is the age that we could live with if something wrote to the database and did not say so.
#[page("/notes/:slug", isr(revalidate = "10m"))]
pub async fn Note(Path(slug): Path<String>, db: Db) -> PageResult {
    // The page takes on the tags of what it reads.
    let note = notes::by_slug(&db, &slug).await?.or_not_found()?;
    view! {
        <Title text=format!("{} · {SITE}", note.title)/>
        <article>
            <h1>{note.title}</h1>
            <p class="lead">{note.text}</p>
            <p class="quiet">"Written by " {note.author}</p>
            <LikeButton slug=note.slug likes=note.likes/>
        </article>
        <Made by=Note::MODE>"Made once for all visitors, and again when somebody likes it."</Made>
    }
    .into_page()
}
