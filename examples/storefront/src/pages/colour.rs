//! A colour: kept for minutes, and made again when its price or stock changes.

use super::FamilyPage;
use crate::{
    components::{Grid, Place, frame, picture::Picture},
    data::{
        baskets,
        product::{Product, Stock, euros, paint, tins},
        products,
    },
    hooks::Per,
    islands::{AddToBasket, Room},
    seed::colour::luminance,
};
use tropos::{Variant, prelude::*};

/// So many best sellers are made at build.
const AT_BUILD: i64 = 200;

/// What one coat of a tin covers, in square metres.
const COVERS: i64 = 30;

/// Colours that are shown as near.
const NEAR: i64 = 6;

async fn best_sellers(db: Db) -> tropos::Result<Vec<String>> {
    Ok(products::best_sellers(&db, AT_BUILD).await?.into_iter().map(|product| product.slug).collect())
}

/// A colour, in a room, with its price and what comes close to it.
#[page(
    "/colour/:slug",
    isr(revalidate = "300s", prerender = best_sellers, variants = Per, tags = ["product-{slug}"])
)]
pub async fn Colour(Path(slug): Path<String>, Variant(per): Variant<Per>, db: Db) -> PageResult {
    let product = products::by_slug(&db, &slug).await?.or_not_found()?;
    let Product { lightness, lab_a, lab_b, .. } = product;
    let near = products::near(&db, lightness, lab_a, lab_b, product.id, NEAR).await?;
    let near = products::by_slugs(&db, &near).await?;
    frame::<Colour>(Place::Shop, 0);

    let (price, finish) = (u32::try_from(product.price_cents).unwrap_or_default(), product.finish.clone());
    view! {
        <Title text=format!("{} · Umberlow", product.name)/>
        <Meta name="description" content=product.description.clone()/>
        <article>
            <header class="wall paint" style=product.paint()>
                <dl>
                    <div>
                        <dt>"Family"</dt>
                        <dd><a href=FamilyPage::href(product.family)>{product.family.title()}</a></dd>
                    </div>
                    <div><dt>"Screen"</dt><dd class="hex">{product.hex.clone()}</dd></div>
                    <div><dt>"Finish"</dt><dd>{product.finish.clone()}</dd></div>
                </dl>
                <h1>{product.name.clone()}</h1>
            </header>
            <div class="item">
                <section class="room" style=product.paint() aria-label="Room preview">
                    <Room price_cents=price><Picture finish/></Room>
                </section>
                <Buy product=product.clone() per/>
            </div>
            <Legible hex=product.hex.clone() name=product.name.clone()/>
            <section class="near" aria-labelledby="near">
                <div class="head-row">
                    <h2 id="near">"Close to it"</h2>
                    <p class="quiet">"By distance to the eye, not by name"</p>
                </div>
                <Grid products=near/>
            </section>
        </article>
    }
    .into_page()
}

/// Price, stock and the form.
#[component]
fn Buy(product: Product, per: Per) -> impl IntoView {
    let (class, says) = match product.stock() {
        Stock::Out => ("stock out", "Out of stock".to_owned()),
        Stock::Low(left) => ("stock low", format!("Only {left} left")),
        Stock::Enough(left) => ("stock", format!("In stock, {}", tins(left))),
    };
    let most = product.stock.min(baskets::MOST);
    let form = match product.stock() {
        Stock::Out => {
            view! { <p class="quiet">"We mix it again on Monday. The colours below come close."</p> }
                .into_any()
        }
        _ => view! { <AddToBasket slug=product.slug.clone() most/> }.into_any(),
    };
    let beside = match per {
        Per::Tin => "2.5 litres".to_owned(),
        Per::Metre => format!("{} a square metre", euros((product.price_cents + COVERS / 2) / COVERS)),
    };
    let facts = [
        ("Covers", format!("{COVERS} m², one coat")),
        ("Lightness", format!("{}.{}", product.lightness / 10, product.lightness % 10)),
        ("Chroma", format!("0.{:03}", product.chroma)),
        ("Hue", format!("{}°", product.hue)),
        ("Sold so far", tins(product.sold)),
    ];
    let fact = |(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    view! {
        <section class="buy" aria-label="Buy">
            <p class="says">{product.description}</p>
            <p class="price">{euros(product.price_cents)}" "<small>{format!("{beside}, tax included")}</small></p>
            <p class=class>{says}</p>
            {form}
            <dl class="spec">{facts.map(fact).collect_view()}</dl>
        </section>
    }
}

/// How well text reads on the colour, and in it.
#[component]
fn Legible(hex: String, name: String) -> impl IntoView {
    let own = luminance(&hex);
    let sample = |class: &'static str, text: String, other: f64| {
        let ratio = contrast(own, other);
        view! {
            <div class=class style=paint(&hex)>
                <p class="sample">{text}</p>
                <p class="ratio"><span>{format!("{ratio:.1} to 1")}</span>" "<span>{verdict(ratio)}</span></p>
            </div>
        }
    };
    view! {
        <section class="legible" aria-label="Text in this colour">
            {sample("paint on-white", "White on it".to_owned(), 1.0)}
            {sample("paint on-black", "Black on it".to_owned(), 0.0)}
            {sample("as-text", format!("{name} on white"), 1.0)}
        </section>
    }
}

/// The contrast of two luminances (WCAG 2.2).
fn contrast(a: f64, b: f64) -> f64 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn verdict(ratio: f64) -> &'static str {
    match ratio {
        7.0.. => "any text",
        4.5.. => "body text and up",
        3.0.. => "headings only",
        _ => "decoration only",
    }
}
