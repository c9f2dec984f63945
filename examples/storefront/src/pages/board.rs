//! The board: open for days, and kept current by what happens in the shop.

use super::Colour;
use crate::{
    components::{Place, frame},
    data::{
        board::{self, Entry, Tally},
        product::{Product, euros, grouped, paint, tins},
    },
};
use tropos::{leptos_meta::Body, prelude::*};

/// What sells, what is left, and the latest orders.
#[page("/board", live)]
pub async fn Board(db: Db) -> PageResult {
    let (products, out) = board::stock(&db).await?;
    let Tally { orders, tins, cents } = board::today(&db).await?;
    let latest = board::latest(&db).await?;
    frame::<Board>(Place::Board, 0);

    let sums = [
        ("Orders", grouped(orders)),
        ("Tins", grouped(tins)),
        ("Taken", format!("€{}", grouped(cents / 100))),
        ("Out of stock", grouped(out)),
    ];
    let sum = |(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    let none = latest
        .is_empty()
        .then(|| view! { <p class="quiet">"Nothing ordered yet. The first one shows up here."</p> });
    view! {
        <Title text="Board · Umberlow"/>
        <Body attr:class="board"/>
        <header class="page-head">
            <h1>"Today"</h1>
            " "
            <p class="quiet live-dot" role="status">
                <span class="is-open">"Live. Changes arrive by themselves."</span>
                <span class="is-closed">"Not connected. Trying again."</span>
                <span class="is-still">"As it is now. Without script, reload to see it change."</span>
            </p>
        </header>
        <dl class="tally">{sums.map(sum).collect_view()}</dl>
        <div class="two">
            <table>
                <caption>"Stock, most bought first"</caption>
                <thead>
                    <tr>
                        <th class="chip-cell"><span class="off">"Colour"</span></th>
                        <th>"Name"</th>
                        <th class="wide">"Family"</th>
                        <th class="wide">"Finish"</th>
                        <th class="num wide">"Sold"</th>
                        <th class="num">"Price"</th>
                        <th class="num">"Left"</th>
                    </tr>
                </thead>
                <tbody>{products.into_iter().map(|product| view! { <Row product/> }).collect_view()}</tbody>
            </table>
            <section class="feed" aria-labelledby="orders">
                <h2 id="orders">"Orders"</h2>
                {none}
                <ol>{latest.into_iter().map(|entry| view! { <Ordered entry/> }).collect_view()}</ol>
            </section>
        </div>
    }
    .into_page()
}

/// One product. By its id the open page finds the row again, wherever it moves.
#[component]
fn Row(product: Product) -> impl IntoView {
    let out = product.stock == 0;
    let left = if out { "out".to_owned() } else { grouped(product.stock) };
    view! {
        <tr id=format!("stock-{}", product.slug) data-key=product.slug.clone() class=out.then_some("out")>
            <td class="chip-cell"><span class="chip paint" style=product.paint()></span></td>
            <th scope="row"><a href=Colour::href(product.slug.clone())>{product.name}</a></th>
            <td class="wide">{product.family.title()}</td>
            <td class="wide">{product.finish}</td>
            <td class="num wide">{grouped(product.sold)}</td>
            <td class="num">{euros(product.price_cents)}</td>
            <td class="num stock-n">{left}</td>
        </tr>
    }
}

/// One order.
#[component]
fn Ordered(entry: Entry) -> impl IntoView {
    let Entry { order, paints } = entry;
    let time = time(order.placed_at);
    let stripe = |(hex, quantity): (String, i64)| {
        view! { <span class="paint" style=format!("{};--n:{quantity}", paint(&hex))></span> }
    };
    view! {
        <li id=format!("order-{}", order.id) data-key=order.id>
            <span class="no">{order.id}</span>
            " "
            <data value=order.total_cents>{euros(order.total_cents)}</data>
            " "
            <span class="quiet">{tins(order.tins)}</span>
            " "
            <time class="quiet" datetime=format!("{time}Z")>{time.clone()}</time>
            " "
            <span class="stripe" aria-hidden="true">{paints.into_iter().map(stripe).collect_view()}</span>
        </li>
    }
}

/// Hours and minutes (UTC) of milliseconds since 1970.
fn time(milliseconds: i64) -> String {
    let minutes = milliseconds / 60_000;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_of_the_day() {
        assert_eq!(super::time(86_400_000 + 3_600_000 * 14 + 60_000 * 7 + 59_999), "14:07");
    }
}
