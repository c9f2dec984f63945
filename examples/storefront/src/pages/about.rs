//! About the shop: made once, at build.

use super::{Board, Office};
use crate::{
    components::{Place, frame},
    data::product::grouped,
    seed,
};
use tropos::prelude::*;

const MODES: [(&str, &str, &str); 6] = [
    ("Front page, About", "ssg", "Made once, when the shop is built."),
    ("Families", "isr · 60 s", "Kept, and made again when stale or when one of its colours changes."),
    ("Colours", "isr · 300 s", "The best sellers are made at build, the others at their first visit."),
    ("Search, Basket", "server", "Made for every request."),
    ("Back office", "server", "Made for every request. Saving invalidates by name."),
    ("Board", "live", "Made for every request, then kept current while it is open."),
];

/// What the shop is an example of.
#[page("/about", ssg)]
pub async fn About() -> PageResult {
    frame::<About>(Place::About, 0);
    let mode = |(pages, mode, says)| {
        view! { <div><dt>{pages}</dt><dd class="mode"><b>{mode}</b></dd><dd>{says}</dd></div> }
    };
    view! {
        <Title text="About · Umberlow"/>
        <header class="page-head"><h1>"A shop that knows when its pages are old."</h1></header>
        <div class="about">
            <div class="prose">
                <p>
                    "Umberlow does not exist. The colours do: there are "{grouped(seed::count())}
                    " of them here, each named in a public list, and none will ever be delivered. The shop is an example for Tropos, a web framework for Rust, and it is here to show one idea."
                </p>
                <h2>"Every page declares how it is made"</h2>
                <p>
                    "The front page never changes between two releases, so it was written to disk when the shop was built. It would be a waste to make it again for you. This page too. Neither carries a script."
                </p>
                <p>
                    "A colour’s page changes now and then: somebody corrects a price, the last tin is sold. It is kept for some minutes and handed out as it is. When the price does change, the shop says so by name, and the next visitor gets the new page. Nobody waits for a clock to run out."
                </p>
                <p>
                    "Your basket is yours alone. It is made for each request and stored nowhere but in the database. The search is made the same way, and its frame reaches you before its results do."
                </p>
                <p>
                    "The board is the odd one. It stays open on a wall for days, so it cannot wait to be asked: whenever something that it read has changed, the change is pushed into it."
                </p>
                <h2>"See for yourself"</h2>
                <p>
                    "Open "<a href=Board::href()>"the board"</a>" in one window and "
                    <a href=Office::href()>"the back office"</a>
                    " in another. Change the stock of something that sells well. Then look for the small label at the foot of each page: it names the mode, and how long the page may be kept."
                </p>
                <p>"All the forms work with script switched off."</p>
                <h2>"Where the colours come from"</h2>
                <p>
                    "From "<cite>"color-name-list"</cite>
                    ", version 14.29.0, copyright 2017 David Aerne, under the MIT licence. We left out the names that belong to somebody and the colours that only a lamp can make. Families, finishes, prices and stock are ours, and made up by rule."
                </p>
            </div>
            <dl class="modes" aria-label="Pages and their modes">{MODES.map(mode).collect_view()}</dl>
        </div>
    }
    .into_page()
}
