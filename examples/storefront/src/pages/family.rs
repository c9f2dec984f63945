//! A family of colours: kept for a minute, and made again when one of its colours changes.

use super::first;
use crate::{
    components::{Grid, Pager, Place, Spectrum, frame},
    data::{
        family::Family,
        products::{self, Sort},
        search::pages,
    },
};
use serde::{Deserialize, Serialize};
use tropos::prelude::*;

/// What of the query the page depends on. Whatever else is in it makes no other page.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listing {
    #[serde(default)]
    sort: Sort,
    #[serde(default = "first")]
    page: u32,
}

async fn families() -> tropos::Result<Vec<Family>> {
    Ok(Family::ALL.to_vec())
}

/// The colours of a family.
#[page("/family/:family", isr(revalidate = "60s", prerender = families, query = Listing, tags = ["family-{family}"]))]
pub async fn FamilyPage(Path(family): Path<Family>, Query(listing): Query<Listing>, db: Db) -> PageResult {
    let Listing { sort, page } = listing;
    let swatches = products::swatches(&db, family).await?;
    let total = swatches.len() as i64;
    if page == 0 || page > pages(total, products::PAGE) {
        return Err(PageError::NotFound);
    }
    let shown = products::of_family(&db, family, sort, page).await?;
    frame::<FamilyPage>(Place::Shop, 0);

    let from = i64::from(page - 1) * products::PAGE;
    let range = format!("{} to {} of {total}", from + 1, from + shown.len() as i64);
    let order = |(order, key, title): (Sort, &'static str, &'static str)| {
        let current = (order == sort).then_some("true");
        view! { <li><a href=FamilyPage::href(family).query(&[("sort", &key)]) aria-current=current>{title}</a></li> }
    };
    let key = Sort::ALL.iter().find(|(order, ..)| *order == sort).map_or("light", |(_, key, _)| key);
    let to = move |page: u32| FamilyPage::href(family).query(&[("sort", &key), ("page", &page)]).to_string();
    view! {
        <Title text=format!("{} · Umberlow", family.title())/>
        <Meta name="description" content=family.line()/>
        <header class="page-head">
            <h1 class="giant">{family.title()}</h1>
            <p>{family.line()}</p>
        </header>
        <Spectrum swatches steps=64/>
        <div class="bar">
            <nav aria-label="Order">
                <ul><li class="label">"Order"</li>{Sort::ALL.map(order).collect_view()}</ul>
            </nav>
            <p>{range}</p>
        </div>
        <Grid products=shown/>
        <Pager page total size=products::PAGE href=to/>
    }
    .into_page()
}
