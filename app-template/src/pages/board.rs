//! The board: made anew whenever one of the tags that it read is invalidated, and pushed into the open page.

use super::Note as NotePage;
use crate::{
    frame::{Made, SITE},
    notes::{self, Note},
};
use tropos::prelude::*;

#[page("/board", live)]
pub async fn Board(db: Db) -> PageResult {
    let notes = notes::newest(&db).await?;
    // By its id the open page finds a row again, wherever it has moved.
    let row = |note: Note| {
        view! {
            <li id=format!("note-{}", note.slug)>
                <a href=NotePage::href(note.slug.clone())>{note.title}</a>
                <span class="quiet">{note.author}</span>
                <data value=note.likes>"♥ " {note.likes}</data>
            </li>
        }
    };
    view! {
        <Title text=format!("Board · {SITE}")/>
        <h1>"The board"</h1>
        <p class="lead">"Open a note in another window and like it. The number here follows."</p>
        <ol class="board">{notes.into_iter().map(row).collect_view()}</ol>
        <Made by=Board::MODE>"Made for this request, and again whenever a note changes."</Made>
    }
    .into_page()
}
