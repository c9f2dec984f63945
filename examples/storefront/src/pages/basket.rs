//! The basket: made for every request.

use super::{Colour, Home};
use crate::{
    actions::{Checkout, RemoveFromBasket, UpdateBasket, too_few},
    components::{Place, Tries, frame, tries},
    data::{
        baskets::{self, Line},
        orders::FINISHES,
        product::{Product, euros, tins},
        products,
    },
    hooks::Delivery,
};
use leptos::server_fn::ServerFn;
use serde::Deserialize;
use tropos::{Session, Variant, prelude::*};

/// Why the visitor was sent here.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Why {
    /// There was too little of this colour.
    short: Option<String>,
    /// The order was refused.
    refused: Option<String>,
}

/// What the visitor means to buy.
#[page("/basket", server)]
pub async fn Basket(
    session: Session,
    Query(why): Query<Why>,
    Variant(delivery): Variant<Delivery>,
    db: Db,
) -> PageResult {
    let lines = match session.id() {
        Some(visitor) => baskets::lines(&db, &visitor).await?,
        None => Vec::new(),
    };
    let count = lines.iter().map(|line| line.quantity).sum();
    let flash = flash(&db, &why, &lines).await?;
    let tries = if lines.is_empty() { tries::to_try(&db).await? } else { Vec::new() };
    frame::<Basket>(Place::Basket, count);
    view! {
        <Title text="Basket · Umberlow"/>
        {flash.map(|says| view! { <p class="flash" role="alert">{says}</p> })}
        <header class="page-head"><h1>"Basket"</h1></header>
        {match lines.is_empty() {
            true => view! { <Empty products=tries/> }.into_any(),
            false => view! { <Full lines delivery/> }.into_any(),
        }}
    }
    .into_page()
}

/// What became of the form that led here, where it was refused.
async fn flash(db: &Db, why: &Why, lines: &[Line]) -> tropos::Result<Option<String>> {
    if let Some(slug) = &why.short
        && let Some(product) = products::by_slug(db, slug).await?
    {
        let there = lines.iter().find(|line| line.product.id == product.id).map_or(0, |line| line.quantity);
        return Ok(Some(format!("{}: {}", product.name, too_few(product.stock, there))));
    }
    Ok(match why.refused.as_deref() {
        Some("stock") => {
            Some("Not ordered: there is less of something than the basket holds. See below.".to_owned())
        }
        Some("details") => {
            Some("Not ordered: a name, an email address and an address are needed.".to_owned())
        }
        _ => None,
    })
}

#[component]
fn Empty(products: Vec<Product>) -> impl IntoView {
    view! {
        <section class="empty">
            <h2>"Nothing in it yet."</h2>
            <p>"An empty basket is a white wall: fine for a while. Start with a family, or with one of these."</p>
            <Tries products/>
            <p><a class="button" href=format!("{}#families", Home::href())>"See the families"</a></p>
        </section>
    }
}

#[component]
fn Full(lines: Vec<Line>, delivery: Delivery) -> impl IntoView {
    let count = lines.iter().map(|line| line.quantity).sum();
    let cents = lines.iter().map(Line::cents).sum();
    view! {
        <div class="two">
            <section aria-label="What is in it">
                <ul class="lines">{lines.into_iter().map(|line| view! { <InBasket line/> }).collect_view()}</ul>
            </section>
            <Pay count cents delivery/>
        </div>
    }
}

/// One colour.
#[component]
fn InBasket(line: Line) -> impl IntoView {
    let (price, cents) = (euros(line.product.price_cents), line.cents());
    let Line { product, quantity } = line;
    let field = format!("n-{}", product.slug);
    let missing = (quantity > product.stock).then(|| {
        let left = too_few(product.stock, 0);
        view! { <p class="quiet error">{left}" Take fewer, and the rest can be ordered."</p> }
    });
    view! {
        <li>
            <a
                class="chip paint"
                href=Colour::href(product.slug.clone())
                style=product.paint()
                tabindex="-1"
                aria-hidden="true"
            ></a>
            <h2 class="name"><a href=Colour::href(product.slug.clone())>{product.name.clone()}</a></h2>
            " "
            <data class="price" value=cents>{euros(cents)}</data>
            <p class="quiet">{format!("{}, 2.5 litres, {price} a tin", product.finish)}</p>
            {missing}
            <div class="acts">
                <form method="post" action=UpdateBasket::url()>
                    <input type="hidden" name="slug" value=product.slug.clone()/>
                    <label class="off" for=field.clone()>{format!("Tins of {}", product.name)}</label>
                    <input id=field type="number" name="quantity" value=quantity min="0" max=baskets::MOST inputmode="numeric"/>
                    " "
                    <button class="text">"Update"</button>
                </form>
                <form method="post" action=RemoveFromBasket::url()>
                    <input type="hidden" name="slug" value=product.slug/>
                    <button class="text">"Remove"</button>
                </form>
            </div>
        </li>
    }
}

/// The sum, and who orders.
#[component]
fn Pay(count: i64, cents: i64, delivery: Delivery) -> impl IntoView {
    let finish = |(value, title)| view! { <option value=value>{title}</option> };
    view! {
        <section class="checkout" aria-labelledby="pay">
            <h2 id="pay">"Order"</h2>
            <dl class="totals">
                <div><dt>{tins(count)}</dt><dd>{euros(cents)}</dd></div>
                <div><dt>"Delivery"</dt><dd>"free"</dd></div>
                <div class="sum"><dt>"Total"</dt><dd>{euros(cents)}</dd></div>
            </dl>
            <p class="quiet">{takes(delivery)}</p>
            <form method="post" action=Checkout::url()>
                <label class="field">"Name "<input name="name" autocomplete="name" required maxlength="80"/></label>
                <label class="field">
                    "Email "<input type="email" name="email" autocomplete="email" required maxlength="120"/>
                </label>
                <label class="field">
                    "Address "
                    <textarea name="address" autocomplete="street-address" required maxlength="400"></textarea>
                </label>
                <label class="field">"Finish "<select name="finish">{FINISHES.map(finish).collect_view()}</select></label>
                <button>{format!("Place order, {}", euros(cents))}</button>
                <p class="quiet">"This is a demonstration. Nothing is charged and nothing is sent."</p>
            </form>
        </section>
    }
}

/// How long a tin is on its way.
fn takes(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::World => "Two to ten working days, by where you are.",
        Delivery::Union => "Two to four working days within the European Union.",
        Delivery::Britain => "Five to eight working days to the United Kingdom, duties paid.",
    }
}
