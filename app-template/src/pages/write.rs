//! The form for a new note: made for every request, since it shows what this visitor's browser sent.

use crate::{
    actions::AddNote,
    frame::{Made, SITE},
    notes::{LONGEST_TEXT, LONGEST_TITLE, Problem},
};
use leptos::server_fn::ServerFn;
use serde::Deserialize;
use tropos::{Cookies, prelude::*};

/// The cookie that remembers what the visitor calls themselves.
pub const AUTHOR: &str = "author";

/// What the form is filled with: nothing, or what was refused.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Draft {
    problem: Option<Problem>,
    title: String,
    text: String,
}

#[page("/write", server)]
pub async fn Write(Query(draft): Query<Draft>, cookies: Cookies) -> PageResult {
    let problem = draft.problem.map(|problem| match problem {
        Problem::Words => "A note needs a title and a text, and neither may be too long.",
        Problem::Taken => "There is a note of this title already. Choose another.",
    });
    view! {
        <Title text=format!("Write a note · {SITE}")/>
        <h1>"Write a note"</h1>
        {problem.map(|says| view! { <p class="problem" role="alert">{says}</p> })}
        <form class="write" method="post" action=AddNote::url()>
            <label>"Title" <input name="title" value=draft.title required maxlength=LONGEST_TITLE/></label>
            <label>"Text" <textarea name="text" rows="5" required maxlength=LONGEST_TEXT>{draft.text}</textarea></label>
            <label>
                "Your name"
                <input name="author" value=cookies.get(AUTHOR) autocomplete="name" maxlength=LONGEST_TITLE/>
            </label>
            <button>"Keep it"</button>
        </form>
        <Made by=Write::MODE>"Made for this request alone: it knows the name that you used last."</Made>
    }
    .into_page()
}
