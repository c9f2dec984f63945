//! What forms and islands call. The browser is given the addresses, and never the code behind them.
//!
//! A form that posts to one of these works without script: the browser is led to a page afterwards.

use leptos::prelude::*;

/// Likes a note, and says how many do now. Without script, the form leads back to its own page.
#[server(name = Like, prefix = "/api", endpoint = "notes/like")]
pub async fn like(slug: String) -> Result<i64, ServerFnError> {
    let db: tropos::Db = tropos::extract().await?;
    let likes = crate::notes::like(&db, &slug)
        .await
        .map_err(ServerFnError::new)?;
    likes.ok_or_else(|| ServerFnError::new("there is no such note"))
}

/// Keeps a note, and leads to its page; or back to the form, which says what is wrong.
#[server(name = AddNote, prefix = "/api", endpoint = "notes/add")]
pub async fn add_note(title: String, text: String, author: String) -> Result<(), ServerFnError> {
    use crate::{
        notes::{self, Added, Problem},
        pages::{AUTHOR, Note, Write},
    };
    let db: tropos::Db = tropos::extract().await?;
    let cookies: tropos::Cookies = tropos::extract().await?;

    let added = notes::add(&db, &title, &text, &author)
        .await
        .map_err(ServerFnError::new)?;
    // The form knows them when they come back.
    cookies.set(AUTHOR, author.trim());
    tropos::redirect_after(match added {
        Added::As(slug) => Note::href(slug),
        Added::Refused(problem @ Problem::Words) => Write::href().query(&[("problem", &problem)]),
        // What was written is not lost.
        Added::Refused(problem @ Problem::Taken) => {
            Write::href().query(&[("problem", &problem), ("title", &title), ("text", &text)])
        }
    })?;
    Ok(())
}
