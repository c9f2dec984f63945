//! The back office: prices and stock, for whom the hooks let in.

use super::{Colour, first, tins_of};
use crate::{
    actions::{SaveProduct, SignOut},
    components::{Pager, Place, frame},
    data::{
        office,
        product::{Product, euros, grouped},
        products,
        search::{self, Found},
    },
    hooks::{Role, Staff},
    seed,
};
use leptos::server_fn::ServerFn;
use serde::Deserialize;
use tropos::{Context, Cookies, leptos_meta::Body, prelude::*};

/// Rows on a page.
const ROWS: i64 = 16;

/// What is looked at, and what became of a change.
#[derive(Debug, Clone, Deserialize)]
pub struct Desk {
    #[serde(default)]
    q: String,
    #[serde(default = "first")]
    page: u32,
    saved: Option<i64>,
    refused: Option<i64>,
    unknown: Option<i64>,
}

/// Prices and stock.
#[page("/office", server)]
pub async fn Office(
    Query(desk): Query<Desk>,
    Context(staff): Context<Staff>,
    cookies: Cookies,
    db: Db,
) -> PageResult {
    // The guard let nobody else in; without it there would be nothing here.
    let Staff { role } = staff.or_not_found()?;
    let q = desk.q.trim().to_owned();
    let Found { products, page, total } = match q.is_empty() {
        true => Found { products: products::best_sellers(&db, ROWS).await?, page: 1, total: ROWS },
        false => search::search(&db, &q, desk.page, ROWS).await?,
    };
    let flash = flash(&db, &desk).await?;
    frame::<Office>(Place::Shop, tins_of(&cookies));

    let says = match (q.is_empty(), total) {
        (true, _) => format!("{} colours; these are bought most", grouped(seed::count())),
        (false, 1) => "1 colour matches".to_owned(),
        (false, total) => format!("{} colours match", grouped(total)),
    };
    let row = |product: Product| {
        let saved = desk.saved == Some(product.id);
        view! { <Row product saved q=q.clone() page role/> }
    };
    let rows = products.into_iter().map(row).collect_view();
    let query = q.clone();
    let to = move |page: u32| Office::href().query(&[("q", &query), ("page", &page)]).to_string();
    view! {
        <Title text="Back office · Umberlow"/>
        <Body attr:class="office"/>
        {flash.map(|says| view! { <p class="flash" role="status">{says}</p> })}
        <header class="page-head">
            <h1>"Back office"</h1>
            <form class="who" method="post" action=SignOut::url()>
                <span class="quiet">{format!("Signed in as {}", role.as_str())}</span>
                " "
                <button class="text">"Sign out"</button>
            </form>
            {(role == Role::Trainee).then(|| view! { <p>"You may look. A clerk sets prices and stock."</p> })}
        </header>
        <div class="tools">
            <form class="search" role="search" method="get" action=Office::href()>
                <label class="off" for="oq">"Find a colour"</label>
                <input id="oq" type="search" name="q" value=q placeholder="Find a colour"/>
                <button>"Find"</button>
            </form>
            <p class="quiet">{says}</p>
        </div>
        <div class="scroll">
            <table>
                <caption class="off">"Colours, with price and stock"</caption>
                <thead>
                    <tr>
                        <th class="chip-cell"><span class="off">"Colour"</span></th>
                        <th>"Name"</th>
                        <th>"Family"</th>
                        <th class="num">"Sold"</th>
                        <th>"Price, €"</th>
                        <th>"Stock"</th>
                        <th><span class="off">"Save"</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <Pager page total size=ROWS href=to/>
    }
    .into_page()
}

async fn flash(db: &Db, desk: &Desk) -> tropos::Result<Option<String>> {
    if let Some(id) = desk.saved
        && let Some(product) = office::by_id(db, id).await?
    {
        let Product { name, price_cents, stock, .. } = product;
        let price = euros(price_cents);
        let follow = "its page, its family and the board have it already";
        return Ok(Some(format!(
            "Saved. {name} is now {price}, with {} in stock; {follow}.",
            grouped(stock)
        )));
    }
    Ok(match desk {
        Desk { refused: Some(_), .. } => {
            Some("Not saved: a price is from 0.01 to 9999.99, and stock from 0 to 9999.".to_owned())
        }
        Desk { unknown: Some(_), .. } => Some("Not saved: there is no such colour.".to_owned()),
        _ => None,
    })
}

/// One product, with its form.
#[component]
fn Row(product: Product, saved: bool, q: String, page: u32, role: Role) -> impl IntoView {
    let form = format!("f-{}", product.id);
    let looks = role == Role::Trainee;
    let price = format!("{}.{:02}", product.price_cents / 100, product.price_cents % 100);
    view! {
        <tr class=saved.then_some("saved") id=format!("p-{}", product.id)>
            <td class="chip-cell"><span class="chip paint" style=product.paint()></span></td>
            <th scope="row"><a href=Colour::href(product.slug.clone())>{product.name.clone()}</a></th>
            <td class="wide">{product.family.title()}</td>
            <td class="num wide">{grouped(product.sold)}</td>
            <td data-label="Price, €">
                <input
                    form=form.clone()
                    name="price"
                    inputmode="decimal"
                    pattern="[0-9]{1,4}([.][0-9]{2})?"
                    value=price
                    aria-label=format!("Price of {} in euros", product.name)
                    readonly=looks
                    required
                />
            </td>
            <td data-label="Stock">
                <input
                    form=form.clone()
                    name="stock"
                    type="number"
                    min="0"
                    max="9999"
                    value=product.stock
                    aria-label=format!("Stock of {}", product.name)
                    readonly=looks
                    required
                />
            </td>
            <td>
                <form id=form method="post" action=SaveProduct::url()>
                    <input type="hidden" name="id" value=product.id/>
                    <input type="hidden" name="q" value=q/>
                    <input type="hidden" name="page" value=page/>
                    <button class="plain" disabled=looks>"Save"</button>
                </form>
            </td>
        </tr>
    }
}
