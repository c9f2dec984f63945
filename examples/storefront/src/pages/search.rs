//! The search: made for every request. Its frame goes out at once, and the results when they are there.

use super::{first, tins_of};
use crate::{
    components::{Grid, Pager, Place, Tries, Waiting, frame, plain_search::label, tries},
    data::{
        product::grouped,
        search::{self, Found},
    },
    islands::SearchSuggestions,
    seed,
};
use serde::Deserialize;
use tropos::{Cookies, prelude::*};

/// What is searched for.
#[derive(Debug, Clone, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    q: String,
    #[serde(default = "first")]
    page: u32,
    /// Asked for where no script can put the results in their place: the page waits for them then.
    #[serde(default)]
    whole: bool,
}

/// Finds colours by name, or by a hex value.
#[page("/search", server)]
pub async fn Search(Query(wanted): Query<Wanted>, cookies: Cookies, db: Db) -> PageResult {
    let Wanted { q, page, whole } = Wanted { q: wanted.q.trim().to_owned(), ..wanted };
    frame::<Search>(Place::Search, tins_of(&cookies));

    let title =
        if q.is_empty() { "Search · Umberlow".to_owned() } else { format!("{q} · Search · Umberlow") };
    let results = results(db, q.clone(), page.max(1), whole);
    let results = match q.is_empty() || whole {
        true => results.await?,
        false => {
            streamed(results, Search::href().query(&[("q", &q), ("page", &page), ("whole", &true)]).into())
        }
    };
    view! {
        <Title text=title/>
        <header class="page-head">
            <h1 class="off">"Search"</h1>
            <SearchSuggestions
                action=Search::href().into()
                query=q
                placeholder="A name, a hex, a mood".to_owned()
                label=label()
            />
        </header>
        {results}
    }
    .into_page()
}

/// The results, once they are there. A browser that runs no script asks for the whole page instead.
fn streamed(
    results: impl Future<Output = tropos::Result<AnyView>> + Send + 'static,
    whole: String,
) -> AnyView {
    let results = async move {
        results.await.unwrap_or_else(|error| {
            tracing::error!(%error, "the search failed");
            view! { <section class="empty"><h2>"The search failed."</h2><p>"Try again in a moment."</p></section> }
                .into_any()
        })
    };
    let refresh = format!("0; url={whole}");
    let waiting = move || {
        view! {
            <noscript><meta http-equiv="refresh" content=refresh.clone()/></noscript>
            <Waiting/>
        }
    };
    view! { <Suspense fallback=waiting>{Suspend::new(results)}</Suspense> }.into_any()
}

async fn results(db: Db, q: String, page: u32, whole: bool) -> tropos::Result<AnyView> {
    let Found { products, page, total } = search::search(&db, &q, page, search::PAGE).await?;
    if products.is_empty() {
        let tries = tries::to_try(&db).await?;
        return Ok(view! { <Nothing q products=tries/> }.into_any());
    }
    let count = if total == 1 { "1 colour".to_owned() } else { format!("{} colours", grouped(total)) };
    let to = move |page: u32| {
        let href = Search::href().query(&[("q", &q), ("page", &page)]);
        if whole { href.query(&[("whole", &true)]).to_string() } else { href.to_string() }
    };
    let view = view! {
        <div class="head-row found"><p class="quiet" role="status">{count}</p></div>
        <Grid products/>
        <Pager page total size=search::PAGE href=to/>
    };
    Ok(view.into_any())
}

/// Where nothing was found, or nothing asked.
#[component]
fn Nothing(q: String, products: Vec<crate::data::product::Product>) -> impl IntoView {
    let asked = !q.is_empty();
    let says = match asked {
        true => "Nothing by that name.",
        false => "What should it be called?",
    };
    view! {
        <section class="empty">
            <h2>{says}</h2>
            <p>
                {asked.then(|| format!("We have {} colours and not one is called “{q}”. ", grouped(seed::count())))}
                "Try a few letters, a hex value such as "<span class="hex">"#c6d8c7"</span>", or one of these."
            </p>
            <Tries products/>
        </section>
    }
}
