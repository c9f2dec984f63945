//! The front page: the same for everybody until the next build, so it is made once.

use super::{Board, Note, Write};
use crate::frame::{Made, SITE};
use tropos::prelude::*;

#[page("/", ssg)]
pub async fn Home() -> PageResult {
    let tour = [
        ("isr", "A note", "Made at its first visit and kept, until somebody likes it.", Note::href("tags")),
        ("server", "Write a note", "Made for you alone, with what your browser sent.", Write::href()),
        ("live", "The board", "Made anew, while you look at it, whenever a note changes.", Board::href()),
    ];
    let stop = |(mode, title, says, href)| {
        view! {
            <li>
                <a href=href>
                    <b class=mode>{mode}</b>
                    <h2>{title}</h2>
                    <p>{says}</p>
                </a>
            </li>
        }
    };
    view! {
        <Title text=SITE/>
        <h1>"Say how each page is made."</h1>
        <p class="lead">
            {SITE} " is a small application with a page in each of the four modes. Its code is short: begin with "
            <code>"src/pages/home.rs"</code> ", which is this page, and change something."
        </p>
        <ul class="tour">{tour.map(stop).collect_view()}</ul>
        <Made by=Home::MODE>"Made once, when the application was built. It has no script."</Made>
    }
    .into_page()
}
