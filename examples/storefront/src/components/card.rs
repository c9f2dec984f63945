//! A colour among others.

use crate::{
    data::product::{Product, euros},
    pages::Colour,
};
use tropos::prelude::*;

/// A colour among others: its paint, name, value and price.
#[component]
pub fn Card(
    product: Product,
    /// Its place in a ranking.
    #[prop(optional)]
    rank: Option<usize>,
) -> impl IntoView {
    let out = (product.stock == 0).then(|| view! { <span class="flag">"Out of stock"</span> });
    let rank = rank.map(|rank| view! { <span class="rank">{rank}</span> });
    view! {
        <li class="card">
            <a href=Colour::href(product.slug.clone())>
                <span class="chip paint" style=product.paint()>{rank}{out}</span>
                <span class="name">{product.name.clone()}</span>
                <span class="meta">
                    <span class="hex">{product.hex}</span>
                    " "
                    <data class="price" value=product.price_cents>{euros(product.price_cents)}</data>
                </span>
            </a>
        </li>
    }
}

/// Many of them.
#[component]
pub fn Grid(products: Vec<Product>) -> impl IntoView {
    let cards = products.into_iter().map(|product| view! { <Card product/> }).collect_view();
    view! { <div class="grid"><ul>{cards}</ul></div> }
}

/// What stands where cards are on their way.
#[component]
pub fn Waiting() -> impl IntoView {
    let card = |_| {
        view! {
            <li class="card skeleton">
                <span class="chip"></span>
                <span class="name"></span>
                <span class="meta"></span>
            </li>
        }
    };
    view! { <div class="grid" aria-busy="true"><ul>{(0..12).map(card).collect_view()}</ul></div> }
}
