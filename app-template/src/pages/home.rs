//! The front page: the same for everybody until the next build, so it is made once.

use super::{Board, Note, Write};
use crate::frame::{Made, SITE};
use tropos::{Href, Mode, prelude::*};

#[page("/", ssg)]
pub async fn Home() -> PageResult {
    view! {
        <Title text=SITE/>
        <h1>"Say how each page is made."</h1>
        <p class="lead">
            {SITE} " is a small application with a page in each of the four modes. Its code is short: begin with "
            <code>"src/pages/home.rs"</code> ", which is this page, and change something."
        </p>
        <ul class="tour">
            <Stop mode=Note::MODE title="A note" href=Note::href("tags")>
                "Made at its first visit and kept, until somebody likes it."
            </Stop>
            <Stop mode=Write::MODE title="Write a note" href=Write::href()>
                "Made for you alone, with what your browser sent."
            </Stop>
            <Stop mode=Board::MODE title="The board" href=Board::href()>
                "Made anew, while you look at it, whenever a note changes."
            </Stop>
        </ul>
        <Made by=Home::MODE>"Made once, when the application was built. It has no script."</Made>
    }
    .into_page()
}

/// A page to look at next.
#[component]
fn Stop(mode: Mode, title: &'static str, href: Href, children: Children) -> impl IntoView {
    view! {
        <li>
            <a href=href>
                <b class=mode.as_str()>{mode.as_str()}</b>
                <h2>{title}</h2>
                <p>{children()}</p>
            </a>
        </li>
    }
}
